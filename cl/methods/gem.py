"""Gradient Episodic Memory.

Lopez-Paz & Ranzato 2017 (NeurIPS), equations 8 to 11. The memory of each old task k gives a gradient g_k, a
row of G. Where the new examples' gradient g would increase an old task's loss, <g, g_k> < 0, the step follows
the nearest vector that does not, found by its dual, a problem with one variable per old task:

    minimise 1/2 v' GG' v + (Gg)' v  over v >= margin,    g~ = G'v + g.
"""

from __future__ import annotations

import numpy as np
import quadprog
from torch import Tensor

from cl.batch import Batch
from cl.learner import Learner
from cl.methods.episodic import SMALLEST, Episodic, Vector, mean_gradients
from cl.registry import GEMSettings

RIDGE = 1e-3
"""Added to the Gram matrix of the normalised gradients, which is singular where old tasks agree."""


class GEM(Episodic):
    """Step so that no old task's loss increases."""

    Settings = GEMSettings
    settings: GEMSettings

    def begin_task(self, learner: Learner, data: Batch) -> None:
        """Find once what the memory is trained towards."""
        super().begin_task(learner, data)
        if self._past is not None:
            self._targets = learner.model.targets(self._past.y, self._past.task)

    def past_gradients(self, learner: Learner, past: Batch) -> Tensor:
        """One gradient per old task, over all that is remembered of it."""
        return mean_gradients(learner, past.x, self._targets, self.memory.sizes)

    def multipliers(self, gram: Vector, products: Vector) -> Vector:
        """The solution of the dual problem."""
        return dual_solution(gram, products, self.settings.margin)


def dual_solution(gram: Vector, products: Vector, margin: float) -> Vector:
    """Minimise 1/2 v' gram v + products' v over v >= margin, with a ridge of `RIDGE` |g_k|^2 on the diagonal.

    Args:
        gram: GG', float64 [k, k].
        products: Gg, float64 [k].
        margin: the least value of every v_k.

    >>> v = dual_solution(np.array([[4.0]]), np.array([-2.0]), margin=0.0)
    >>> v.round(2).tolist()
    [0.5]
    """
    # Solved for |g_k| v_k: with gradients of length 1 the ridge, like the problem, knows no unit of the loss.
    norms = np.sqrt(gram.diagonal().clip(min=SMALLEST))
    identity = np.eye(len(norms))
    cosines = gram / np.outer(norms, norms) + RIDGE * identity
    scaled = quadprog.solve_qp(cosines, -products / norms, identity, margin * norms)[0]
    v: Vector = scaled / norms
    return v
