"""The one training loop: learn a stream's tasks in order, and after each score the model on all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from cl.learner import Batch, Diverged, Learner
from cl.methods import Method
from cl.pool import Pool
from cl.randomness import generator
from cl.registry import ModelSettings, TrainSettings
from cl.streams import Examples, Stream

# Rows scored at once: large enough to be fast, small enough to stay in the processor's cache.
EVALUATION_BATCH = 1000


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
        train_s, eval_s: seconds.
        steps: optimiser steps of this task.
        loss: mean training loss of the last epoch, None for the untrained model.
        parameters: of the model, all heads so far included.
        diagnostics: what the method says of itself.
    """

    task: int
    scores: tuple[Score, ...]
    train_s: float = 0.0
    eval_s: float = 0.0
    steps: int = 0
    loss: float | None = None
    parameters: int = 0
    diagnostics: dict[str, float | int] = field(default_factory=dict)

    @property
    def n_tasks(self) -> int:
        """Number of tasks of the stream."""
        return sum(score.split == "test" for score in self.scores)


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
    learner = Learner(stream, model, train, seed=seed, device=torch.device(device))
    start = time.perf_counter()
    scores = evaluate(learner, stream)
    yield TaskReport(-1, scores, eval_s=time.perf_counter() - start, parameters=len(learner.theta))
    for task in range(stream.n_tasks):
        yield learn_task(learner, stream, method, task)


def learn_task(learner: Learner, stream: Stream, method: Method, task: int) -> TaskReport:
    """Train on *task*, let the method consolidate, and score the model on every task."""
    start = time.perf_counter()
    method.begin_task(learner, task)
    data = method.training_data(stream, task).to(learner.device)
    steps, loss = _train(learner, method, data)
    method.consolidate(learner, data)
    trained = time.perf_counter()
    scores = evaluate(learner, stream)
    return TaskReport(
        task,
        scores,
        train_s=trained - start,
        eval_s=time.perf_counter() - trained,
        steps=steps,
        loss=loss,
        parameters=len(learner.theta),
        diagnostics=method.diagnostics(),
    )


def _train(learner: Learner, method: Method, data: Batch) -> tuple[int, float]:
    """Take the task's steps; return their number and the mean loss of the last epoch."""
    losses: list[float] = []
    pool = Pool(learner, data, method.remembered())
    for index in _batches(learner.train, data, generator(learner.seed, "batches", learner.task)):
        batch = pool.batch(index, method.draw(index.shape[0]))
        loss = method.gradient(learner, batch).item()
        if not math.isfinite(loss):
            raise Diverged(f"the loss was {loss} at step {len(losses)} of task {learner.task}")
        learner.update(batch.task)
        losses.append(loss)
    if not learner.theta.isfinite().all():
        raise Diverged(f"a weight was not finite after task {learner.task}")
    last = losses[-_steps_per_epoch(learner.train, data) :]
    return len(losses), sum(last) / len(last)


def _steps_per_epoch(train: TrainSettings, data: Batch) -> int:
    return math.ceil(len(data) / train.batch_size)


def planned_steps(train: TrainSettings, examples: int, tasks: int = 1) -> int:
    """Optimiser steps on *examples* training examples that come from *tasks* tasks."""
    if train.iterations is not None:
        return train.iterations * tasks
    assert train.epochs is not None
    return train.epochs * math.ceil(examples / train.batch_size)


def _batches(train: TrainSettings, data: Batch, random: torch.Generator) -> Iterator[Tensor]:
    """Indices of the mini-batches: every epoch a new order, a partial last batch kept."""
    tasks = 1 if isinstance(data.task, int) else len(data.task.unique())
    left = planned_steps(train, len(data), tasks)
    while left:
        for index in torch.randperm(len(data), generator=random).split(train.batch_size)[:left]:
            yield index
            left -= 1


def evaluate(learner: Learner, stream: Stream) -> tuple[Score, ...]:
    """Score the model on the test examples of every task, and on the validation examples if there are any."""
    scores = []
    for task in range(stream.n_tasks):
        scores.append(_score(learner, stream.test(task), task, "test", stream.outputs[task]))
        validation = stream.validation(task)
        if len(validation.y):
            scores.append(_score(learner, validation, task, "val", stream.outputs[task]))
    return tuple(scores)


def _score(learner: Learner, examples: Examples, task: int, split: str, outputs: int) -> Score:
    n = len(examples.y)
    if not learner.model.can_answer(task, int(examples.y.max())):
        return Score(task, split, None, n)
    correct = 0
    for x, y in zip(examples.x.split(EVALUATION_BATCH), examples.y.split(EVALUATION_BATCH), strict=True):
        predicted = learner.model.predict(learner.inputs(x.to(learner.device)), task, outputs)
        correct += int((predicted == y.to(learner.device)).sum())
    return Score(task, split, correct / n, n)
