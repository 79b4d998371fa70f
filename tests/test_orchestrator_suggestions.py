"""What Ray Tune is given of a source, one piece at a time."""

from __future__ import annotations

from collections import deque

import pytest
from made import trial
from ray.tune.search import Searcher

from orchestrator.pieces import Piece
from orchestrator.suggestions import Suggestions


class Given:
    """A source of the trials that it is given."""

    def __init__(self, *trials):
        self.queue, self.out, self.left, self.trials = deque(trials), [], [], trials

    @property
    def finished(self):
        """Whether nothing is left."""
        return not self.queue and not self.out

    def next(self):
        """The next one, if there is any."""
        if not self.queue:
            return None
        self.out.append(self.queue.popleft())
        return Piece(self.out[-1])

    def leaving(self):
        """Those in `left`, once."""
        left, self.left = self.left, []
        return left


@pytest.fixture
def source():
    return Given(trial(seed=0), trial(seed=1))


@pytest.fixture
def told():
    return []


@pytest.fixture
def suggestions(source, told):
    return Suggestions(source, told.append, lambda piece: {"trial": str(piece.trial.seed)})


def test_pieces_come_one_after_the_other_then_none_until_results_are_in_then_the_end(source, suggestions):
    assert [suggestions.suggest(name) for name in "abc"] == [{"trial": "0"}, {"trial": "1"}, None]
    source.out.clear()
    assert suggestions.suggest("c") == Searcher.FINISHED


def test_a_round_ends_if_nothing_is_at_work_that_could_bring_the_missing_results(source, suggestions):
    for name in "ab":
        suggestions.suggest(name)
    suggestions.on_trial_complete("a", error=True)
    assert suggestions.suggest("c") is None
    suggestions.on_trial_complete("b", error=True)
    assert suggestions.suggest("c") == Searcher.FINISHED
    assert not source.finished


def test_trials_that_are_given_up_are_named_before_anything_else_is_suggested(source, suggestions, told):
    source.left = [trial(seed=7)]
    suggestions.suggest("a")
    suggestions.suggest("b")
    assert [each.seed for each in told] == [7]
