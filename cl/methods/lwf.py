"""Learning without Forgetting.

Li & Hoiem 2016 (ECCV; TPAMI 2018), equations 1 to 3: before a task is learned, the old model answers the
task's own examples, and while it is learned the new model is held to these answers,

    L = L_new + alpha * sum_h L_h,    L_h = mean_x H(softmax(o_h(x) / T), softmax(z_h(x) / T)),

H the cross-entropy of the new logits z under the old ones o at temperature T, h every old head. Or, balanced,
as in van de Ven & Tolias 2019 (Three scenarios for continual learning), at the N-th task

    L = 1/N L_new + alpha * (1 - 1/N) * T^2 * mean_h L_h.
"""

from __future__ import annotations

from itertools import groupby

import torch
from torch import Tensor

from cl.batch import Batch
from cl.learner import Learner
from cl.losses import cross_entropy, distillation
from cl.methods.base import Diagnostics, Method
from cl.registry import LwFSettings

_CHUNK = 1000
"""Examples that the old model answers in one pass."""


class LwF(Method):
    """Hold the new model to the old one's answers to the new task's examples.

    Attributes:
        heads: outputs of each head that the old model has: one per task in task-il, else one in all.
    """

    Settings = LwFSettings
    settings: LwFSettings

    def __init__(self, settings: LwFSettings | None = None, **hyperparameters: object) -> None:
        super().__init__(settings, **hyperparameters)
        self.heads: list[int] = []

    def begin_task(self, learner: Learner, data: Batch) -> None:
        """Record how the model, whose weights are still the old ones, answers the examples of *data*."""
        self._old = slice(0, sum(self.heads))
        self._targets = self._answers(learner, data)
        self._weight, self._old_weight = 1.0, self.settings.alpha
        if self.settings.weight == "balanced":
            self._weight = 1 / (learner.task + 1)
            squared = self.settings.temperature**2
            self._old_weight *= (1 - self._weight) * squared / max(1, len(self.heads))

    @torch.no_grad()
    def _answers(self, learner: Learner, data: Batch) -> Tensor:
        """Softened probabilities of the old outputs, float32 [examples, outputs]."""
        answers = learner.theta.new_empty(len(data), self._old.stop)
        for x, rows in zip(data.x.split(_CHUNK), answers.split(_CHUNK), strict=True):
            logits = learner.model.run(learner.inputs(x), self._old).logits
            for mine, given in zip(self._by_head(rows), self._by_head(logits), strict=True):
                torch.softmax(given / self.settings.temperature, -1, out=mine)
        return answers

    def _by_head(self, outputs: Tensor) -> list[Tensor]:
        """Views [n, heads, outputs] of old outputs [n, all], one for each run of equally wide heads."""
        runs = [(width, len(list(heads))) for width, heads in groupby(self.heads)]
        parts = outputs.split([width * heads for width, heads in runs], 1)
        return [part.unflatten(1, (-1, width)) for part, (width, _) in zip(parts, runs, strict=True)]

    def gradient(self, learner: Learner, data: Batch, index: Tensor) -> Tensor:
        """The gradient and the loss of the new task together with the distillation."""
        batch = learner.mini_batch(data, index)
        model, targets = learner.model, self._targets.index_select(0, index.to(learner.device))
        with torch.inference_mode(model.by_hand):
            rows, right, excluded = model.targets(batch.y, batch.task)
            passed = model.run(batch.x, rows)
            loss, error = cross_entropy(passed.logits, right, excluded)
            old = model.branch(passed, self._old)
            old_loss, old_error = self._distillation(old.logits, targets)
            learner.backpropagate(passed, error.mul_(self._weight), (old, old_error.mul_(self._old_weight)))
        return loss * self._weight + old_loss * self._old_weight

    def _distillation(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The sum over old heads and its gradient [n, old outputs]."""
        total, errors = logits.new_zeros(()), [logits.new_empty(len(logits), 0)]
        for new, old in zip(self._by_head(logits), self._by_head(targets), strict=True):
            loss, error = distillation(new, old, self.settings.temperature)
            total += loss
            errors.append(error.flatten(1))
        return total, torch.cat(errors, 1)

    def consolidate(self, learner: Learner, data: Batch) -> None:
        """Count the finished task's head among the old ones."""
        rows = [learner.model.targets(data.y, task).rows for task in range(learner.task + 1)]
        # Where tasks share their outputs, these are the same rows again and again.
        self.heads = [stop - start for start, stop in sorted({(each.start, each.stop) for each in rows})]

    def diagnostics(self, learner: Learner) -> Diagnostics:
        """Bytes of the recorded answers."""
        del learner
        return {"memory_bytes": self._targets.nbytes}
