"""How models grow with the tasks, computed without building them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise


def column_parameters(input_dim: int, hidden_dims: Sequence[int], outputs: int, laterals: int) -> int:
    """Parameters of one column of a progressive network that *laterals* earlier columns feed.

    >>> column_parameters(784, [256, 256], 2, 0), column_parameters(784, [256, 256], 2, 1)
    (267266, 398338)
    """
    dims = (input_dim, *hidden_dims)
    hidden = sum((below + laterals * units + 1) * units for below, units in pairwise(dims))
    return hidden + (dims[-1] + 1) * outputs


def pnn_parameters(input_dim: int, hidden_dims: Sequence[int], outputs: Sequence[int]) -> list[int]:
    """Parameters of a progressive network after each task, where task k brings ``outputs[k]`` outputs.

    >>> pnn_parameters(784, [256, 256], [2, 2, 2, 2, 2])
    [267266, 665604, 1195014, 1855496, 2647050]
    """
    return list(
        accumulate(column_parameters(input_dim, hidden_dims, count, k) for k, count in enumerate(outputs))
    )
