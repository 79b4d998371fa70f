"""What is to run: trials, or the first tasks of them, known before or decided while others run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from sweeps.trials import Trial


class Piece(NamedTuple):
    """A trial that is to run, to its end or until it has learned so many tasks."""

    trial: Trial
    until: int | None = None


class Source(Protocol):
    """Says what is to run next, by what has run."""

    @property
    def finished(self) -> bool:
        """Whether nothing is to run any more."""

    @property
    def trials(self) -> Sequence[Trial]:
        """One of every kind that may come: what they need is made ready before the first one runs."""

    def next(self) -> Piece | None:
        """The next piece; None while what comes next depends on pieces that still run."""

    def again(self) -> None:
        """Hand out once more what was handed out and has not ended."""

    def leaving(self) -> Sequence[Trial]:
        """The trials that were given up since the last time, unfinished as they are."""
