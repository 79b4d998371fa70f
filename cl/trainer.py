"""The one training loop: a model learns tasks by a method."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from cl.batch import Batch
from cl.learner import Diverged, Learner
from cl.methods.base import Method
from cl.model import Model
from cl.randomness import generator
from cl.registry import TrainSettings

# Rows scored at once: large enough to be fast, small enough to stay in the processor's cache.
EVALUATION_BATCH = 1000

Data = Batch | tuple[Tensor, Tensor] | Iterable[tuple[Tensor, Tensor]]
"""Examples as a batch, as tensors (x, y), or as anything that yields such pairs, like a DataLoader."""


class Trainer:
    """Trains a model on one task after the other.

    For each task in turn: `train_task`, `consolidate`, then `evaluate` on whatever tasks there are.

    Args:
        model: the network, without any training.
        method: how forgetting is fought.
        train: the settings of the loop.
        outputs: the outputs that each task brings (as `cl.streams.Stream.outputs`); by default those that
            its labels need beyond what the model has.
        seed: of the batches and of the method's draws.
        scale, shift: the model's input is ``x.float() * scale - shift``.
        device: where to train.

    >>> from cl.methods import EWC
    >>> from cl.models import DomainMLP
    >>> trainer = Trainer(DomainMLP(4, [8], 2), EWC(lambda_=10.0), TrainSettings(epochs=50, lr=0.1))
    >>> x, y = torch.eye(4), torch.tensor([0, 1, 0, 1])
    >>> loss = trainer.train_task(0, (x, y))
    >>> trainer.consolidate(0, (x, y))
    >>> trainer.evaluate(0, (x, y))
    1.0
    """

    def __init__(
        self,
        model: Model,
        method: Method,
        train: TrainSettings | None = None,
        *,
        outputs: Sequence[int] = (),
        seed: int = 0,
        scale: float = 1.0,
        shift: float = 0.0,
        device: str = "cpu",
    ) -> None:
        self.learner = Learner(
            model,
            train or TrainSettings(),
            list(outputs),
            seed=seed,
            scale=scale,
            shift=shift,
            device=torch.device(device),
        )
        self.method = method
        self._unconsolidated: int | None = None

    @property
    def model(self) -> Model:
        """The network."""
        return self.learner.model

    def train_task(self, task: int, data: Data) -> float:
        """Train on *data*, the examples of *task*; return the mean loss of the last epoch.

        Raises:
            ValueError: an earlier task is missing or was not consolidated, or the model has no output for a
                label.
            Diverged: the loss, a weight or the norm of a gradient that is to be clipped is not finite.
        """
        *_, loss = self.epochs(task, data)
        return loss

    def epochs(self, task: int, data: Data) -> Iterator[float]:
        """Train on *task* and yield the mean loss of the last epoch's steps after each pass over *data*.

        Raises:
            Diverged: as `train_task`.
        """
        learner = self.learner
        if self._unconsolidated not in {None, task}:
            raise ValueError(
                f"task {self._unconsolidated} was not consolidated yet; do so before task {task}"
            )
        examples = as_batch(data, task).to(learner.device)
        self._give_outputs(task, int(examples.y.max()))
        self._unconsolidated = task
        self.method.begin_task(learner, examples)
        tasks = 1 if isinstance(examples.task, int) else len(examples.task.unique())
        learner.steps = planned_steps(learner.train, len(examples), tasks)
        losses: list[float] = []
        for order in _orders(len(examples), generator(learner.seed, "batches", task)):
            pieces = order.split(learner.train.batch_size)
            losses += [self._step(examples, index) for index in pieces[: learner.steps - learner.step]]
            if not learner.theta.isfinite().all():
                raise Diverged(f"a weight was not finite in task {task}")
            last = losses[-len(pieces) :]
            yield sum(last) / len(last)
            if learner.step == learner.steps:
                return

    def _give_outputs(self, task: int, largest_label: int) -> None:
        learner = self.learner
        if not 0 <= task <= len(learner.outputs):
            raise ValueError(f"task {len(learner.outputs)} comes next, not {task}")
        if task == len(learner.outputs):
            learner.outputs.append(learner.model.outputs_for(largest_label))
        learner.begin_task(task)
        if not learner.model.can_answer(task, largest_label):
            raise ValueError(
                f"task {task} has labels up to {largest_label}, and the model {learner.model.outputs} outputs"
            )

    def _step(self, data: Batch, index: Tensor) -> float:
        learner = self.learner
        loss = self.method.gradient(learner, data, index).item()
        if not math.isfinite(loss):
            raise Diverged(f"the loss was {loss} at step {learner.step} of task {learner.task}")
        learner.update()
        self.method.after_step(learner)
        return loss

    def consolidate(self, task: int, data: Data) -> None:
        """Let the method keep what later tasks must know of *task*, which was learned from *data*.

        Raises:
            ValueError: another task was trained last, or *task* was not trained since it was consolidated.
        """
        if self._unconsolidated is None:
            raise ValueError(f"nothing was trained that is not consolidated; train task {task} first")
        if task != self._unconsolidated:
            raise ValueError(
                f"task {self._unconsolidated} was trained last; it must be consolidated, not {task}"
            )
        self.method.consolidate(self.learner, as_batch(data, task).to(self.learner.device))
        self._unconsolidated = None

    def evaluate(self, task: int, data: Data, outputs: int | None = None) -> float | None:
        """The accuracy on *data*, examples of *task*; None where the model has no output for it.

        *outputs* is the width of a head that *task* does not have yet; by default what its labels need.
        """
        examples, learner = as_batch(data, task), self.learner
        largest = int(examples.y.max())
        if not learner.model.can_answer(task, largest):
            return None
        width = outputs or learner.model.outputs_for(largest)
        correct = 0
        with self.method.answering(learner, task):
            for x, y in zip(
                examples.x.split(EVALUATION_BATCH), examples.y.split(EVALUATION_BATCH), strict=True
            ):
                predicted = learner.model.predict(learner.inputs(x.to(learner.device)), task, width)
                correct += int((predicted == y.to(learner.device)).sum())
        return correct / len(examples)

    def state(self) -> dict[str, Any]:
        """Everything that training changed, as tensors and plain values, to be saved between two tasks.

        The tensors are the live ones: save or copy them before training goes on. Random numbers need no
        state: those of every task come from a stream of their own.

        Raises:
            ValueError: the last task was not consolidated yet.
        """
        if self._unconsolidated is not None:
            raise ValueError(f"task {self._unconsolidated} was not consolidated yet; do so, then save")
        return {
            "learner": self.learner.state(),
            "method": self.method.state(),
            "of": type(self.method).__name__,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue after the task at whose end *state* was taken, bit for bit as if nothing had happened.

        Raises:
            ValueError: *state* is of another method.
        """
        if state["of"] != type(self.method).__name__:
            raise ValueError(f"the state is of {state['of']}, not of {type(self.method).__name__}")
        self.learner.load_state(state["learner"])
        self.method.load_state(state["method"])
        self._unconsolidated = None


def as_batch(data: Data, task: int) -> Batch:
    """*data* as one batch of flat examples of *task*.

    Raises:
        ValueError: there is no example, or the labels are not a whole number from 0 for each.
    """
    if isinstance(data, Batch):
        return data
    if not isinstance(data, tuple):
        parts = list(data) or [(torch.zeros(0), torch.zeros(0))]
        data = torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])
    x, y = data
    if not len(x):
        raise ValueError(f"there are no examples of task {task}; an iterator that was read once is empty")
    if y.shape != x.shape[:1] or y.is_floating_point() or int(y.min()) < 0:
        raise ValueError(
            f"labels must be whole numbers from 0, one for each of {len(x)} examples of task {task}; "
            f"these are {y.dtype} of shape {tuple(y.shape)}" + (f", from {y.min()}" if y.numel() else "")
        )
    return Batch(x.flatten(start_dim=1), y.long(), task)


def planned_steps(train: TrainSettings, examples: int, tasks: int = 1) -> int:
    """Optimiser steps on *examples* training examples that come from *tasks* tasks."""
    if train.iterations is not None:
        return train.iterations * tasks
    assert train.epochs is not None
    return train.epochs * math.ceil(examples / train.batch_size)


def _orders(count: int, random: torch.Generator) -> Iterator[Tensor]:
    """A new order of *count* examples for every epoch, without end."""
    while True:
        yield torch.randperm(count, generator=random)
