"""Dark Experience Replay: remembered examples are matched on the logits that they had.

Buzzega et al. 2020 (Dark Experience for General Continual Learning), algorithm 1 and equation 5: with a
reservoir M of (x, z), the logits z being those at insertion,

    L = L_task(theta) + alpha E_{(x, z) ~ M} ||z - h_theta(x)||^2.

The reservoir fills during training: after each step its new examples are offered.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from cl.batch import Batch
from cl.learner import Learner
from cl.losses import squared_error, weighted_cross_entropy
from cl.memory import Reservoir
from cl.methods.base import Diagnostics, Method
from cl.randomness import generator
from cl.registry import DERppSettings, DERSettings, MethodSettings


class DER(Method):
    """Keep answering remembered examples as they were answered when they were seen."""

    Settings: ClassVar[type[MethodSettings]] = DERSettings
    settings: DERSettings | DERppSettings
    draws: ClassVar[tuple[str, ...]] = ("matches",)
    """The mini-batches that a step draws from memory, each with random numbers of its own, matches last."""

    def __init__(
        self, settings: DERSettings | DERppSettings | None = None, **hyperparameters: object
    ) -> None:
        super().__init__(settings, **hyperparameters)
        self.memory = Reservoir(self.settings.buffer_size)

    def begin_task(self, learner: Learner, data: Batch) -> None:
        """Follow a head that grew: what is remembered has no logits of new outputs, that is, -inf."""
        self.memory.begin_task(learner, data)
        columns = self.memory.columns
        logits = columns.get("logits", learner.theta.new_zeros(0, 0))
        grown = learner.model.outputs - logits.shape[1]
        columns["logits"] = functional.pad(logits, (0, grown), value=-math.inf)
        self._offers = generator(learner.seed, "dark-reservoir", learner.task)
        self._draws = [generator(learner.seed, f"dark-{name}", learner.task) for name in self.draws]

    def gradient(self, learner: Learner, data: Batch, index: Tensor) -> Tensor:
        """One pass over new and remembered examples; then the new ones are offered with their logits."""
        new, memory = len(index), self.memory
        *labelled, matched = [memory.draw(new, random) for random in self._draws]
        batch = learner.mini_batch(data, index, (memory.batch, torch.cat([*labelled, matched])))
        stored = memory.columns["logits"].index_select(0, matched.to(learner.device))
        learned = len(batch) - len(stored)
        with torch.inference_mode(learner.model.by_hand):
            rows, right, excluded = learner.model.targets(batch.y, batch.tasks)
            passed = learner.model.run(batch.x, rows)
            logits = passed.logits.detach()
            closed = None if excluded is None else excluded[:learned]
            weights = logits.new_full((learned,), 1 / new)
            weights[new:].fill_(self.share / max(1, learned - new))
            loss, error = weighted_cross_entropy(logits[:learned], right[:learned], weights, closed)
            missed, pull = squared_error(logits[learned:], stored)
            loss.add_(missed, alpha=self.settings.alpha)
            learner.backpropagate(passed, torch.cat([error, pull.mul_(self.settings.alpha)]))
            answers = logits[:new] if closed is None else logits[:new].masked_fill(closed[:new], -math.inf)
        memory.offer(data, self._offers, index, logits=answers)
        return loss

    @property
    def share(self) -> float:
        """The weight of the mean cross-entropy of remembered examples."""
        return 0.0

    def diagnostics(self, learner: Learner) -> Diagnostics:
        """What the memory holds."""
        return self.memory.diagnostics(learner)
