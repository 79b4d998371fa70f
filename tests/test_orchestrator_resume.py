"""A trial that is interrupted after a task and goes on later equals one that was not disturbed."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest
from made import trial

from cl.datasets import load
from cl.registry import KINDS, METHODS
from orchestrator.checkpoints import Checkpoints
from orchestrator.outcome import outcomes_of
from results.storage import Folder
from sweeps.trials import Trial

TASKS = 3
PAIRS = [
    (method, kind)
    for method in METHODS
    for kind in KINDS
    if kind == "task-il" or method not in {"pnn", "packnet"}  # which need task ids
]


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(Folder.at(tmp_path / "checkpoints"), every_s=0)


def of(method: str, kind: str) -> Trial:
    return trial(method, label=f"{kind}/split-digits", tasks=TASKS, iterations=5, lr=0.1, val_share=0.1)


def untimed(outcome):
    """All that an outcome says but how long things took."""
    reports = [replace(report, train_s=0.0, eval_s=0.0) for report in outcome.reports]
    return outcome.status, outcome.cause, reports


@pytest.mark.parametrize(("method", "kind"), PAIRS)
def test_every_method_goes_on_bit_for_bit_where_it_was_interrupted(method, kind, checkpoints):
    digits, one = [load("digits")], of(method, kind)
    undisturbed = list(outcomes_of(one, digits))
    assert len(undisturbed) == TASKS
    for learned in range(1, TASKS):  # each process ends after one more task
        [last] = islice(outcomes_of(one, digits, checkpoints), 1)
        assert untimed(last) == untimed(undisturbed[learned - 1])
    rest = list(outcomes_of(one, digits, checkpoints))
    assert [untimed(each) for each in rest] == [untimed(undisturbed[-1])]


def test_a_trial_without_a_checkpoint_starts_over(checkpoints):
    digits, one = [load("digits")], of("naive", "class-il")
    [first] = islice(outcomes_of(one, digits), 1)
    assert not first.checkpoint
    assert len(list(outcomes_of(one, digits, checkpoints))) == TASKS


def test_a_checkpoint_that_cannot_be_written_is_said_and_stops_nothing(tmp_path):
    (tmp_path / "checkpoints").write_text("a file where a folder should be")
    checkpoints = Checkpoints(Folder.at(tmp_path / "checkpoints"), every_s=0)
    outcomes = list(outcomes_of(of("naive", "class-il"), [load("digits")], checkpoints))
    assert [outcome.status for outcome in outcomes] == ["running", "running", "complete"]
    assert all("cannot write" in outcome.trouble for outcome in outcomes[:2])
    assert not any(outcome.checkpoint for outcome in outcomes)


def test_after_the_last_task_nothing_is_saved(checkpoints):
    one = of("naive", "class-il")
    list(outcomes_of(one, [load("digits")], checkpoints))
    [last] = (checkpoints.folder / one.id).entries()
    assert last.name.startswith(f"{TASKS - 2:06d}-")
