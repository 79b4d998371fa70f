"""SGD with momentum and Adam on parts of one flat vector.

They compute what ``torch.optim`` computes (a test compares them); on a flat vector that takes a few large
operations a step and no walk over parameter groups.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from cl.kernels import adam_, sgd_
from cl.registry import TrainSettings

# A smaller scale is put into the gradient itself: as dampening, 1 - (1 - scale), it would lose its digits.
SMALLEST_SCALE = 1e-3


class SGD:
    """Gradient descent with momentum, as in torch: v <- mu v + g, theta <- theta - lr v."""

    def __init__(self, lr: float, momentum: float) -> None:
        self.lr = lr
        self.momentum = momentum
        self.velocity = torch.zeros(0)

    def resize(self, like: Tensor) -> None:
        """Follow parameters that were appended: their velocity is zero."""
        self.velocity = _padded(self.velocity, like)

    def rest_outside(self, parts: Sequence[slice]) -> None:
        """Forget the velocity of everything outside *parts*."""
        self.velocity = _only(self.velocity, parts)

    def step(self, theta: Tensor, gradient: Tensor, scale: float, parts: Sequence[slice]) -> None:
        """Move *parts* of *theta* against *scale* times *gradient*, in place; may scale *gradient* too."""
        if scale < SMALLEST_SCALE:
            gradient.mul_(scale)
            scale = 1.0
        sgd_(
            [part_of(theta, part) for part in parts],
            [part_of(gradient, part) for part in parts],
            [part_of(self.velocity, part) for part in parts],
            lr=self.lr,
            momentum=self.momentum,
            scale=scale,
        )


class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1) with bias correction; betas (0.9, 0.999), epsilon 1e-8."""

    def __init__(self, lr: float, betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8) -> None:
        self.lr = lr
        self.betas = betas
        self.epsilon = epsilon
        self.blocks: list[list[int]] = []  # [start, stop, steps taken] of what was there from one moment on
        self.mean = torch.zeros(0)
        self.square = torch.zeros(0)

    def resize(self, like: Tensor) -> None:
        """Follow parameters that were appended: their moments are zero, and their steps count from zero."""
        if self.blocks and not self.blocks[-1][2]:
            self.blocks[-1][1] = len(like)
        elif len(like) > len(self.mean):
            self.blocks.append([len(self.mean), len(like), 0])
        self.mean, self.square = _padded(self.mean, like), _padded(self.square, like)

    def rest_outside(self, parts: Sequence[slice]) -> None:
        """Forget the moments of everything outside *parts*."""
        self.mean, self.square = _only(self.mean, parts), _only(self.square, parts)

    def step(self, theta: Tensor, gradient: Tensor, scale: float, parts: Sequence[slice]) -> None:
        """Move *parts* of *theta* against *scale* times *gradient*, in place; may scale *gradient* too."""
        if scale != 1.0:
            gradient.mul_(scale)
        pieces: list[slice] = []
        steps: list[Tensor] = []
        for block in self.blocks:
            common = [piece for part in parts if (piece := _common(part, block[0], block[1]))]
            block[2] += bool(common)
            pieces += common
            steps += [torch.tensor(float(block[2]), device=theta.device)] * len(common)
        adam_(
            [theta[piece] for piece in pieces],
            [gradient[piece] for piece in pieces],
            [self.mean[piece] for piece in pieces],
            [self.square[piece] for piece in pieces],
            steps,
            lr=self.lr,
            betas=self.betas,
            epsilon=self.epsilon,
        )


Optimizer = SGD | Adam


def make_optimizer(settings: TrainSettings) -> Optimizer:
    """Build the optimiser that *settings* name."""
    if settings.optimizer == "adam":
        return Adam(settings.lr)
    return SGD(settings.lr, settings.momentum)


def part_of(vector: Tensor, part: slice) -> Tensor:
    """A view of *part*; where that is all of it, *vector* itself, since slicing costs more than asking."""
    return vector if part.stop - part.start == vector.shape[0] else vector[part]


def _common(part: slice, start: int, stop: int) -> slice | None:
    start, stop = max(start, part.start), min(stop, part.stop)
    return slice(start, stop) if start < stop else None


def _only(vector: Tensor, parts: Sequence[slice]) -> Tensor:
    kept = torch.zeros_like(vector)
    for part in parts:
        kept[part] = vector[part]
    return kept


def _padded(vector: Tensor, like: Tensor) -> Tensor:
    return functional.pad(vector.to(like), (0, len(like) - len(vector)))
