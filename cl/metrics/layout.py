"""The accuracy matrix as people print it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cl.metrics.matrix import square

__all__ = ["matrix_text"]

_MISSING = "–"
_NOT_SEEN = "—"


def matrix_text(R: npt.ArrayLike) -> str:
    """The matrix in the layout of papers: — where the task is not learned yet, – where it was not measured.

    >>> print(matrix_text([[0.97, 0.94, np.nan], [0.5, 0.95, 0.93], [np.nan, 0.5, 0.96]]))
                T0    T1    T2
    ──────────────────────────
    Task 0 | 0.970 0.940     –
    Task 1 |     — 0.950 0.930
    Task 2 |     —     — 0.960
    """
    R = square(R)
    tasks = len(R)
    stub, width = len(f"Task {tasks - 1}"), max(5, len(f"T{tasks - 1}"))
    head = " " * (stub + 2) + "".join(f" {f'T{j}':>{width}}" for j in range(tasks))
    lines = [
        f"{f'Task {i}':<{stub}} |"
        + "".join(f" {_cell_text(R[i, j], learned=i <= j):>{width}}" for j in range(tasks))
        for i in range(tasks)
    ]
    return "\n".join([head, "─" * len(head), *lines])


def _cell_text(accuracy: float, *, learned: bool) -> str:
    if not learned:
        return _NOT_SEEN
    return _MISSING if np.isnan(accuracy) else f"{accuracy:.3f}"
