"""`clsweep run` with a Ray of its own: interrupted, continued, quiet, leaving nothing behind."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import ray  # noqa: F401 - makes psutil importable, which comes with it
from commands import clsweep, parts, process, processes, spec, store, wait_until

SWEEP = """
name: tiny
seeds: 6
scenarios: [{kind: class-il, stream: split-digits, tasks: 3}]
methods: [naive, replay: {buffer_size: 50}]
model: {hidden: [16]}
train: {iterations: 150}
"""
# A cluster that is not there, to which a run that does not ask for one must not turn.
ELSEWHERE = {"RAY_ADDRESS": "127.0.0.1:1", "CLSWEEP_TEST": uuid4().hex}


@dataclass
class Ended:
    """A command that has ended, and the run's state then."""

    code: int
    out: str
    err: str
    statuses: Counter[str]
    parts: dict[str, bytes]
    folder: Path


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    """The same command twice: interrupted by Ctrl-C, and again to its end."""
    folder = tmp_path_factory.mktemp("sweep")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        spec(SWEEP)
        first = process("run", "tiny.yaml", **ELSEWHERE)
        wait_until(lambda: Counter(store().statuses().values())["complete"] >= 2)
        os.killpg(first.pid, signal.SIGINT)  # as a terminal does: the whole group
        return ended(first), ended(process("run", "tiny.yaml", **ELSEWHERE))


@pytest.fixture
def interrupted(commands):
    return commands[0]


@pytest.fixture
def continued(commands):
    return commands[1]


def ended(command):
    out, err = command.communicate(timeout=120)
    return Ended(command.returncode, out, err, Counter(store().statuses().values()), parts(), Path.cwd())


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_continue(interrupted):
    assert interrupted.code == 130, interrupted.err
    assert interrupted.out.endswith(
        "Interrupted. Everything finished is in runs/tiny; the same command continues:\n"
        "  clsweep run tiny.yaml\n"
    )
    assert interrupted.statuses["complete"] >= 2
    assert interrupted.statuses["running"] <= len(os.sched_getaffinity(0))
    assert sum(interrupted.statuses.values()) < 12


def test_the_same_command_completes_the_sweep_and_touches_nothing_that_was_complete(interrupted, continued):
    assert continued.code == 0, continued.err
    assert continued.statuses == {"complete": 12}
    done = interrupted.statuses["complete"]
    assert f"tiny: 12 trials, {done} of them done before; results in runs/tiny" in continued.out
    assert "12/12 trials, 0 running" in continued.out
    unchanged = [p for p, content in interrupted.parts.items() if continued.parts[p] == content]
    assert len([path for path in unchanged if path.startswith("trials/")]) == done


def test_a_sweep_that_was_interrupted_equals_one_that_was_not(continued, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert clsweep("run", spec(SWEEP), "--local").exit_code == 0
    here = {path: content for path, content in parts().items() if path.startswith("accuracy/")}
    on_ray = {path: content for path, content in continued.parts.items() if path.startswith("accuracy/")}
    assert on_ray == here


def test_rays_chatter_is_in_the_log_and_only_ours_on_the_screen(interrupted, continued):
    for command in (interrupted, continued):
        assert command.err == ""
        assert "Ray's own messages go to runs/tiny/ray.log" in command.out
        assert "\x1b" not in command.out
        assert not re.search(r"\b(INFO|WARNING|raylet|pid=)", command.out)
        assert (command.folder / "runs/tiny/ray.log").is_file()


def test_nothing_keeps_running(continued):
    assert continued.code == 0
    wait_until(lambda: not processes(ELSEWHERE["CLSWEEP_TEST"]))
