"""Synaptic Intelligence.

Zenke et al. 2017 (Continual Learning Through Synaptic Intelligence), equations 3 to 5. While task k is
learned, omega_i adds up how much the steps of weight i lowered its loss; when it ends, importance is

    Omega_i <- Omega_i + omega_i / (Delta_i^2 + xi),    omega_i = - sum_t g_i(t) (theta_i(t+1) - theta_i(t)),

with g the gradient of the task's own loss, neither clipped nor with the penalty's part, the differences those
of the actual steps, and Delta_i the way from the task's start to its end. Later tasks are learned under

    L(theta) = L_task(theta) + c * sum_i Omega_i (theta_i - theta*_i)^2,

theta* the weights after the last task. There is no factor 1/2, and an omega below zero stays below zero.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from cl.batch import Batch
from cl.learner import Learner
from cl.methods.base import Diagnostics, Method
from cl.registry import SISettings


class SI(Method):
    """Pull each weight back as strongly as its path lowered the losses of old tasks.

    Attributes:
        importance: Omega, a vector as long as the parameters were when the last task ended.
    """

    Settings = SISettings
    settings: SISettings

    def __init__(self, settings: SISettings | None = None, **hyperparameters: object) -> None:
        super().__init__(settings, **hyperparameters)
        self.importance = torch.zeros(0)

    def begin_task(self, learner: Learner, data: Batch) -> None:
        """Anchor the weights, which are those after the last task; new ones have no importance yet."""
        del data
        theta = learner.theta
        self.importance = functional.pad(self.importance.to(theta), (0, len(theta) - len(self.importance)))
        self._anchor = theta.clone()
        # The way from the anchor serves three purposes: the penalty, each step (a difference) and Delta.
        self._drift, self._next_drift = torch.zeros_like(theta), torch.empty_like(theta)
        self._task_gradient = torch.empty_like(theta)
        self._path = torch.zeros_like(theta)

    def gradient(self, learner: Learner, data: Batch, index: Tensor) -> Tensor:
        """Add the penalty's gradient, 2 c Omega (theta - theta*); keep the task's own for the path."""
        loss = super().gradient(learner, data, index)
        gradient = learner.model.gradient
        self._task_gradient.copy_(gradient)
        gradient.addcmul_(self.importance, self._drift, value=2 * self.settings.c)
        return loss

    def after_step(self, learner: Learner) -> None:
        """Add to omega what the step, as the optimiser took it, lowered the loss by."""
        torch.sub(learner.theta, self._anchor, out=self._next_drift)
        backwards = self._drift.sub_(self._next_drift)
        self._path.addcmul_(self._task_gradient, backwards)
        self._drift, self._next_drift = self._next_drift, self._drift

    def consolidate(self, learner: Learner, data: Batch) -> None:
        """Add the finished task's omega over its squared way, damped, to the importance."""
        del learner, data
        self.importance.addcdiv_(self._path, self._drift.square().add_(self.settings.xi))

    def diagnostics(self, learner: Learner) -> Diagnostics:
        """Bytes of the importance and, while a task is learned, the anchor."""
        return {"memory_bytes": self.importance.nbytes + learner.theta.nbytes}
