"""The pictures of a run, as files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.showing import shown
from results import plots
from results.store import Store


class NothingToDraw(Exception):  # noqa: N818 - reads as what happened
    """A run has no picture yet; ``str(error)`` says so."""


@dataclass(frozen=True)
class NotDrawn:
    """A picture that a run does not support; ``str`` of it is a line for people."""

    picture: str
    reason: str

    def __str__(self) -> str:
        """Which picture, and why."""
        return f"not drawn: {self.picture}: {self.reason}"


def plotted(
    store: Store,
    folder: Path,
    *,
    everything: bool = False,
    level: float = 0.95,
    named: Sequence[str] = (),
) -> Iterator[Path | NotDrawn]:
    """Draw everything that the run in *store* supports into *folder*; yield each file once it is there.

    What it does not support is yielded as `NotDrawn`. *everything* adds the trials of earlier settings,
    *level* is that of the intervals, and *named* holds labels of lines that stand for their methods in
    comparisons.

    Raises:
        NothingToDraw: no trial is complete and nothing was searched.
        NoSuchCell: nothing is called as one of *named*.
        StoreError: the run cannot be read.
        OSError: a file cannot be written.
    """
    run = shown(store, everything=everything, level=level)
    found = plots.pictures(replace(run.sweep, named=tuple(named)), run.studies)
    if not any(picture.draw for picture in found):
        raise NothingToDraw(f"{store.root}: no trial is complete, so there is nothing to draw")
    for picture in found:
        if picture.draw is None:
            yield NotDrawn(picture.name, picture.reason)
        else:
            yield from plots.save(picture.draw(), folder, picture.name)
