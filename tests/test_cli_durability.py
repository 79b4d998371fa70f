"""A sweep in a process of its own, with and without Ray, that is killed, interrupted, or started twice."""

from __future__ import annotations

import errno
import os
import signal
import socket
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import numpy as np
import pytest
import ray  # noqa: F401 - makes psutil importable, which comes with it
from commands import clsweep, process, processes, spec, store, wait_until

from cl.registry import METHODS
from orchestrator.checkpoints import Checkpoints
from results import storage
from results.storage import Folder
from results.store import Store

# Every method, and tasks long enough to be hit in the middle.
SWEEP = f"""
name: tiny
seeds: 1
scenarios: [{{kind: task-il, stream: split-digits, tasks: 3}}]
methods: [{", ".join(METHODS)}]
model: {{hidden: [16]}}
train: {{iterations: 60}}
"""
# Trials of some seconds.
LONG = SWEEP.replace("iterations: 60", "iterations: 3000").replace(", ".join(METHODS), "naive, ewc, replay")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def complete(name: str = "tiny") -> int:
    return Counter(store(name).statuses().values())["complete"]


def numbers(of: Store) -> dict[str, list[object]]:
    """Everything that a sweep found, timings aside."""
    tasks = of.tasks()
    timed = {"train_s", "eval_s"}
    return of.accuracy().to_pydict() | {
        f"tasks.{name}": tasks[name].to_pylist() for name in tasks.column_names if name not in timed
    }


def test_a_driver_that_is_killed_at_any_moment_loses_nothing_and_the_end_is_as_if_undisturbed():
    moments = np.random.default_rng(4)
    command = ("run", spec(SWEEP), "--local", "--checkpoint-every", "0")
    acknowledged: set[str] = set()
    for _ in range(8):
        with process(*command) as running:
            wait_until(lambda: Path("runs/tiny/driver.json").exists() or running.poll() is not None)
            time.sleep(moments.uniform(0.0, 1.0))
            running.kill()
        run = store()
        done = {trial_id for trial_id, status in run.statuses().items() if status == "complete"}
        assert done >= acknowledged, "what was complete stays so"
        assert (
            run.accuracy().group_by(["trial_id", "after_task", "eval_task", "split"]).aggregate([]).num_rows
            == run.accuracy().num_rows
        ), "each row is there once"
        assert not run.damaged
        acknowledged = done
    with process(*command) as last:
        out, err = last.communicate(timeout=200)
    assert last.returncode == 0, out + err
    assert complete() == len(METHODS)
    assert clsweep("run", "tiny.yaml", "--local", "--storage", "undisturbed").exit_code == 0
    assert numbers(store()) == numbers(Store("undisturbed/tiny"))
    assert clsweep("check", "runs/tiny").exit_code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", [["--local"], []], ids=["local", "ray"])
def test_a_signal_ends_the_sweep_within_five_seconds_with_what_was_learned_on_disk(number, where):
    command = ("run", spec(LONG), *where, "--checkpoint-every", "0")
    mark = uuid4().hex
    with process(*command, CLSWEEP_TEST=mark) as running:
        wait_until(lambda: running.poll() is not None or any(Path("runs/tiny/checkpoints").glob("*/*.pt")))
        running.send_signal(number)
        start = time.monotonic()
        out, err = running.communicate(timeout=60)
        assert time.monotonic() - start < 5
    assert running.returncode == 130, out + err
    assert out.endswith(
        "Interrupted. Everything finished is in runs/tiny; the same command continues:\n"
        f"  clsweep {' '.join(command)}\n"
    )
    assert err == ""
    wait_until(lambda: not processes(mark))
    assert not Path("runs/tiny/driver.json").exists()
    saved = {path.parent.name for path in Path("runs/tiny/checkpoints").glob("*/*.pt")}
    tasks = Counter(store().tasks()["trial_id"].to_pylist())
    checkpoints = Checkpoints(Folder.at("runs/tiny/checkpoints"))
    for trial_id in saved:
        learned = len(checkpoints.latest(trial_id).reports) - 1
        assert learned - tasks[trial_id] in {0, 1}, "rows too, but for a report that was just under way"
    assert saved <= {trial_id for trial_id, status in store().statuses().items() if status == "running"}


def test_a_second_signal_ends_the_process_at_once():
    running = process("run", spec(LONG), "--local")
    wait_until(lambda: Path("runs/tiny/driver.json").exists())
    os.kill(running.pid, signal.SIGSTOP)  # so that both wait for it
    os.kill(running.pid, signal.SIGINT)
    os.kill(running.pid, signal.SIGTERM)
    os.kill(running.pid, signal.SIGCONT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Traceback" not in out + err


def test_a_second_driver_is_refused_with_the_first_ones_host_and_process():
    command = ("run", spec(LONG), "--local")
    with process(*command) as first:
        wait_until(lambda: Path("runs/tiny/driver.json").exists())
        with process(*command) as second:
            out, err = second.communicate(timeout=60)
        assert second.returncode == 2, out
        assert f"process {first.pid} on {socket.gethostname()}" in err
        assert "Traceback" not in err
        assert first.poll() is None
        first.kill()


@pytest.fixture
def disk(monkeypatch):
    """A disk that is full after so many writes, until it has refused so many."""
    state = SimpleNamespace(writes=0, refused=0, refuse_after=10**9, recover_after=10**9)
    put = storage._put

    def limited(path, content):
        state.writes += 1
        if state.writes > state.refuse_after and state.refused < state.recover_after:
            state.refused += 1
            put(path, memoryview(content)[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        put(path, content)

    monkeypatch.setattr(storage, "_put", limited)
    return state


def test_a_disk_that_is_full_for_a_while_is_waited_for(disk):
    disk.refuse_after, disk.recover_after = 12, 4
    ended = clsweep("run", spec(SWEEP), "--local", "--patience", "60", "--no-checkpoints")
    assert ended.exit_code == 0, ended.output
    assert disk.refused == 4
    assert complete() == len(METHODS)
    assert not store().damaged


def test_a_disk_that_stays_full_ends_the_sweep_with_what_is_safe(disk):
    disk.refuse_after = 20
    ended = clsweep("run", spec(SWEEP), "--local", "--patience", "1", "--no-checkpoints")
    assert ended.exit_code == 1
    assert "clsweep: cannot write runs/tiny/" in ended.stderr
    assert "No space left on device" in ended.stderr
    assert "Every trial that was reported as done is safe; the same command continues." in ended.stderr
    done = complete()
    assert 0 < done < len(METHODS)
    assert not store().damaged, "no half part"
    disk.recover_after = 0
    assert clsweep("run", "tiny.yaml", "--local").exit_code == 0
    assert complete() == len(METHODS)
