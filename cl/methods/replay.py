"""Experience replay from a reservoir.

Robins 1995 (rehearsal); the memory is a uniform sample of everything seen, kept by Vitter 1985, algorithm
R: the t-th example offered replaces a random place of a full memory with probability size / t.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cl.batch import Batch
from cl.learner import Learner
from cl.methods.base import Diagnostics, Method
from cl.randomness import generator
from cl.registry import ReplaySettings


def replay_count(new: int, ratio: float) -> int:
    """Examples from memory that make up the share *ratio* of a batch with *new* other ones.

    >>> replay_count(64, 0.5), replay_count(64, 0.25), replay_count(64, 0.0)
    (64, 21, 0)
    """
    return round(new * ratio / (1 - ratio))


class Reservoir:
    """A uniform random sample, without replacement, of all examples offered so far."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.offered = 0
        self.memory: Batch | None = None

    def offer(self, batch: Batch, random: torch.Generator) -> None:
        """Offer the examples of *batch* in order."""
        t = torch.arange(self.offered + 1, self.offered + len(batch) + 1, dtype=torch.float64)
        drawn = (torch.rand(len(batch), generator=random, dtype=torch.float64) * t).long()
        places = torch.where(t <= self.size, t.long() - 1, drawn).numpy()
        kept = places < self.size
        self.offered += len(batch)
        # An example may be replaced within the same batch; NumPy keeps the last of repeated places.
        source = np.full(min(self.offered, self.size), -1)
        source[places[kept]] = np.flatnonzero(kept)
        self._write(batch, torch.from_numpy(source))

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """Places of up to *count* different examples: int64 [m]."""
        return torch.randperm(0 if self.memory is None else len(self.memory), generator=random)[:count]

    def _write(self, batch: Batch, source: Tensor) -> None:
        """Put ``batch[source[i]]`` into place i wherever ``source[i]`` is not negative."""
        source = source.to(batch.y.device)
        batch = Batch(batch.x, batch.y, batch.tasks)
        fresh = batch.take(source.clamp(min=0))
        if self.memory is not None:
            old = self.memory.take(
                torch.arange(len(source), device=source.device).clamp_(max=len(self.memory) - 1)
            )
            stays = source < 0
            fresh = Batch(
                torch.where(stays[:, None], old.x, fresh.x),
                torch.where(stays, old.y, fresh.y),
                torch.where(stays, old.tasks, fresh.tasks),
            )
        self.memory = fresh


class Replay(Method):
    """Rehearse stored examples of earlier tasks in every mini-batch."""

    Settings = ReplaySettings
    settings: ReplaySettings

    def __init__(self, settings: ReplaySettings | None = None, **hyperparameters: object) -> None:
        super().__init__(settings, **hyperparameters)
        self.reservoir = Reservoir(self.settings.buffer_size)

    def begin_task(self, learner: Learner, data: Batch) -> None:
        """Draw from a stream of random numbers of the task's own."""
        del data
        self._random = generator(learner.seed, "memory", learner.task)

    def gradient(self, learner: Learner, data: Batch, index: Tensor) -> Tensor:
        """One mean cross-entropy over the new examples and those from memory."""
        memory = self.reservoir.memory
        if memory is None:
            return super().gradient(learner, data, index)
        drawn = self.reservoir.draw(replay_count(len(index), self.settings.ratio), self._random)
        return learner.loss_gradient(learner.mini_batch(data, index, (memory, drawn)))

    def consolidate(self, learner: Learner, data: Batch) -> None:
        """Offer the finished task's examples to the reservoir, each once."""
        self.reservoir.offer(data, generator(learner.seed, "reservoir", learner.task))

    def diagnostics(self, learner: Learner) -> Diagnostics:
        """Examples in memory."""
        del learner
        memory = self.reservoir.memory
        return {"memory_examples": 0 if memory is None else len(memory)}
