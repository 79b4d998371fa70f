"""Which code a command was started with: the commit of the git work tree around it, and what differs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from results.storage import Folder

# A work tree may be huge, or on a disk that does not answer.
WITHIN_S = 5.0

# Nobody is asked for a password, and objects that a partial clone lacks are not fetched.
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}


class WorkTree(NamedTuple):
    """The state of a git work tree; all None where there is none, no commit, no git, or no answer in time."""

    commit: str | None = None
    """What is checked out, as a hash."""
    dirty: bool | None = None
    """Whether a file differs from it: changed, staged, or untracked and not ignored."""


def of_the_command(root: Folder) -> WorkTree:
    """The work tree that this process was started in, without the run in *root* and what is beside it.

    Where that would leave out the current folder too, only *root* does not count.
    """
    try:
        here = Path.cwd()
    except OSError:  # somebody has removed it
        return WorkTree()
    if not root.is_local:
        return work_tree(here)
    beside = Path(root.parent.path)
    return work_tree(here, [Path(root.path) if here.is_relative_to(beside.resolve()) else beside])


def work_tree(folder: Path, outputs: Iterable[Path] = ()) -> WorkTree:
    """The work tree that *folder* is in. Never raises `Exception`, and changes nothing.

    Untracked files count, since a commit does not hold a plug-in or a spec that was never added. So does the
    whole tree, whichever folder of it *folder* is. What lies in *outputs* does not.
    """
    found = _git(folder, "rev-parse", "--show-toplevel", "HEAD")
    if found is None:
        return WorkTree()
    top, _, commit = os.fsdecode(found).rstrip("\n").rpartition("\n")
    left_out = [f":(exclude,literal){path}" for path in sorted(_within(Path(top), outputs))]
    changes = _git(Path(top), "status", "--porcelain", "--untracked-files=normal", "--", ".", *left_out)
    return WorkTree(commit, None if changes is None else bool(changes))


def _within(top: Path, paths: Iterable[Path]) -> set[str]:
    """Those of *paths* below *top*, relative to it; a link as itself and as what it leads to."""
    names = {Path(place(path)) for path in paths for place in (os.path.abspath, os.path.realpath)}
    return {str(name.relative_to(top)) for name in names if top in name.parents}


def _git(folder: Path, *arguments: str) -> bytes | None:
    """What git prints in *folder*; None if it fails."""
    git = shutil.which("git")
    if git is None:
        return None
    # Without locks, which would be in the way of the user's own git, and without a monitor, which would stay.
    command = [git, "--no-optional-locks", "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - git as the user has it, with arguments that no shell reads
            command,
            cwd=folder,
            env=os.environ | _QUIET,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=WITHIN_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None
