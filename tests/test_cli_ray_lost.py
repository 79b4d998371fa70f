"""`clsweep run` when Ray itself fails: its head or node is gone, or it kills trials for want of memory."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest
import ray  # noqa: F401 - makes psutil importable, which comes with it
from commands import process, processes, spec, store, wait_until

SWEEP = """
name: tiny
seeds: 2
scenarios: [{kind: class-il, stream: split-digits, tasks: 3}]
methods: [naive]
model: {hidden: [16]}
train: {iterations: 3000}
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("victim", "message"),
    [
        ("gcs_server", "the Ray head at 127.0.0.1:"),
        ("raylet", "the Ray node of this process is gone"),
    ],
)
def test_a_ray_that_is_gone_ends_the_sweep_with_what_is_safe_and_it_continues(victim, message):
    import psutil  # noqa: PLC0415 - comes with Ray and is found once that is imported

    mark = uuid4().hex
    slow = SWEEP.replace("iterations: 3000", "iterations: 20000")  # so that rows are there before it ends
    command = ("run", spec(slow), "--checkpoint-every", "0")
    with process(*command, CLSWEEP_TEST=mark) as running:
        wait_until(lambda: running.poll() is not None or any(Path("runs/tiny/tasks").glob("*.parquet")))
        for child in psutil.Process(running.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if child.name() == victim:
                    child.kill()
        out, err = running.communicate(timeout=60)
    assert running.returncode == 1, out + err
    assert f"clsweep: {message}" in out
    assert "Everything finished is in runs/tiny; the same command continues." in out
    wait_until(lambda: not processes(mark))
    assert store().tasks().num_rows >= 1
    with process(*command) as again:
        out, err = again.communicate(timeout=100)
    assert again.returncode == 0, out + err
    assert Counter(store().statuses().values()) == {"complete": 2}


def test_a_trial_that_is_killed_for_want_of_memory_has_failed_with_that_cause_and_the_sweep_ends():
    scarce = {"RAY_memory_usage_threshold": "0.01", "RAY_memory_monitor_refresh_ms": "100"}
    with process("run", spec(SWEEP), "--retries", "0", "--set", "seeds=1", **scarce) as running:
        out, err = running.communicate(timeout=100)
    assert running.returncode == 1, out + err
    assert "1 trial failed: the trial's process was killed, since its machine ran out of memory" in out
