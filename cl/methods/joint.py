"""Joint: at each task a fresh model trained on all tasks so far, the reference for intransigence.

Chaudhry et al. 2018 (Riemannian Walk), section 3: intransigence compares a method's accuracy on a task
with that of a model trained on all data up to it.
"""

from __future__ import annotations

from collections.abc import Iterable

from cl.batch import Batch
from cl.learner import Learner
from cl.methods.base import Diagnostics, Method


class Joint(Method):
    """Forget on purpose, then learn everything seen so far at once."""

    def trains_on(self, task: int) -> Iterable[int]:
        """Tasks 0 to *task*."""
        return range(task + 1)

    def begin_task(self, learner: Learner, data: Batch) -> None:
        """Start from the initial weights, with the outputs of every task so far."""
        earlier = int((data.tasks < learner.task).sum())
        self._earlier_bytes = data.bytes * earlier // len(data)
        learner.restart()

    def diagnostics(self, learner: Learner) -> Diagnostics:
        """Bytes of the examples of earlier tasks."""
        del learner
        return {"memory_bytes": self._earlier_bytes}
