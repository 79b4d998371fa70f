"""Elastic weight consolidation with one penalty per task.

Kirkpatrick et al. 2017 (PNAS 114), equation 3, with a penalty for each finished task k, around its own
weights theta*_k and with its own Fisher diagonal F_k:

    L(theta) = L_task(theta) + sum_k lambda/2 * sum_i F_k,i (theta_i - theta*_k,i)^2

A sum of quadratics is one quadratic. With F = sum_k F_k and theta* = sum_k F_k theta*_k / F, both by element,

    sum_k F_k (theta - theta*_k)^2 = F (theta - theta*)^2 + a constant,

so the sum of the Fishers and the mean of the anchors under them are all that is kept: the gradient is that of
the separate penalties, at the cost of a single one. Against online EWC only the anchor differs.
"""

from __future__ import annotations

import torch

from cl.batch import Batch
from cl.fisher import fisher_diagonal
from cl.learner import Learner
from cl.methods.ewc import Elastic
from cl.registry import SeparateEWCSettings


class SeparateEWC(Elastic):
    """A pull to the weights after every task, each under the Fisher of that task."""

    Settings = SeparateEWCSettings
    settings: SeparateEWCSettings

    def strength(self, task: int) -> float:
        """Lambda, for all tasks alike."""
        del task
        return self.settings.lambda_

    def consolidate(self, learner: Learner, data: Batch) -> None:
        """Add the finished task's Fisher and move the mean of the anchors by its share of the sum."""
        fisher = fisher_diagonal(learner, data, self.settings.fisher, self.settings.fisher_samples)
        self.fisher.add_(fisher)
        # Where no task relies on a weight, its share is 0 / tiny = 0 and its anchor means nothing.
        share = fisher.div_(self.fisher.clamp_min(torch.finfo(fisher.dtype).tiny))
        self.anchor.lerp_(learner.theta, share)
