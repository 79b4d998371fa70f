"""The command line for tests: in this process where that is enough, else as a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
from click.testing import Result
from typer.testing import CliRunner

from cli import app
from results.store import Store

ROOT = Path(__file__).parents[1]

# Three tasks, five steps each: a trial takes about 20 ms.
TINY = """
name: tiny
seeds: 2
scenarios: [{kind: class-il, stream: split-digits, tasks: 3}]
methods: [naive, joint, ewc, replay: {buffer_size: 50}]
model: {hidden: [16]}
train: {iterations: 5}
"""


def clsweep(*arguments: str) -> Result:
    """Run a verb in this process."""
    return CliRunner().invoke(app, list(arguments))


def process(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start a verb as a process of its own, in the current folder and a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=outside(environment),
        start_new_session=True,
    )


def wait_until(true: Callable[[], bool]) -> None:
    """Return once *true* says so; fail after a time that is long for any of it."""
    deadline = time.monotonic() + 100
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes(mark: str) -> list[str]:
    """The names of the processes whose environment says ``CLSWEEP_TEST`` and this *mark*."""
    import psutil  # noqa: PLC0415 - comes with Ray and can be imported once Ray is

    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if each.environ().get("CLSWEEP_TEST") == mark:
                found.append(each.name())
    return found


def outside(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a process that finds the project from any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **(more or {})}


def spec(text: str = TINY, path: str = "tiny.yaml") -> str:
    """Write a spec into the current folder; its name."""
    Path(path).write_text(text, encoding="utf-8")
    return path


def store(name: str = "tiny", storage: str = "runs") -> Store:
    """The store of a run in the current folder."""
    return Store(Path(storage) / name)


def column(table: pa.Table, name: str) -> list[object]:
    """One column as a list."""
    return table[name].to_pylist()


def parts(name: str = "tiny") -> dict[str, bytes]:
    """Every part of a run by its path, with its content."""
    root = Path("runs") / name
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.glob("*/*.parquet"))}
