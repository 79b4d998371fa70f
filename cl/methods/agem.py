"""Averaged Gradient Episodic Memory.

Chaudhry et al. 2019 (ICLR, Efficient Lifelong Learning with A-GEM), equation 11: one reference gradient, over
a random sample of all that is remembered. Where <g, g_ref> < 0, the step follows

    g~ = g - <g, g_ref> / <g_ref, g_ref> g_ref.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cl.batch import Batch
from cl.learner import Learner
from cl.methods.episodic import SMALLEST, Episodic, Vector, mean_gradients
from cl.randomness import generator
from cl.registry import AGEMSettings


class AGEM(Episodic):
    """Step so that the mean loss on remembered examples does not increase."""

    Settings = AGEMSettings
    settings: AGEMSettings

    def begin_task(self, learner: Learner, data: Batch) -> None:
        """Draw the samples from a stream of random numbers of the task's own."""
        super().begin_task(learner, data)
        self._random = generator(learner.seed, "reference gradient", learner.task)

    def past_gradients(self, learner: Learner, past: Batch) -> Tensor:
        """One gradient, over a sample without replacement."""
        drawn = torch.randperm(len(past), generator=self._random)[: self.settings.sample_size]
        sample = past.take(drawn.to(learner.device))
        targets = learner.model.targets(sample.y, sample.task)
        return mean_gradients(learner, sample.x, targets, [len(drawn)])

    def multipliers(self, gram: Vector, products: Vector) -> Vector:
        """What takes the reference gradient's part out of the gradient."""
        v: Vector = -products / max(gram[0, 0], SMALLEST)
        return v
