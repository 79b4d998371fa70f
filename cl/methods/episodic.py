"""What GEM and A-GEM share: a memory of every task, and steps projected so as not to hurt it."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cl.batch import Batch
from cl.heads import Targets
from cl.learner import Diverged, Learner
from cl.losses import weighted_cross_entropy
from cl.methods.base import Diagnostics, Method
from cl.randomness import generator
from cl.registry import AGEMSettings, GEMSettings

Vector = NDArray[np.float64]

SMALLEST = 1e-30
"""Squared norms below it have no digits left in single precision."""


class EpisodicMemory:
    """Up to *per_task* random examples of every finished task, all equally likely to be kept."""

    def __init__(self, per_task: int) -> None:
        self.per_task = per_task
        self.parts: list[Batch] = []
        """The examples of each task, as stored."""

    def add(self, data: Batch, random: torch.Generator) -> None:
        """Keep some of *data*, the training examples of the task that has ended."""
        chosen = torch.randperm(len(data), generator=random)[: self.per_task]
        self.parts.append(data.take(chosen.to(data.y.device)))

    @property
    def sizes(self) -> list[int]:
        """Examples of each task."""
        return [len(part) for part in self.parts]

    def state(self) -> list[tuple[Tensor, Tensor, int | Tensor]]:
        """Examples, labels and task of every part."""
        return [(part.x, part.y, part.task) for part in self.parts]

    def load_state(self, state: list[tuple[Tensor, Tensor, int | Tensor]]) -> None:
        """Hold what *state* was taken of."""
        self.parts = [Batch(*part) for part in state]


class Episodic(Method):
    """Fine-tuning whose gradient g is projected where it would increase the loss on old tasks.

    With rows g_k of G, gradients of the loss on remembered examples: if some <g, g_k> is negative, the step
    follows g + G'v, with multipliers v that the method chooses; else it follows g as it is.
    """

    settings: GEMSettings | AGEMSettings

    def __init__(self, settings: Any = None, **hyperparameters: object) -> None:
        super().__init__(settings, **hyperparameters)
        self.memory = EpisodicMemory(self.settings.memory_per_task)

    @abstractmethod
    def past_gradients(self, learner: Learner, past: Batch) -> Tensor:
        """G [k, parameters], given all remembered examples *past* as the model sees them."""

    @abstractmethod
    def multipliers(self, gram: Vector, products: Vector) -> Vector:
        """Choose v [k], given GG' [k, k] and Gg [k]."""

    def begin_task(self, learner: Learner, data: Batch) -> None:
        """Keep the memory ready as the model sees it, since it stays the same during the task."""
        del data
        self._changes: list[float] = []
        self._past: Batch | None = None
        if self.memory.parts:
            first, *more = (part.to(learner.device) for part in self.memory.parts)
            self._past = learner.prepared(first.joined(*more))

    def gradient(self, learner: Learner, data: Batch, index: Tensor) -> Tensor:
        """Project the gradient if it needs to be."""
        loss = super().gradient(learner, data, index)
        if self._past is not None:
            change = self.project(learner.model.gradient, self.past_gradients(learner, self._past))
            self._changes += [] if change is None else [change]
        return loss

    def project(self, gradient: Tensor, past: Tensor) -> float | None:
        """Project *gradient* [parameters] in place where a row of *past* [k, parameters] forbids it.

        Returns:
            |g~ - g| / |g|; None where nothing forbids g, which then stays as it is bit for bit.

        Raises:
            Diverged: a gradient, or the square of its norm, is not finite.
        """
        products = past @ gradient
        if bool((products >= 0).all()):
            return None
        gram, square = as_numbers(past @ past.t()), torch.dot(gradient, gradient).item()
        if not (np.isfinite(gram).all() and math.isfinite(square)):
            raise Diverged("the norm of a gradient on new or remembered examples was not finite")
        v = self.multipliers(gram, as_numbers(products))
        gradient.addmv_(past.t(), torch.from_numpy(v).to(gradient))
        return math.sqrt(max(float(v @ gram @ v), 0.0) / max(square, SMALLEST))

    def consolidate(self, learner: Learner, data: Batch) -> None:
        """Remember some examples of the finished task."""
        self.memory.add(data, generator(learner.seed, "episodic memory", learner.task))

    def diagnostics(self, learner: Learner) -> Diagnostics:
        """What is remembered, and how often and how far the gradient was moved."""
        del learner
        sizes, changes = self.memory.sizes, self._changes
        projected = {"gem_projection_norm": sum(changes) / len(changes)} if changes else {}
        return {
            "memory_examples": sum(sizes),
            "memory_bytes": sum(part.bytes for part in self.memory.parts),
            "memory_by_task": sizes,
            "gem_violations": len(changes),
            **projected,
        }


def mean_gradients(learner: Learner, x: Tensor, targets: Targets, sizes: Sequence[int]) -> Tensor:
    """The gradient of the mean cross-entropy of each group of consecutive examples, [groups, parameters].

    One pass for all groups of *x*, as the model sees them; ``learner.model.gradient`` stays as it is.
    """
    rows, right, excluded = targets
    with torch.inference_mode(learner.model.by_hand):
        passed = learner.model.run(x, rows)
        weights = torch.cat([passed.logits.new_full((size,), 1 / size) for size in sizes])
        _, error = weighted_cross_entropy(passed.logits, right, weights, excluded)
        return learner.gradients_by_group(passed, error, sizes)


def as_numbers(products: Tensor) -> Vector:
    """Few numbers, for computing on them in double precision."""
    return products.double().cpu().numpy()
