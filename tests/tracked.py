"""A trial as tracking tools are told of it, made by hand, at three times of its life."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from results.trackers.logged import LoggedStep, LoggedTrial

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def step(after_task: int, *accuracies: float, start: datetime = START) -> LoggedStep:
    """What was measured after a task, two seconds per task."""
    values = {f"accuracy/task_{task}": accuracy for task, accuracy in enumerate(accuracies)}
    return LoggedStep(
        after_task, start + timedelta(seconds=2 * after_task + 2), {**values, "task/loss": 0.25}
    )


RUNNING = LoggedTrial(
    trial_id="aaaa",
    sweep="digits",
    name="class-il/split-digits/ewc lambda=10/seed 3",
    group="class-il/split-digits/ewc lambda=10",
    status="running",
    start=START,
    end=None,
    last_task=1,
    params={
        "scenario": "class-il/split-digits",
        "method": "ewc",
        "seed": 3,
        "ewc.lambda": 10.0,
        "train.reset": True,
    },
    tags={"trial_id": "aaaa", "status": "running", "host": "node|7", "git_commit": "c0ffee"},
    steps=[step(0, 0.75, 0.125)],
    final={},
)
"""After the first of two tasks."""

COMPLETE = replace(
    RUNNING,
    status="complete",
    end=START + timedelta(seconds=5),
    tags={**RUNNING.tags, "status": "complete"},
    steps=[step(0, 0.75, 0.125), step(1, 0.5, 1.0)],
    final={"acc": 0.75, "bwt": -0.25, "wall_s": 5.0},
)
"""The same trial, over."""

LATER = START + timedelta(hours=1)

ANEW = replace(
    COMPLETE,
    start=LATER,
    end=LATER + timedelta(seconds=5),
    steps=[step(0, 0.875, 0.25, start=LATER), step(1, 0.625, 1.0, start=LATER)],
    final={"acc": 0.8125, "bwt": -0.25, "wall_s": 5.0},
)
"""The same trial after it was run anew, an hour later, with other numbers."""

DIVERGED = replace(
    COMPLETE,
    trial_id="bbbb",
    name="class-il/split-digits/ewc lambda=1000/seed 3",
    group="class-il/split-digits/ewc lambda=1000",
    status="diverged",
    params={**RUNNING.params, "ewc.lambda": 1000.0},
    tags={**RUNNING.tags, "trial_id": "bbbb", "status": "diverged", "error_cause": "the loss is inf"},
    steps=[step(0, 0.75, 0.125)],
    final={"wall_s": 5.0},
)
"""Another one, which diverged in its second task."""
