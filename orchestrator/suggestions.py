"""Gives Ray Tune the pieces of a source, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune.search import Searcher

from orchestrator.pieces import Piece, Source


class Suggestions(Searcher):
    """What Tune asks for configurations.

    It is not told results: the source hears of them where all rows arrive.

    Args:
        source: says what is to run.
        leave: is told of trials that are given up.
        words: spells a piece as a configuration.
    """

    def __init__(
        self, source: Source, leave: Callable[[Any], None], words: Callable[[Piece], dict[str, str]]
    ) -> None:
        super().__init__(metric="tasks_learned", mode="max")
        self._source = source
        self._leave = leave
        self._words = words
        self._live: set[str] = set()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Be nothing in Tune's own snapshots, from which nothing is ever resumed."""
        return Searcher, ()

    def set_search_properties(self, *_: Any, **__: Any) -> bool:
        """Tune has no say in what is searched."""
        return True

    def suggest(self, trial_id: str) -> dict[str, str] | str | None:  # type: ignore[override]  # FINISHED is text, as Tune has it
        """The next configuration; None while it depends on results that are not in.

        If nothing is at work, they will not come, since Tune has dropped a trial without an end: what is
        left is for the next round.
        """
        for trial in self._source.leaving():
            self._leave(trial)
        if self._source.finished:
            return Searcher.FINISHED
        piece = self._source.next()
        if piece is None:
            return None if self._live else Searcher.FINISHED
        self._live.add(trial_id)
        return self._words(piece)

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Take note that a trial is no more at work, for whatever reason."""
        del result, error
        self._live.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: nothing is ever restored."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing."""
