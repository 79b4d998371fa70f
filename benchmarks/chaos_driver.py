"""Starts `clsweep run` for the chaos benchmark, which wants to know what a process was doing when it died.

The sweep is the product's own. Added is an observer around each trial, which notes the beginning and the end
of every task in a file per process; and, where no small file system can be mounted, a stub of a full disk.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial, wraps
from typing import Any
from unittest.mock import patch

import cli
from cl.datasets import Dataset
from orchestrator.checkpoints import Checkpoints
from orchestrator.outcome import Outcome, outcomes_of
from results.schema import COMPLETE, RUNNING
from results.storage import Folder, StoreError
from sweeps.trials import Trial

PR_SET_PDEATHSIG = 1


def watched(
    traces: str,
    full: str,
    trial: Trial,
    data: Sequence[Dataset],
    checkpoints: Checkpoints | None,
    until: int | None,
) -> Iterator[Outcome]:
    """What `outcomes_of` does, noted in a file of this process in *traces*."""
    obey(full)
    saved = checkpoints.latest(trial.id) if checkpoints else None
    with open(f"{traces}/{os.getpid()}", "a", buffering=1, encoding="utf-8") as trace:

        def note(event: str, task: int) -> None:
            trace.write(f"{time.time():.3f} {event} {trial.id} {trial.method} {task}\n")

        note("learning", len(saved.reports) - 1 if saved else 0)
        for outcome in outcomes_of(trial, data, checkpoints, until):
            task = len(outcome.reports) - 2
            if outcome.trouble:
                note("trouble", task)
            note("learned" if outcome.status in {RUNNING, COMPLETE} else outcome.status, task)
            yield outcome
            note("learning", task + 1)


def obey(full: str) -> None:
    """Let nothing be written in this process while the file *full* exists, if it is named."""
    write = Folder.write
    if not full or hasattr(write, "__wrapped__"):
        return

    @wraps(write)
    def refusing(self: Folder, name: str, content: Any) -> None:
        if os.path.exists(full):
            raise StoreError(f"cannot write {self}/{name}: {os.strerror(errno.ENOSPC)}")
        write(self, name, content)

    patch.object(Folder, "write", refusing).start()


def main() -> None:
    """Run the command line after the folder of the traces and the stub's file, or an empty word for none."""
    # A driver never outlives the benchmark, however that ends.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _, traces, full, *arguments = sys.argv
    sys.argv = ["clsweep", *arguments]
    if "--local" not in arguments:
        from orchestrator import on_ray  # noqa: PLC0415 - the undisturbed run does without Ray

        obey(full)
        observed = partial(on_ray.run_on_ray, run=partial(watched, traces, full))
        patch.object(on_ray, "run_on_ray", observed).start()
    cli.main()


if __name__ == "__main__":
    main()
