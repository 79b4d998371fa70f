"""Progressive Neural Network: a new column per task beside frozen ones.

Rusu et al. 2016 (arXiv 1606.04671). The model does it all (`cl.progressive`): the optimiser sees the newest
column only, so training is that of `naive`, and nothing that was learned can change.
"""

from __future__ import annotations

from cl.batch import Batch
from cl.learner import Learner
from cl.methods.base import Diagnostics, Method
from cl.progressive import ProgressiveNeuralNet


class PNN(Method):
    """Train the newest column, then freeze it."""

    def begin_task(self, learner: Learner, data: Batch) -> None:
        """Refuse any other model."""
        del data
        _network(learner)

    def consolidate(self, learner: Learner, data: Batch) -> None:
        """Freeze the task's column."""
        del data
        _network(learner).freeze()

    def diagnostics(self, learner: Learner) -> Diagnostics:
        """Parameters that may still learn and those that do not."""
        report = _network(learner).capacity_report()
        return super().diagnostics(learner) | {
            "trainable_parameters": report["trainable_params"],
            "frozen_parameters": report["frozen_params"],
        }


def _network(learner: Learner) -> ProgressiveNeuralNet:
    if not isinstance(learner.model, ProgressiveNeuralNet):
        raise TypeError(f"pnn trains a ProgressiveNeuralNet, not a {type(learner.model).__name__}")
    return learner.model
