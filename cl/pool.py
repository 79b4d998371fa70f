"""Where the mini-batches of a task come from: its own examples, then the remembered ones."""

from __future__ import annotations

import torch
from torch import Tensor

from cl.learner import Batch, Learner


class Pool:
    """A task's own examples and the remembered ones in one place, so that a mini-batch is one look-up."""

    def __init__(self, learner: Learner, own: Batch, remembered: Batch | None) -> None:
        self._learner = learner
        self._own = own
        self._count = len(own)
        self._together = own if remembered is None else own.joined(remembered)

    def batch(self, index: Tensor, drawn: Tensor | None) -> Batch:
        """The task's own examples at *index*, then the remembered ones at *drawn*, as the model sees them."""
        if drawn is None or not drawn.shape[0]:
            return self._learner.prepared(self._own.take(index.to(self._learner.device)))
        index = torch.cat([index, drawn + self._count])
        return self._learner.prepared(self._together.take(index.to(self._learner.device)))
