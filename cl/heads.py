"""Output layers: which outputs a task adds, and which of them compete for an example.

A head is rows of the output layer, appended task by task; one for each increment kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from cl.registry import Kind

TaskIds = int | Tensor
"""The task of a whole batch, or of each of its examples (int64 [n])."""


class Targets(NamedTuple):
    """Which outputs compete for a batch and which of them are right."""

    rows: slice
    """Outputs that take part, as rows of the output layer."""
    right: Tensor
    """int64 [n]: the right output of each example, counted from ``rows.start``."""
    excluded: Tensor | None
    """bool [n, rows]: outputs that are closed to an example, or None."""


class GrowingHead:
    """One head that grows with the classes, for class-il: all classes seen so far compete."""

    def __init__(self) -> None:
        self.starts = [0]
        """Row at which each block of outputs begins; the last entry is the row count."""

    @property
    def outputs(self) -> int:
        """Rows of the output layer."""
        return self.starts[-1]

    @property
    def rows(self) -> slice:
        """All rows."""
        return slice(0, self.starts[-1])

    def append(self, count: int) -> None:
        """Count *count* more rows, the outputs of the next task."""
        self.starts.append(self.starts[-1] + count)

    def missing(self, task: int, outputs: int) -> int | None:
        """Rows to append before *task*, which brings *outputs* new ones; None where it has its block."""
        return outputs if task == len(self.starts) - 1 else None

    def needed(self, largest_label: int) -> int:
        """Outputs that a next task with labels up to *largest_label* brings."""
        return max(0, largest_label + 1 - self.outputs)

    def targets(self, y: Tensor, task: TaskIds) -> Targets:
        """What a batch with labels *y* of *task* is trained towards."""
        del task
        return Targets(self.rows, y, None)

    def of(self, task: int | None) -> slice:
        """The rows of *task*."""
        del task
        return self.rows

    def has(self, task: int) -> bool:
        """Whether *task* has its rows."""
        del task
        return True

    def can_answer(self, task: int, largest_label: int) -> bool:
        """Whether there is an output for every label of *task* up to *largest_label*."""
        del task
        return largest_label < self.outputs


class SharedHead(GrowingHead):
    """One fixed head that all tasks share, for domain-il."""

    def missing(self, task: int, outputs: int) -> int | None:
        """All *outputs* at the first task, none later."""
        del task
        return None if self.outputs else outputs

    def needed(self, largest_label: int) -> int:
        """Those that all tasks share."""
        return self.outputs or largest_label + 1


class MultiHead(GrowingHead):
    """One head per task, for task-il: the task's identity is known and selects the head."""

    def needed(self, largest_label: int) -> int:
        """A head of its own."""
        return largest_label + 1

    def append(self, count: int) -> None:
        """Count *count* more rows, the head of the next task."""
        super().append(count)
        starts, columns = torch.tensor(self.starts), torch.arange(self.outputs)
        # Of each task, kept since batches that mix tasks ask for them at every step.
        self._first = starts[:-1]
        self._closed = (columns < starts[:-1, None]) | (columns >= starts[1:, None])

    def targets(self, y: Tensor, task: TaskIds) -> Targets:
        """Only the outputs of an example's own head compete."""
        if isinstance(task, int):
            return Targets(self.of(task), y, None)
        self._first, self._closed = self._first.to(y.device), self._closed.to(y.device)
        first, closed = self._first.index_select(0, task), self._closed.index_select(0, task)
        return Targets(self.rows, first + y, closed)

    def has(self, task: int) -> bool:
        """Whether *task* has its head."""
        return task < len(self.starts) - 1

    def can_answer(self, task: int, largest_label: int) -> bool:
        """Always: a task that has no head yet is answered by the head it will start from."""
        del task, largest_label
        return True

    def of(self, task: int | None) -> slice:
        """The rows of one task's head."""
        if task is None or not 0 <= task < len(self.starts) - 1:
            raise ValueError(f"task_id must be 0 to {len(self.starts) - 2}, one of the heads; got {task}")
        return slice(self.starts[task], self.starts[task + 1])


HEADS: Mapping[Kind, type[GrowingHead]] = MappingProxyType(
    {"task-il": MultiHead, "domain-il": SharedHead, "class-il": GrowingHead}
)
"""The head that fits each increment kind."""
