"""Examples with their labels and tasks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cl.heads import TaskIds


@dataclass(frozen=True)
class Batch:
    """Examples [n, features], labels int64 [n], and their task or tasks.

    Stored, the examples are raw pixels; in a mini-batch they are what the model sees.
    """

    x: Tensor
    y: Tensor
    task: TaskIds

    def __len__(self) -> int:
        return self.y.shape[0]  # len() of a tensor goes a long way round

    @property
    def tasks(self) -> Tensor:
        """The task of each example, int64 [n]."""
        return torch.full_like(self.y, self.task) if isinstance(self.task, int) else self.task

    def tasks_at(self, index: Tensor) -> Tensor:
        """The tasks of the examples at *index*, int64 [n]."""
        if isinstance(self.task, int):
            return torch.full_like(index, self.task)
        return self.task.index_select(0, index)

    @property
    def bytes(self) -> int:
        """Memory that the examples, labels and tasks take."""
        parts = (self.x, self.y) if isinstance(self.task, int) else (self.x, self.y, self.task)
        return sum(part.nbytes for part in parts)

    def take(self, index: Tensor) -> Batch:
        """The examples at *index*."""
        task = self.task if isinstance(self.task, int) else self.task.index_select(0, index)
        return Batch(self.x.index_select(0, index), self.y.index_select(0, index), task)

    def joined(self, *others: Batch) -> Batch:
        """These examples, then the *others*; joining nothing changes nothing."""
        parts = [self, *(other for other in others if len(other))]
        if len(parts) == 1:
            return self
        return Batch(
            torch.cat([part.x for part in parts]),
            torch.cat([part.y for part in parts]),
            torch.cat([part.tasks for part in parts]),
        )

    def to(self, device: torch.device) -> Batch:
        """The same examples on *device*."""
        task = self.task if isinstance(self.task, int) else self.task.to(device)
        return Batch(self.x.to(device), self.y.to(device), task)
