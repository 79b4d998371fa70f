"""TensorBoard: an event file per trial, written whole or lengthened, for its scalars, texts and HPARAMS."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from results.storage import Folder
from results.trackers.logged import Exported, LoggedTrial
from results.trackers.process import explained, needs

__all__ = ["write_tensorboard"]

_EVENTS = "events.out.tfevents"


def write_tensorboard(trials: Sequence[LoggedTrial], folder: Path) -> Exported:
    """Write *trials* below *folder*, which is what ``tensorboard --logdir`` then opens.

    The same trials give the same bytes. A trial of which there is more is written on at the end of its file,
    so that a TensorBoard that has it open sees it; otherwise its file is replaced. Files of other trials, and
    of other programs, stay as they are.

    Raises:
        NotInstalled: TensorBoard's library is not there.
        StoreError: a file cannot be written.
    """
    needs("tensorboard", extra="tensorboard")
    from results.trackers import events  # noqa: PLC0415 - it imports TensorBoard, which may not be there

    with explained(folder):
        there = _event_files(folder)
        counts = Counter(new=0, changed=0, unchanged=0)
        for trial in trials:
            name = f"{_EVENTS}.{round(trial.start.timestamp() * 1e6)}.{trial.trial_id}"
            path = folder / _as_path(trial.name) / name
            written = _put(path, events.of_trial(trial))
            earlier = there[trial.trial_id] - {path}
            for old in earlier:  # of an earlier attempt, or from before another value varied
                _remove(old, folder)
            counts["changed" if earlier else written] += 1
        if trials:
            _put(folder / f"{_EVENTS}.0.experiment", events.of_sweep(trials))
    return Exported(str(folder), **counts)


def _event_files(folder: Path) -> defaultdict[str, set[Path]]:
    """The event files below *folder* by the last part of their name, in ours the trial."""
    found: defaultdict[str, set[Path]] = defaultdict(set)
    for path in folder.rglob(f"{_EVENTS}.*.*"):
        found[path.name.rpartition(".")[2]].add(path)
    return found


def _as_path(name: str) -> Path:
    """The name of a trial as a path: a name may hold characters that a file system does not take.

    >>> str(_as_path("class-il/split-digits/ewc fisher=a?b/seed 0"))
    'class-il/split-digits/ewc fisher=a_b/seed 0'
    """
    parts = (re.sub(r"[^\w .,=+\[\]()-]", "_", part) for part in name.split("/"))
    return Path(*(part if part.strip(". ") else "_" for part in parts))


def _put(path: Path, content: bytes) -> str:
    """Make *content* that of the file: ``new``, ``changed`` or ``unchanged``."""
    try:
        old = path.read_bytes()
    except FileNotFoundError:
        Folder.at(path.parent).write(path.name, content)
        return "new"
    if old == content:
        return "unchanged"
    if old and content.startswith(old):
        # TensorBoard keeps the file open and waits for whole records.
        with path.open("ab") as sink:
            sink.write(content[len(old) :])
    else:
        Folder.at(path.parent).write(path.name, content)
    return "changed"


def _remove(path: Path, folder: Path) -> None:
    """Remove the file, and what folders it leaves empty below *folder*."""
    path.unlink(missing_ok=True)
    with suppress(OSError):  # a folder that is not empty
        for parent in path.parents:
            if parent == folder:
                break
            parent.rmdir()
