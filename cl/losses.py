"""Losses of logits, each with its gradient: pure functions that return both.

A method adds errors (gradients with respect to the logits) and the network carries their sum back in one
pass, so a loss of several terms costs no more than one of them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cl.kernels import cross_entropy as mean_cross_entropy


def cross_entropy(logits: Tensor, right: Tensor, excluded: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The mean cross-entropy in nats (0-d) and its gradient [n, rows].

    Args:
        logits: float [n, rows].
        right: int64 [n], the right output of each example.
        excluded: bool [n, rows], outputs that are closed to an example, or None.

    >>> loss, error = cross_entropy(torch.zeros(2, 2), torch.tensor([0, 1]))
    >>> round(loss.item(), 4), error.tolist()
    (0.6931, [[-0.25, 0.25], [0.25, -0.25]])
    """
    if excluded is not None:
        logits = logits.masked_fill(excluded, -math.inf)
    return mean_cross_entropy(torch.log_softmax(logits, 1), right)


def weighted_cross_entropy(
    logits: Tensor, right: Tensor, weights: Tensor, excluded: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The sum of each example's cross-entropy times its weight (0-d), and its gradient [n, rows].

    *weights* [n] that all are 1/n give the mean.

    >>> weights = torch.tensor([0.75, 0.25])
    >>> loss, error = weighted_cross_entropy(torch.zeros(2, 2), torch.tensor([0, 1]), weights)
    >>> round(loss.item(), 4), error.tolist()
    (0.6931, [[-0.375, 0.375], [0.125, -0.125]])
    """
    if excluded is not None:
        logits = logits.masked_fill(excluded, -math.inf)
    log_probabilities = torch.log_softmax(logits, 1)
    right = right[:, None]
    loss = -torch.dot(log_probabilities.gather(1, right)[:, 0], weights)
    error = log_probabilities.exp_().mul_(weights[:, None])
    return loss, error.scatter_add_(1, right, -weights[:, None])
