"""Experience replay: stored examples of earlier tasks in every mini-batch.

Robins 1995 (Catastrophic forgetting, rehearsal and pseudorehearsal). The memory is a uniform sample of
everything seen (Vitter 1985), or holds as many examples of every class of the stream. The losses of new and
old examples are averaged as one batch, or balanced as by van de Ven et al. 2022 (Three types of incremental
learning): at the N-th task

    L = 1/N L_new + (1 - 1/N) L_replayed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cl.batch import Batch
from cl.learner import Learner
from cl.losses import weighted_cross_entropy
from cl.memory import STEPS_AHEAD, Memory, PerClass, Reservoir
from cl.methods.base import Diagnostics, Method
from cl.randomness import generator
from cl.registry import ReplaySettings


def replay_count(new: int, ratio: float) -> int:
    """Examples from memory that make up the share *ratio* of a batch with *new* other ones.

    >>> replay_count(64, 0.5), replay_count(64, 0.25), replay_count(64, 0.0)
    (64, 21, 0)
    """
    return round(new * ratio / (1 - ratio))


class Replay(Method):
    """Rehearse stored examples of earlier tasks in every mini-batch."""

    Settings = ReplaySettings
    settings: ReplaySettings

    def __init__(self, settings: ReplaySettings | None = None, **hyperparameters: object) -> None:
        super().__init__(settings, **hyperparameters)
        kind = Reservoir if self.settings.memory == "reservoir" else PerClass
        self.memory: Memory = kind(self.settings.buffer_size)

    def begin_task(self, learner: Learner, data: Batch) -> None:
        """Draw from a stream of random numbers of the task's own."""
        self.memory.begin_task(learner, data, generator(learner.seed, "reservoir", learner.task))
        self._random = generator(learner.seed, "memory", learner.task)
        self._orders: list[Tensor] = []

    def gradient(self, learner: Learner, data: Batch, index: Tensor) -> Tensor:
        """The cross-entropy of the new examples and those from memory, together or balanced."""
        if not self._orders:
            # The memory stays as it is until the task ends, and several draws at once take less time.
            self._orders = [self.memory.draw(self.memory.held, self._random) for _ in range(STEPS_AHEAD)]
        drawn = self._orders.pop(0)[: replay_count(index.shape[0], self.settings.ratio)]
        batch = learner.mini_batch(data, index, (self.memory.batch, drawn))
        if self.settings.loss_weight == "batch" or not len(drawn):
            return learner.loss_gradient(batch)
        return _balanced(learner, batch, len(index))

    def consolidate(self, learner: Learner, data: Batch) -> None:
        """Offer the finished task's examples to the memory, each once."""
        del learner
        self.memory.offer(data)

    def diagnostics(self, learner: Learner) -> Diagnostics:
        """What the memory holds."""
        return self.memory.diagnostics(learner)


def _balanced(learner: Learner, batch: Batch, new: int) -> Tensor:
    """Write the gradient of the balanced loss, the first *new* examples of *batch* being new; return it."""
    share, old = 1 / (learner.task + 1), len(batch) - new
    weights = batch.x.new_full((len(batch),), share / new)
    weights[new:] = (1 - share) / old
    with torch.inference_mode(learner.model.by_hand):
        rows, right, excluded = learner.model.targets(batch.y, batch.task)
        passed = learner.model.run(batch.x, rows)
        loss, error = weighted_cross_entropy(passed.logits, right, weights, excluded)
        learner.backpropagate(passed, error)
    return loss
