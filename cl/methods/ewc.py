"""Online elastic weight consolidation.

Kirkpatrick et al. 2017 (PNAS 114), equation 3, in the online form of Schwarz et al. 2018 (Progress &
Compress), section 4: one anchor, the latest weights, and one accumulated Fisher diagonal,

    L(theta) = L_task(theta) + lambda/2 * sum_i F_i (theta_i - theta*_i)^2,    F <- gamma F + F_k,

with F_k the mean over examples of squared per-example gradients of the log-likelihood on task k. Lambda may
decay: task k is learned under lambda * lambda_decay^k.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional

from cl.batch import Batch
from cl.fisher import fisher_diagonal
from cl.learner import Learner
from cl.methods.base import Diagnostics, Method
from cl.registry import EWCSettings, MethodSettings


class Elastic(Method, ABC):
    """Pull each weight back to its anchor, as strongly as old tasks relied on it.

    Attributes:
        fisher, anchor: vectors as long as the parameters were when the last task ended.
    """

    def __init__(self, settings: MethodSettings | None = None, **hyperparameters: object) -> None:
        super().__init__(settings, **hyperparameters)
        self.fisher = torch.zeros(0)
        self.anchor = torch.zeros(0)

    @abstractmethod
    def strength(self, task: int) -> float:
        """Lambda while *task* is learned."""

    def begin_task(self, learner: Learner, data: Batch) -> None:
        """Follow a head that grew: new parameters have no Fisher yet, so nothing pulls on them."""
        del data
        grown = len(learner.theta) - len(self.fisher)
        self.fisher = functional.pad(self.fisher.to(learner.theta), (0, grown))
        self.anchor = functional.pad(self.anchor.to(learner.theta), (0, grown))
        self._strength = self.strength(learner.task)
        self._drift = torch.empty_like(learner.theta)

    def gradient(self, learner: Learner, data: Batch, index: Tensor) -> Tensor:
        """Add the penalty's gradient, lambda * F * (theta - theta*)."""
        loss = super().gradient(learner, data, index)
        torch.sub(learner.theta, self.anchor, out=self._drift)
        learner.model.gradient.addcmul_(self.fisher, self._drift, value=self._strength)
        return loss

    def diagnostics(self, learner: Learner) -> Diagnostics:
        """Share of parameters that some old task relies on at all, and the bytes kept."""
        del learner
        return {
            "fisher_nonzero_share": (self.fisher > 0).double().mean().item(),
            "memory_bytes": self.fisher.nbytes + self.anchor.nbytes,
        }


class EWC(Elastic):
    """One anchor, the latest weights, and a Fisher that adds up with decay."""

    Settings = EWCSettings
    settings: EWCSettings

    def strength(self, task: int) -> float:
        """Lambda, decayed once after each consolidation."""
        return self.settings.lambda_ * self.settings.lambda_decay**task

    def consolidate(self, learner: Learner, data: Batch) -> None:
        """Anchor the weights and add the finished task's Fisher."""
        fisher = fisher_diagonal(learner, data, self.settings.fisher, self.settings.fisher_samples)
        self.fisher.mul_(self.settings.gamma).add_(fisher)
        self.anchor = learner.theta.clone()
