"""Online elastic weight consolidation.

Kirkpatrick et al. 2017 (PNAS 114), equation 3, in the online form of Schwarz et al. 2018 (Progress &
Compress), section 4: one anchor, the latest weights, and one accumulated Fisher diagonal,

    L(theta) = L_task(theta) + lambda/2 * sum_i F_i (theta_i - theta*_i)^2,    F <- gamma F + F_k,

with F_k the mean over examples of squared per-example gradients of the log-likelihood on task k.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from cl.learner import Batch, Learner
from cl.methods.base import Method
from cl.randomness import generator
from cl.registry import EWCSettings


class EWC(Method):
    """Pull the weights back to where they were, each as strongly as old tasks relied on it."""

    def __init__(self, settings: EWCSettings) -> None:
        self.settings = settings
        self.fisher = torch.zeros(0)
        self.anchor = torch.zeros(0)

    def begin_task(self, learner: Learner, task: int) -> None:
        """Follow a head that grew: new parameters have no Fisher yet, so nothing pulls on them."""
        super().begin_task(learner, task)
        grown = len(learner.theta) - len(self.fisher)
        self.fisher = functional.pad(self.fisher.to(learner.theta), (0, grown))
        self.anchor = functional.pad(self.anchor.to(learner.theta), (0, grown))
        self._drift = torch.empty_like(learner.theta)

    def gradient(self, learner: Learner, batch: Batch) -> Tensor:
        """Add the penalty's gradient, lambda * F * (theta - theta*)."""
        loss = super().gradient(learner, batch)
        torch.sub(learner.theta, self.anchor, out=self._drift)
        learner.model.gradient.addcmul_(self.fisher, self._drift, value=self.settings.lambda_)
        return loss

    def consolidate(self, learner: Learner, data: Batch) -> None:
        """Anchor the weights and add the finished task's Fisher."""
        self.fisher.mul_(self.settings.gamma).add_(self.fisher_of(learner, data))
        self.anchor = learner.theta.clone()

    def fisher_of(self, learner: Learner, data: Batch) -> Tensor:
        """Mean squared per-example gradient over ``fisher_samples`` examples of *data*, a flat vector."""
        random = generator(learner.seed, "fisher", learner.task)
        wanted = self.settings.fisher_samples
        count = len(data) if wanted == "all" else min(wanted, len(data))
        chosen = torch.randperm(len(data), generator=random)[:count]
        draws = torch.rand(count, generator=random)
        total = torch.zeros_like(learner.theta)
        for index, draw in zip(chosen.split(1000), draws.split(1000), strict=True):
            part = data.take(index.to(learner.device))
            total += learner.model.squared_gradients(
                learner.inputs(part.x), part.y, part.task, self.settings.fisher, draw.to(learner.device)
            )
        return total.div_(count)

    def diagnostics(self) -> dict[str, float | int]:
        """Share of parameters that some old task relies on at all."""
        return {"fisher_nonzero_share": (self.fisher > 0).double().mean().item()}
