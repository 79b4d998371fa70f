"""The matrix products that a step of each method cannot avoid, and how long they alone take.

For the MLP 784-256-256 of the speed benchmarks: per pass of rows two products forward, one for the error of
the first hidden layer, and two for the gradients of the weights (of each group of rows, where a method needs
several gradients). The output layer and everything that is not a product are left out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from strategies import BATCH, BUFFER, HIDDEN, MEMORY_PER_TASK
from torch import Tensor

SAMPLE = 256
"""A-GEM's sample of remembered examples."""

Shape = tuple[int, int, int]
"""A product [m, k] @ [k, n], in that order."""


def products_of(method: str, task: int, features: int) -> list[Shape]:
    """The products of a step of *method* in *task* (0-based), at the settings of the speed benchmarks."""
    past = int(task > 0)
    if method == "pnn":
        columns = [shape for column in range(task + 1) for shape in _forward(features, BATCH, column)]
        return columns + _backward(features, BATCH, task)
    groups = {
        "replay": [[BATCH + BATCH * past]],
        "der": [[2 * BATCH]],
        # What is in both of its mini-batches, BATCH of the BUFFER examples each, passes once.
        "derpp": [[3 * BATCH - BATCH * BATCH // BUFFER]],
        "gem": [[BATCH], [MEMORY_PER_TASK] * task],
        "agem": [[BATCH], [SAMPLE] * past],
    }
    return [shape for each in groups.get(method, [[BATCH]]) for shape in _learning(features, *each)]


def _learning(features: int, *groups: int) -> list[Shape]:
    """A pass forward of all rows, and the way back with a gradient for each group of them."""
    rows = sum(groups)
    if not rows:
        return []
    weights = [shape for g in groups for shape in ((features, g, HIDDEN), (HIDDEN, g, HIDDEN))]
    return [(rows, features, HIDDEN), (rows, HIDDEN, HIDDEN), (rows, HIDDEN, HIDDEN), *weights]


def _forward(features: int, rows: int, laterals: int) -> list[Shape]:
    """A progressive column: two layers, each with so many lateral connections."""
    return [(rows, features, HIDDEN), (rows, HIDDEN, HIDDEN), *[(rows, HIDDEN, HIDDEN)] * (2 * laterals)]


def _backward(features: int, rows: int, laterals: int) -> list[Shape]:
    return [
        (rows, HIDDEN, HIDDEN),
        (features, rows, HIDDEN),
        (HIDDEN, rows, HIDDEN),
        *[(HIDDEN, rows, HIDDEN)] * (2 * laterals),
    ]


def seconds_of(shapes: Sequence[Shape], repeats: int = 50) -> float:
    """Seconds that these products take, one after the other, results written where they belong."""
    operands: list[tuple[Tensor, Tensor, Tensor]] = []
    for m, k, n in shapes:
        # The gradients of weights multiply by a transposed matrix of activations, as they lie in memory.
        left = torch.rand(k, m).t() if k < m else torch.rand(m, k)
        operands.append((left, torch.rand(k, n), torch.empty(m, n)))
    start = time.perf_counter()
    for _ in range(repeats):
        for left, right, out in operands:
            torch.mm(left, right, out=out)
    return (time.perf_counter() - start) / repeats
