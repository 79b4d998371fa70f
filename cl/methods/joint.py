"""Joint: at each task a fresh model trained on all tasks so far, the reference for intransigence.

Chaudhry et al. 2018 (Riemannian Walk), section 3: intransigence compares a method's accuracy on a task
with that of a model trained on all data up to it.
"""

from __future__ import annotations

from cl.learner import Batch, Learner
from cl.methods.base import Method
from cl.streams import Stream


class Joint(Method):
    """Forget on purpose, then learn everything seen so far at once."""

    def begin_task(self, learner: Learner, task: int) -> None:
        """Start from the initial weights, with the outputs of every task so far."""
        learner.restart()
        for seen in range(task + 1):
            learner.begin_task(seen)

    def training_data(self, stream: Stream, task: int) -> Batch:
        """The examples of tasks 0 to *task*."""
        data = super().training_data(stream, 0)
        for later in range(1, task + 1):
            data = data.joined(super().training_data(stream, later))
        return data
