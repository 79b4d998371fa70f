"""A learner: a model with its optimiser, as methods see and steer it during training."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cl.batch import Batch
from cl.losses import cross_entropy
from cl.model import Model
from cl.network import Pass
from cl.optimizers import make_optimizer, part_of
from cl.registry import TrainSettings
from cl.state import load_state, state_of


class Diverged(ArithmeticError):  # noqa: N818 - a result, named as the status it leads to
    """The loss or a weight is no longer finite: a result of the settings, not an error of the program."""


class Learner:
    """A model in training.

    Args:
        model: the network, still without any training.
        train: the settings of the training loop.
        outputs: for each task, the outputs that it brings (as `cl.streams.Stream.outputs`).
        seed: the trial's seed.
        scale, shift: the model's input is ``x.float() * scale - shift``.
        device: where it trains.

    Attributes:
        model: the network; ``model.gradient`` is the gradient that the next update follows.
        seed: for the random streams that a method draws from.
        theta: all parameters, detached: write to it in place.
        task: the task that is being learned.
        step, steps: steps taken in this task, and how many it will have.
        examples, passes: examples that gradients were computed of in this task, and in how many passes.
    """

    def __init__(
        self,
        model: Model,
        train: TrainSettings,
        outputs: list[int],
        *,
        seed: int,
        scale: float = 1.0,
        shift: float = 0.0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.seed = seed
        self.device = torch.device(device)
        self.train = train
        self.outputs = outputs
        self._scale = scale
        self._shift = shift
        self._untrained = copy.deepcopy(model)
        self.model = model
        self.task = self.step = self.steps = self.examples = self.passes = 0
        self._reached: list[slice] = []
        self._start()

    def restart(self) -> None:
        """Begin the task again with the initial weights of the seed, with the outputs of all tasks so far."""
        self.model = copy.deepcopy(self._untrained)
        self._start()
        for task in range(self.task + 1):
            self.begin_task(task)

    def _start(self) -> None:
        self.model.to(self.device)
        self.theta = self.model.theta.detach()
        self.optimizer = make_optimizer(self.train)

    def begin_task(self, task: int) -> None:
        """Give *task* its outputs; start the optimiser anew if the settings say so."""
        self.task = task
        self.step = self.steps = 0
        self.examples = self.passes = 0
        self._reached = []
        self.model.begin_task(task, self.outputs[task])
        self.theta = self.model.theta.detach()
        if self.train.reset_optimizer:
            self.optimizer = make_optimizer(self.train)
        self.optimizer.resize(self.theta)
        if not self.train.reset_optimizer:
            # The heads of other tasks come to rest: what moves them from now on is the method's doing.
            no_labels = torch.empty(0, dtype=torch.int64, device=self.device)
            self.optimizer.rest_outside(self.model.parts(self.model.targets(no_labels, task).rows))

    def inputs(self, x: Tensor) -> Tensor:
        """Turn stored examples into what the model sees: float32, scaled, shifted; always a copy."""
        scaled = x * self._scale if x.dtype == torch.float32 else x.float().mul_(self._scale)
        return scaled.sub_(self._shift) if self._shift else scaled

    def prepared(self, batch: Batch) -> Batch:
        """The same examples as the model sees them."""
        return Batch(self.inputs(batch.x), batch.y, batch.task)

    def mini_batch(self, data: Batch, index: Tensor, *more: tuple[Batch, Tensor]) -> Batch:
        """The examples of *data* at *index*, then those of *more*, as the model sees them."""
        (source, places), *others = [
            (source, places.to(self.device)) for source, places in ((data, index), *more) if places.shape[0]
        ]
        if not others:
            return self.prepared(source.take(places))
        # Column by column, which takes fewer and smaller steps than to join batches.
        taken = [(source, places), *others]
        x = torch.cat([source.x.index_select(0, places) for source, places in taken])
        y = torch.cat([source.y.index_select(0, places) for source, places in taken])
        return Batch(self.inputs(x), y, torch.cat([source.tasks_at(places) for source, places in taken]))

    def loss_gradient(self, batch: Batch) -> Tensor:
        """Write the gradient of a mini-batch's mean cross-entropy to ``model.gradient``; return the loss."""
        with torch.inference_mode(self.model.by_hand):
            rows, right, excluded = self.model.targets(batch.y, batch.task)
            passed = self.model.run(batch.x, rows)
            loss, error = cross_entropy(passed.logits, right, excluded)
            self.backpropagate(passed, error)
        return loss

    def backpropagate(self, passed: Pass, error: Tensor, *branches: tuple[Pass, Tensor]) -> None:
        """Write to ``model.gradient`` what the *error* [n, rows] of the logits of *passed* means.

        *branches* of the same pass, each with its error, add to it; one may have no outputs.
        """
        self._count(len(error), passed.rows, *(branch.rows for branch, errors in branches if errors.shape[1]))
        self.model.backpropagate(passed, error, *branches)

    def gradients_by_group(self, passed: Pass, error: Tensor, sizes: Sequence[int]) -> Tensor:
        """The gradient of each group of *sizes* consecutive examples, [groups, parameters]."""
        self._count(len(error), passed.rows)
        return self.model.gradients_by_group(passed, error, sizes)

    def add_squares(self, passed: Pass, error: Tensor, weight: Tensor, total: Tensor) -> None:
        """Add each example's squared gradient times its *weight* [n] to *total* [parameters]."""
        self.examples += len(error)
        self.passes += 1
        self.model.add_squares(passed, error, weight, total)

    def _count(self, examples: int, *reached: slice) -> None:
        self.examples += examples
        self.passes += 1
        for rows in reached:
            if not self._reached:  # as in nearly every step; the rest would say the same, more slowly
                self._reached = [rows]
                continue
            apart = [part for part in self._reached if part.stop <= rows.start or rows.stop <= part.start]
            joined = [rows, *(part for part in self._reached if part not in apart)]
            whole = slice(min(part.start for part in joined), max(part.stop for part in joined))
            self._reached = [*apart, whole]

    def update(self) -> None:
        """Take one optimiser step along ``model.gradient``, its norm clipped as ``clip_grad_norm_`` does.

        It moves what the step's losses reached: the heads of other tasks stay as they are.

        Raises:
            Diverged: the norm is not finite.
        """
        gradient, scale = self.model.gradient, 1.0
        moved: list[slice] = []
        for rows in self._reached or [slice(0, self.model.outputs)]:
            moved += [part for part in self.model.parts(rows) if part not in moved]
        self._reached = []
        if self.train.clip_norm is not None:
            # A dot product is one pass, faster than a norm.
            parts = [part_of(gradient, part) for part in moved]
            norm = math.sqrt(sum(torch.dot(part, part).item() for part in parts))
            if not math.isfinite(norm):
                raise Diverged(f"the gradient's norm was {norm} in task {self.task}")
            scale = min(1.0, self.train.clip_norm / (norm + 1e-6))
        self.optimizer.step(self.theta, gradient, scale, moved)
        self.step += 1

    def state(self) -> dict[str, Any]:
        """Everything that changed since the start, as tensors and plain values; saved between tasks."""
        return {
            "task": self.task,
            "outputs": self.outputs,
            "theta": self.theta,
            "frozen": self.model.frozen,
            "optimizer": state_of(self.optimizer),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue where *state* was taken."""
        self.outputs = list(state["outputs"])
        for task in range(state["task"] + 1):
            self.begin_task(task)
        self.theta.copy_(state["theta"])
        self.model.frozen = state["frozen"]
        load_state(self.optimizer, state["optimizer"])
