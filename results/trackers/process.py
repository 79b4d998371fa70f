"""Tools that are run in a process of their own, with nothing on the console and no word to the network.

To import MLflow or W&B changes a process: import hooks, handlers of logs and exits, a service, and for MLflow
a thread that reports how it is used. In a process of their own all of that ends with the export.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from results.storage import StoreError, reason

__all__ = ["NotInstalled", "done_apart", "explained", "needs"]


class NotInstalled(Exception):  # noqa: N818 - reads as what is the matter
    """A tool's library is not there; ``str(error)`` says what to install."""


def needs(module: str, *, extra: str) -> None:
    """See that *module* can be imported.

    Raises:
        NotInstalled: it cannot.
    """
    spec = find_spec(module)
    # A folder of that name that is no package, as W&B leaves one, would be found as well, but has no origin.
    if spec is None or spec.origin is None:
        raise NotInstalled(f"{module} is not installed; pip install 'clsweep[{extra}]' installs it")


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn an error of the file system into a `StoreError` that names *folder*."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot write {folder}: {reason(error)}") from error


def done_apart(
    script: Path, request: Mapping[str, Any], folder: Path, *, own: str, settings: Mapping[str, str]
) -> dict[str, Any]:
    """What *script* answers to *request*; both are JSON, its answer the last line that it prints.

    Args:
        script: a file of Python that needs nothing of ours.
        request: what it reads.
        folder: where it writes, and the current folder while it does.
        own: how the names of the tool's variables of the environment begin: those of the user, which are made
            for other runs, are kept from it.
        settings: the variables that it gets instead.

    Raises:
        StoreError: it failed; the message ends with the reason that it gave.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    done = subprocess.run(  # noqa: S603 - this very Python with a file of this package
        # -P: a folder "wandb" where the user happens to be must not stand for the library.
        [sys.executable, "-P", "-W", "ignore", str(script)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        cwd=folder,
        env={**environment, **settings},
        check=False,
    )
    if done.returncode:
        raise StoreError(f"cannot write {folder}: {_cause(done.stderr) or f'exit code {done.returncode}'}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _cause(stderr: str) -> str:
    r"""The line of a traceback that says what was wrong.

    >>> _cause("Traceback (most recent call last):\n  ...\nLocked: the database is locked\n(more on the web)")
    'Locked: the database is locked'
    """
    lines = [line for line in stderr.splitlines() if re.match(r"[A-Za-z_][\w.]*: ", line)]
    return (lines or stderr.splitlines() or [""])[-1]
