"""Keeps Ray's chatter out of the way: the process's output goes to a file, ours to the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from results.storage import Folder, StoreError


@contextmanager
def chatter_to(log: Path) -> Iterator[Console]:
    """Send everything this process writes to *log* until the block ends; yield a console that still speaks.

    Redirects the file descriptors, since part of Ray writes to them from C++.

    Raises:
        StoreError: *log* cannot be written.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    except OSError as error:
        raise StoreError(f"cannot write {log}: {error.strerror or error}") from error
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with log.open("ab") as sink, os.fdopen(os.dup(saved[0]), "w", encoding="utf-8") as terminal:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
        try:
            yield Console(file=terminal)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, original in enumerate(saved, start=1):
                os.dup2(original, number)
                os.close(original)


def ray_log(run: Folder) -> Path:
    """Where Ray's own messages go: into *run*, or a folder of its name if that is not on this machine."""
    folder = Path(run.name) if run.is_local else Path("runs") / run.path.rpartition("/")[2]
    return folder / "ray.log"
