"""PackNet: every task keeps its own share of the weights of one network.

Mallya & Lazebnik 2018 (CVPR), section 3. Task k trains all weights under the outputs that no earlier task
owns, while those that are owned work along, frozen. Then, in each layer, the smallest of the weights it
trained are set to zero and freed for later tasks, it owns the others, and trains these on. Task i is answered
by the weights of tasks 0 to i alone, so what it answers never changes:

    theta_i = theta * [owner <= i]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from cl.batch import Batch
from cl.heads import MultiHead
from cl.learner import Learner
from cl.methods.base import Diagnostics, Method
from cl.network import Network
from cl.registry import PackNetSettings

FREE = -1
"""The owner of a weight that no task owns."""


class PackNet(Method):
    """Train what is free, keep the largest part of it, free the rest."""

    Settings = PackNetSettings
    settings: PackNetSettings

    def __init__(self, settings: PackNetSettings | None = None, **hyperparameters: object) -> None:
        super().__init__(settings, **hyperparameters)
        self.owner = torch.zeros(0, dtype=torch.int16)
        """The task that owns each parameter under the outputs, or `FREE`."""

    def begin_task(self, learner: Learner, data: Batch) -> None:
        """Let everything move that no other task owns.

        Raises:
            TypeError: the model has no heads of their own for the tasks.
            ValueError: no weight is free.
        """
        del data
        if not len(self.owner):
            self.owner = torch.full((_network(learner).trunk.size,), FREE, dtype=torch.int16)
        self.owner = self.owner.to(learner.theta.device)
        moving = (self.owner == FREE) | (self.owner == learner.task)
        if not moving.any():
            raise ValueError(
                f"packnet has no free weight for task {learner.task}: give a larger prune_rate, or none and "
                f"the number of tasks before the first, as in Trainer(..., outputs=[2, 2, 2])"
            )
        self._hold(learner, moving)

    def gradient(self, learner: Learner, data: Batch, index: Tensor) -> Tensor:
        """Take out the gradient of what is held, so that it does not count in the norm either."""
        loss = super().gradient(learner, data, index)
        learner.model.gradient[: len(self.owner)].mul_(self._moving)
        return loss

    def after_step(self, learner: Learner) -> None:
        """Undo what momentum did to held weights; after two thirds of the steps, prune."""
        trunk = learner.theta[: len(self.owner)]
        torch.addcmul(self._held, trunk, self._moving, out=trunk)
        if learner.step == -(-2 * learner.steps // 3):
            self._prune(learner)

    @contextmanager
    def answering(self, learner: Learner, task: int) -> Iterator[None]:
        """Answer for *task* with the weights of tasks 0 to *task*; those to come take all there are."""
        if task >= learner.task:
            yield
            return
        trunk = learner.theta[: len(self.owner)]
        owner, everything = self.owner.to(trunk.device), trunk.clone()
        trunk.masked_fill_((owner == FREE) | (owner > task), 0)
        try:
            yield
        finally:
            trunk.copy_(everything)

    def diagnostics(self, learner: Learner) -> Diagnostics:
        """Parameters that no task owns and those that one does; heads belong to their tasks."""
        free = int((self.owner == FREE).sum())
        return {
            "trainable_parameters": free,
            "frozen_parameters": len(learner.theta) - free,
            "memory_bytes": self.owner.nbytes,
        }

    def _prune(self, learner: Learner) -> None:
        """Own what was trained, but for the smallest weights of each layer: these are zeroed and freed."""
        moving = self._moving.bool()
        self.owner[moving] = learner.task  # the biases with them: the first task owns these for all
        for part in _network(learner).trunk.weight_parts:
            trained = moving[part].nonzero()[:, 0] + part.start
            order = learner.theta[trained].abs().argsort(stable=True)
            freed = trained[order[: len(trained) - self._kept(len(trained), learner)]]
            self.owner[freed] = FREE
            learner.theta[freed] = 0
        self._hold(learner, self.owner == learner.task)

    def _kept(self, trained: int, learner: Learner) -> int:
        """How many of a layer's *trained* weights the task owns from now on."""
        if self.settings.prune_rate is None:
            return trained // (len(learner.outputs) - learner.task)
        return trained - round(self.settings.prune_rate * trained)

    def _hold(self, learner: Learner, moving: Tensor) -> None:
        """From now on only what is *moving* moves."""
        # As factors: a product over the vector takes a twentieth of the time of a masked write.
        trunk = learner.theta[: len(self.owner)]
        self._moving = moving.to(trunk)
        self._held = trunk.masked_fill(moving, 0)


def _network(learner: Learner) -> Network:
    model = learner.model
    if not (isinstance(model, Network) and isinstance(model.head, MultiHead)):
        raise TypeError(f"packnet trains a network with a head per task, not a {type(model).__name__}")
    return model
