"""Commands that take turns, so that a machine that becomes slower or faster does so for all of them alike."""

from __future__ import annotations

import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

import ray  # noqa: F401 - not used itself: psutil, which comes with it, is found once it is imported

TURN_S = 20.0
"""Long beside what a turn itself costs: at its start everything that fell due meanwhile happens at once."""


def await_turn(out: IO[str]) -> None:
    """Say on *out*, which began as stdout, that this command is ready, and wait until it may begin."""
    print("ready", file=out, flush=True)
    input()


def end_turn(out: IO[str]) -> None:
    """Say that what is measured has ended."""
    print("done", file=out, flush=True)


def seconds_in_turns(commands: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """For how many seconds each of *commands* ran between `await_turn` and `end_turn`.

    Only one of them runs at a time, with all its processes; the others stand still.
    """
    running: dict[str, subprocess.Popen[str]] = {}
    try:
        for name, command in commands.items():
            running[name] = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            _hear(running[name], "ready")
            _signal(running[name], signal.SIGSTOP)
        for process in running.values():
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        return _alternating(running)
    finally:
        for process in running.values():
            _signal(process, signal.SIGKILL)


def _alternating(waiting: dict[str, subprocess.Popen[str]]) -> dict[str, float]:
    seconds = dict.fromkeys(waiting, 0.0)
    while waiting:
        for name, process in list(waiting.items()):
            start = time.perf_counter()
            _signal(process, signal.SIGCONT)
            assert process.stdout
            said, _, _ = select.select([process.stdout], [], [], TURN_S)
            if said:
                seconds[name] += time.perf_counter() - start
                _hear(process, "done")
                process.wait()
                del waiting[name]
            else:
                _signal(process, signal.SIGSTOP)
                seconds[name] += time.perf_counter() - start
    return seconds


def _hear(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout
    if (line := process.stdout.readline().strip()) != word:
        raise RuntimeError(f"{process.args!r} said {line!r}, not {word!r}")


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send it to the process and to all that come from it, also to those that start meanwhile."""
    import psutil  # noqa: PLC0415 - comes with Ray, and is found only once that has been imported

    reached: set[int] = set()
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(process.pid)
        while new := [each for each in (root, *root.children(recursive=True)) if each.pid not in reached]:
            for each in new:
                reached.add(each.pid)
                with suppress(psutil.NoSuchProcess):
                    each.send_signal(number)
