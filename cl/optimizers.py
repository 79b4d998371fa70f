"""SGD with momentum and Adam on parts of one flat vector.

They compute what ``torch.optim`` computes (a test compares them); on a flat vector that takes a few large
operations a step and no walk over parameter groups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from cl.registry import TrainSettings


class SGD:
    """Gradient descent with momentum, as in torch: v <- mu v + g, theta <- theta - lr v."""

    def __init__(self, lr: float, momentum: float) -> None:
        self.lr = lr
        self.momentum = momentum
        self.velocity = torch.zeros(0)

    def resize(self, like: Tensor) -> None:
        """Follow parameters that were appended: their velocity is zero."""
        self.velocity = _padded(self.velocity, like)

    def step(self, theta: Tensor, gradient: Tensor, scale: float, parts: Sequence[slice]) -> None:
        """Move *parts* of *theta* against *scale* times *gradient*, in place."""
        # torch's own fused step: one pass over memory instead of three. With a velocity the scale goes in as
        # dampening, since a `grad_scale` would write the scaled gradient back. Called directly, without the
        # grouping of tensors by device that `torch.optim` does at every step.
        damped = self.momentum != 0
        torch._fused_sgd_(
            [theta[part] for part in parts],
            [gradient[part] for part in parts],
            [self.velocity[part] for part in parts] if damped else [],
            weight_decay=0.0,
            momentum=self.momentum,
            lr=self.lr if damped else self.lr * scale,
            dampening=1.0 - scale if damped else 0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
        )


class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1) with bias correction; betas (0.9, 0.999), epsilon 1e-8."""

    def __init__(self, lr: float, betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8) -> None:
        self.lr = lr
        self.betas = betas
        self.epsilon = epsilon
        self.steps = 0
        self.mean = torch.zeros(0)
        self.square = torch.zeros(0)

    def resize(self, like: Tensor) -> None:
        """Follow parameters that were appended: their moments are zero."""
        self.mean, self.square = _padded(self.mean, like), _padded(self.square, like)

    def step(self, theta: Tensor, gradient: Tensor, scale: float, parts: Sequence[slice]) -> None:
        """Move *parts* of *theta* against *scale* times *gradient*, in place."""
        first, second = self.betas
        self.steps += 1
        size = self.lr / (1 - first**self.steps)
        correction = math.sqrt(1 - second**self.steps)
        for part in parts:
            scaled = gradient[part] * scale
            mean, square = self.mean[part], self.square[part]
            mean.lerp_(scaled, 1 - first)
            square.mul_(second).addcmul_(scaled, scaled, value=1 - second)
            theta[part].addcdiv_(mean, (square.sqrt() / correction).add_(self.epsilon), value=-size)


Optimizer = SGD | Adam


def make_optimizer(settings: TrainSettings) -> Optimizer:
    """Build the optimiser that *settings* name."""
    if settings.optimizer == "adam":
        return Adam(settings.lr)
    return SGD(settings.lr, settings.momentum)


def _padded(vector: Tensor, like: Tensor) -> Tensor:
    return functional.pad(vector.to(like), (0, len(like) - len(vector)))
