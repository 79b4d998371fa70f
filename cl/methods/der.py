"""Dark Experience Replay: remembered examples are matched on the logits that they had.

Buzzega et al. 2020 (Dark Experience for General Continual Learning), algorithm 1 and equation 5: with a
reservoir M of (x, z), the logits z being those at insertion,

    L = L_task(theta) + alpha E_{(x, z) ~ M} ||z - h_theta(x)||^2.

The reservoir fills during training: after each step its new examples are offered.
"""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cl.batch import Batch
from cl.learner import Learner
from cl.losses import squared_error, weighted_cross_entropy
from cl.memory import STEPS_AHEAD, Reservoir
from cl.methods.base import Diagnostics, Method
from cl.randomness import generator
from cl.registry import DERppSettings, DERSettings, MethodSettings


class Draw(NamedTuple):
    """What a step takes from memory: examples to match, and independently of them examples to learn again.

    Those that were drawn for both pass through the model once.
    """

    places: Tensor
    """Of all of them, first those to match, last those to learn: int64 [n]."""
    matched: Tensor
    """The places of those to match: int64 [m]."""
    weights: Tensor
    """The weights in the cross-entropy of the drawn and then of the new examples: [n + new]."""


class DER(Method):
    """Keep answering remembered examples as they were answered when they were seen."""

    Settings: ClassVar[type[MethodSettings]] = DERSettings
    settings: DERSettings | DERppSettings

    def __init__(
        self, settings: DERSettings | DERppSettings | None = None, **hyperparameters: object
    ) -> None:
        super().__init__(settings, **hyperparameters)
        self.memory = Reservoir(self.settings.buffer_size)

    def begin_task(self, learner: Learner, data: Batch) -> None:
        """Follow a head that grew: what is remembered has no logits of new outputs, that is, -inf."""
        self.memory.begin_task(learner, data, generator(learner.seed, "dark-reservoir", learner.task))
        columns = self.memory.columns
        logits = columns.get("logits", learner.theta.new_zeros(0, 0))
        grown = learner.model.outputs - logits.shape[1]
        columns["logits"] = functional.pad(logits, (0, grown), value=-math.inf)
        seed, task = learner.seed, learner.task
        self._random = generator(seed, "dark", task)
        self._overlaps = np.random.default_rng(generator(seed, "dark-overlaps", task).initial_seed())
        self._draws: list[Draw] = []
        self._drawn_for = 0, 0

    def gradient(self, learner: Learner, data: Batch, index: Tensor) -> Tensor:
        """One pass over remembered and new examples; then the new ones are offered with their logits."""
        memory, new = self.memory, index.shape[0]
        drawn = self._draw(new, learner.device)
        matched = drawn.matched.shape[0]
        batch = learner.mini_batch(memory.batch, drawn.places, (data, index))
        stored = memory.columns["logits"].index_select(0, drawn.matched)
        with torch.inference_mode(learner.model.by_hand):
            rows, right, excluded = learner.model.targets(batch.y, batch.tasks)
            passed = learner.model.run(batch.x, rows)
            logits = passed.logits.detach()
            loss, error = weighted_cross_entropy(logits, right, drawn.weights, excluded)
            missed, pull = squared_error(logits[:matched], stored)
            loss.add_(missed, alpha=self.settings.alpha)
            error[:matched].add_(pull, alpha=self.settings.alpha)
            learner.backpropagate(passed, error)
            answers = logits if excluded is None else logits.masked_fill(excluded, -math.inf)
        memory.offer(data, index, logits=answers[-new:])
        return loss

    def _draw(self, new: int, device: torch.device) -> Draw:
        held = self.memory.held
        if not self._draws or self._drawn_for != (new, held):
            self._drawn_for = new, held
            # Several at once, while the memory is as full as it gets: together they take less time.
            count = STEPS_AHEAD if held == self.memory.size else 1
            self._draws = [self._draw_once(new, held, device) for _ in range(count)]
        return self._draws.pop()

    def _draw_once(self, new: int, held: int, device: torch.device) -> Draw:
        matched = min(new, held)
        labelled = 0 if self.share is None else matched
        # Of two draws without replacement from the same examples, this many are in both.
        both = self._overlaps.hypergeometric(matched, held - matched, labelled) if labelled else 0
        places = self.memory.draw(matched + labelled - both, self._random).to(device)
        weights = torch.zeros(len(places) + new)
        weights[len(places) - labelled :] = (self.share or 0.0) / max(1, labelled)
        weights[len(places) :] = 1 / new
        return Draw(places, places[:matched], weights.to(device))

    @property
    def share(self) -> float | None:
        """The weight of the mean cross-entropy of a draw from memory; None draws none."""
        return None

    def diagnostics(self, learner: Learner) -> Diagnostics:
        """What the memory holds."""
        return self.memory.diagnostics(learner)
