"""A trial's course: learn a stream's tasks in order, and after each score the model on all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from cl.batch import Batch
from cl.building import make_model
from cl.methods.base import Diagnostics, Method
from cl.registry import ModelSettings, TrainSettings
from cl.streams import Examples, Stream
from cl.trainer import Trainer

Result = TypeVar("Result")


@dataclass(frozen=True)
class Score:
    """The accuracy on one task's examples; None where the model has no output for the task."""

    task: int
    split: str
    accuracy: float | None
    n: int


@dataclass(frozen=True)
class TaskReport:
    """What is known once a task has been learned; task -1 stands for the untrained model.

    Attributes:
        task: the task just learned.
        scores: on every task, seen or not: a column of the accuracy matrix.
        first_epoch_accuracy: test accuracy on the task (without test examples, validation accuracy) after the
            first pass over its data, or after all steps if fewer.
        train_s, eval_s: seconds.
        steps: optimiser steps of this task.
        examples, passes: examples that gradients were computed of, and in how many passes.
        loss: mean training loss of the last epoch, None for the untrained model.
        parameters: of the model, all heads so far included.
        diagnostics: what the method says of itself.
    """

    task: int
    scores: tuple[Score, ...]
    first_epoch_accuracy: float | None = None
    train_s: float = 0.0
    eval_s: float = 0.0
    steps: int = 0
    examples: int = 0
    passes: int = 0
    loss: float | None = None
    parameters: int = 0
    diagnostics: Diagnostics = field(default_factory=dict)

    @property
    def n_tasks(self) -> int:
        """Number of tasks of the stream."""
        return len({score.task for score in self.scores})


def make_trainer(
    stream: Stream,
    method: Method,
    *,
    model: ModelSettings,
    train: TrainSettings,
    seed: int,
    device: str = "cpu",
) -> Trainer:
    """A trainer for *stream*, before its first task."""
    return Trainer(
        make_model(model, stream),
        method,
        train,
        outputs=stream.outputs,
        seed=seed,
        scale=stream.scale,
        shift=stream.shift,
        device=device,
    )


def learn(
    stream: Stream,
    method: Method,
    *,
    model: ModelSettings,
    train: TrainSettings,
    seed: int,
    device: str = "cpu",
) -> Iterator[TaskReport]:
    """Learn the tasks of *stream* in order, yielding a report before the first and after each.

    The caller decides what happens between tasks: it may record, stop, or go on.

    Raises:
        Diverged: the loss, a weight or the norm of a gradient that is to be clipped is not finite.
    """
    trainer = make_trainer(stream, method, model=model, train=train, seed=seed, device=device)
    yield score_untrained(trainer, stream)
    for task in range(stream.n_tasks):
        yield learn_task(trainer, stream, task)


def score_untrained(trainer: Trainer, stream: Stream) -> TaskReport:
    """Score the untrained model, which already has the outputs of task 0, on every task."""
    trainer.learner.begin_task(0)
    clock = _Clock()
    scores = clock.evaluating(lambda: evaluate(trainer, stream))
    return TaskReport(-1, scores, eval_s=clock.eval_s, parameters=len(trainer.learner.theta))


def learn_task(trainer: Trainer, stream: Stream, task: int) -> TaskReport:
    """Train on *task*, let the method consolidate, and score the model on every task."""
    clock = _Clock()
    learner = trainer.learner
    data, *more = (_examples(stream.train(k), k) for k in trainer.method.trains_on(task))
    data = data.joined(*more)
    first: float | None = None
    for loss in trainer.epochs(task, data):  # noqa: B007 - the last one is reported
        if first is None:
            score = clock.evaluating(lambda: _score(trainer, stream, task, stream.splits[0]))
            first = score.accuracy
    trainer.consolidate(task, data)
    clock.stop_training()
    scores = clock.evaluating(lambda: evaluate(trainer, stream))
    return TaskReport(
        task,
        scores,
        first_epoch_accuracy=first,
        train_s=clock.train_s,
        eval_s=clock.eval_s,
        steps=learner.step,
        examples=learner.examples,
        passes=learner.passes,
        loss=loss,
        parameters=len(learner.theta),
        diagnostics=trainer.method.diagnostics(learner),
    )


class _Clock:
    """Tells training from evaluation, which may fall into it."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self.train_s = self.eval_s = 0.0

    def evaluating(self, evaluate: Callable[[], Result]) -> Result:
        """What *evaluate* returns; its time counts as evaluation."""
        start = time.perf_counter()
        result = evaluate()
        self.eval_s += time.perf_counter() - start
        return result

    def stop_training(self) -> None:
        """Everything so far that was not evaluation was training."""
        self.train_s = time.perf_counter() - self._start - self.eval_s


def evaluate(trainer: Trainer, stream: Stream) -> tuple[Score, ...]:
    """Score the model on every task's examples of each split that the stream is scored on."""
    return tuple(
        _score(trainer, stream, task, split) for task in range(stream.n_tasks) for split in stream.splits
    )


def _score(trainer: Trainer, stream: Stream, task: int, split: str) -> Score:
    examples = stream.scored(split, task)
    accuracy = trainer.evaluate(task, _examples(examples, task), stream.outputs[task])
    return Score(task, split, accuracy, len(examples.y))


def _examples(examples: Examples, task: int) -> Batch:
    return Batch(examples.x, examples.y, task)
