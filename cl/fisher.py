"""The diagonal of the Fisher information: mean squared gradients of single examples' log-likelihoods.

Kunstner et al. 2019 (Limitations of the empirical Fisher) set out how the choice of labels matters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from cl.batch import Batch
from cl.heads import Targets
from cl.learner import Learner
from cl.randomness import generator

Labels = Literal["exact", "sampled", "empirical"]

_CHUNK = 1000
"""Examples in one pass."""


def fisher_diagonal(learner: Learner, data: Batch, labels: Labels, samples: int | Literal["all"]) -> Tensor:
    """The Fisher's diagonal of the finished task, a mean over *samples* random examples of *data*.

    Args:
        learner: the model, and the random stream of its task.
        data: stored examples.
        labels: ``exact`` weights every label by its softmax probability, ``sampled`` draws one from these
            probabilities, ``empirical`` takes the true one.
        samples: how many distinct examples, or all.

    Returns:
        A vector as long as ``learner.theta``.
    """
    random = generator(learner.seed, "fisher", learner.task)
    count = len(data) if samples == "all" else min(samples, len(data))
    chosen = torch.randperm(len(data), generator=random)[:count]
    draws = torch.rand(count, generator=random)
    total = torch.zeros_like(learner.theta)
    for index, draw in zip(chosen.split(_CHUNK), draws.split(_CHUNK), strict=True):
        batch = learner.mini_batch(data, index)
        targets = learner.model.targets(batch.y, batch.task)
        passed = learner.model.run(batch.x, targets.rows)
        logits = passed.logits
        if targets.excluded is not None:
            logits = logits.masked_fill(targets.excluded, -math.inf)
        probabilities = torch.softmax(logits, 1)
        for label, weight in _weighted_labels(probabilities, targets, labels, draw.to(learner.device)):
            error = probabilities.clone()
            error.scatter_add_(1, label[:, None], error.new_full((len(label), 1), -1.0))
            learner.add_squares(passed, error, weight, total)
    return total.div_(count)


def _weighted_labels(
    probabilities: Tensor, targets: Targets, labels: Labels, draws: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """The labels int64 [n] that squared gradients are taken of, and their weights [n]."""
    if labels == "exact":
        for column, probability in enumerate(probabilities.unbind(1)):
            yield torch.full_like(targets.right, column), probability
    elif labels == "sampled":
        drawn = (probabilities.cumsum(1) < draws[:, None]).sum(1).clamp_(max=probabilities.shape[1] - 1)
        yield drawn, torch.ones_like(draws)
    else:
        yield targets.right, torch.ones_like(draws)
