"""Scratch: at each task a fresh model trained on that task alone, the reference for forward transfer.

Whether earlier tasks help with a new one shows against a model that never saw them (Lopez-Paz & Ranzato
2017, section 2, measure transfer against an untrained model, which says little where a head is untrained).
"""

from __future__ import annotations

from cl.batch import Batch
from cl.learner import Learner
from cl.methods.base import Method


class Scratch(Method):
    """Forget everything before each task."""

    def begin_task(self, learner: Learner, data: Batch) -> None:
        """Start from the initial weights, with the outputs of every task so far."""
        del data
        learner.restart()
