"""A learner: a model with its optimiser, as methods see and steer it during training."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from cl.mlp import MLP, TaskIds
from cl.models import MODELS
from cl.optimizers import make_optimizer
from cl.registry import ModelSettings, TrainSettings
from cl.streams import Stream


class Diverged(ArithmeticError):  # noqa: N818 - a result, named as the status it leads to
    """The loss or a weight is no longer finite: a result of the settings, not an error of the program."""


@dataclass(frozen=True)
class Batch:
    """Examples [n, features], labels int64 [n], and their task or tasks.

    Stored, the examples are raw pixels; in a mini-batch they are what the model sees.
    """

    x: Tensor
    y: Tensor
    task: TaskIds

    def __len__(self) -> int:
        return self.y.shape[0]  # len() of a tensor goes a long way round

    @property
    def tasks(self) -> Tensor:
        """The task of each example, int64 [n]."""
        return torch.full_like(self.y, self.task) if isinstance(self.task, int) else self.task

    def take(self, index: Tensor) -> Batch:
        """The examples at *index*."""
        task = self.task if isinstance(self.task, int) else self.task.index_select(0, index)
        return Batch(self.x.index_select(0, index), self.y.index_select(0, index), task)

    def joined(self, other: Batch) -> Batch:
        """These examples, then the *other* ones; joining nothing changes nothing."""
        if not len(other):
            return self
        return Batch(
            torch.cat([self.x, other.x]), torch.cat([self.y, other.y]), torch.cat([self.tasks, other.tasks])
        )

    def to(self, device: torch.device) -> Batch:
        """The same examples on *device*."""
        task = self.task if isinstance(self.task, int) else self.task.to(device)
        return Batch(self.x.to(device), self.y.to(device), task)


class Learner:
    """A model in training on one stream.

    Attributes:
        model: the network; ``model.theta`` its parameters, ``model.gradient`` the last batch's gradient.
        seed: the trial's seed, for the random streams that a method draws from.
        task: the task that is being learned.
        theta: all parameters, detached: write to it in place.
    """

    def __init__(
        self,
        stream: Stream,
        model: ModelSettings,
        train: TrainSettings,
        *,
        seed: int,
        device: torch.device,
    ) -> None:
        self.seed = seed
        self.device = device
        self.train = train
        self.task = 0
        self._stream = stream
        self._hidden = model.hidden
        self.restart()

    def restart(self) -> None:
        """Begin again with the initial weights of the seed."""
        stream = self._stream
        self.model: MLP = MODELS[stream.kind](stream.features, self._hidden, seed=self.seed)
        self.model.to(self.device)
        self.optimizer = make_optimizer(self.train)
        self.begin_task(0)

    def begin_task(self, task: int) -> None:
        """Give *task* its outputs and decide what its training may move."""
        self.task = task
        self.model.begin_task(task, self._stream.outputs[task])
        self.theta = self.model.theta.detach()
        if self.train.reset_optimizer:
            self.optimizer = make_optimizer(self.train)
        self.optimizer.resize(self.theta)

    def prepared(self, batch: Batch) -> Batch:
        """The same examples as the model sees them."""
        return Batch(self.inputs(batch.x), batch.y, batch.task)

    def inputs(self, x: Tensor) -> Tensor:
        """Turn stored examples into what the model sees: float32, scaled, shifted; always a copy."""
        scale = self._stream.scale
        scaled = x.float().mul_(scale) if x.dtype == torch.uint8 else x * scale
        return scaled.sub_(self._stream.shift) if self._stream.shift else scaled

    def loss_gradient(self, batch: Batch) -> Tensor:
        """Write the gradient of a mini-batch's mean cross-entropy to ``model.gradient``; return the loss."""
        return self.model.loss_gradient(batch.x, batch.y, batch.task)

    def update(self, task: TaskIds) -> None:
        """Take one optimiser step along ``model.gradient``, its norm clipped as ``clip_grad_norm_`` does.

        It moves what a batch of *task* may move.

        Raises:
            Diverged: the norm is not finite.
        """
        gradient, scale = self.model.gradient, 1.0
        if self.train.clip_norm is not None:
            norm = math.sqrt(torch.dot(gradient, gradient).item())  # one pass, faster than a norm
            if not math.isfinite(norm):
                raise Diverged(f"the gradient's norm was {norm} in task {self.task}")
            scale = min(1.0, self.train.clip_norm / (norm + 1e-6))
        self.optimizer.step(self.theta, gradient, scale, self.model.moved_by(task))
