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


def squared_error(logits: Tensor, stored: Tensor) -> tuple[Tensor, Tensor]:
    """The mean over examples of the mean squared difference to *stored* logits, and its gradient [n, rows].

    Where *stored* [n, rows] is -inf there is nothing to match; an example's mean is over its other outputs.

    >>> stored = torch.tensor([[1.0, -math.inf], [2.0, 0.0]])
    >>> loss, error = squared_error(torch.tensor([[3.0, 5.0], [1.0, 4.0]]), stored)
    >>> loss.item(), error.tolist()
    (6.25, [[2.0, 0.0], [-0.5, 2.0]])
    """
    matched = stored > -math.inf
    difference = logits - torch.where(matched, stored, logits)
    error = difference / (matched.sum(1, keepdim=True) * len(stored))
    return torch.sum(error * difference), error.mul_(2)


def distillation(logits: Tensor, targets: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The cross-entropy of softened *logits* in nats (0-d), and its gradient [n, ..., outputs].

    A mean over examples and a sum over whatever lies between: the heads of an example.

    Args:
        logits: float [n, ..., outputs].
        targets: the probabilities that softmax(logits / T) is held to, of the same shape.
        temperature: T.

    >>> loss, error = distillation(torch.zeros(2, 2), torch.tensor([[0.75, 0.25], [0.5, 0.5]]), 2.0)
    >>> round(loss.item(), 4), error.tolist()
    (0.6931, [[-0.0625, 0.0625], [0.0, 0.0]])
    """
    log_probabilities = torch.log_softmax(logits / temperature, -1)
    loss = -torch.sum(targets * log_probabilities) / len(logits)
    return loss, log_probabilities.exp_().sub_(targets).div_(temperature * len(logits))
