"""Memories of examples: a uniform sample of all that were seen, or as many of every class.

What is kept are raw examples, in columns that are written in place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cl.batch import Batch
from cl.learner import Learner
from cl.state import load_state, state_of

# Examples that a reservoir decides about at once, and steps for which a method draws from a memory at once:
# between the products of a step, the same work takes several times as long.
AHEAD = 4096
STEPS_AHEAD = 32


class Memory(ABC):
    """Examples with their labels, their tasks and what else is kept of each, a column for everything.

    Args:
        size: the most examples that it may hold.

    Attributes:
        held: examples that it holds, in the first rows of the columns.
        columns: ``x`` [rows, features], ``y`` and ``task`` [rows], and others; rows beyond *held* are spare.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.held = 0
        self.columns: dict[str, Tensor] = {}

    def begin_task(self, learner: Learner, data: Batch, random: torch.Generator) -> None:
        """Be ready for examples like *data*, those of the task that *learner* begins.

        *random* decides what is kept of them, and serves nothing else.
        """
        self._random = random
        empty = data.take(torch.zeros(0, dtype=torch.int64, device=learner.device))
        kept = {"x": empty.x, "y": empty.y, "task": empty.tasks} | self.columns
        self.columns = {name: column.to(learner.device) for name, column in kept.items()}

    @abstractmethod
    def offer(self, batch: Batch) -> None:
        """Offer the examples of *batch*, each of which may be kept."""

    @property
    def batch(self) -> Batch:
        """The examples that are held; views, which what is offered later overwrites."""
        x, y, task = self.columns["x"], self.columns["y"], self.columns["task"]
        if self.held < y.shape[0]:
            x, y, task = x[: self.held], y[: self.held], task[: self.held]
        return Batch(x, y, task)

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """Places of up to *count* different examples: int64 [m]."""
        return torch.randperm(self.held, generator=random)[:count]

    def diagnostics(self, learner: Learner) -> dict[str, float | int | list[int]]:
        """How much is held, and how many examples are from each task so far."""
        by_task = torch.bincount(self.batch.tasks, minlength=learner.task + 1)
        return {
            "memory_examples": self.held,
            "memory_bytes": sum(column[: self.held].nbytes for column in self.columns.values()),
            "memory_by_task": by_task.tolist(),
        }

    def state(self) -> dict[str, Any]:
        """All of it."""
        return state_of(self)

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from a copy of *state*."""
        load_state(self, state)


class Reservoir(Memory):
    """A uniform random sample, without replacement, of all examples offered so far.

    Vitter 1985, algorithm R: the t-th example offered takes a random place of a full memory with probability
    size / t.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.offered = 0

    def begin_task(self, learner: Learner, data: Batch, random: torch.Generator) -> None:
        """Forget what was decided ahead of offers that never came."""
        super().begin_task(learner, data, random)
        self._decided = self.offered
        self._kept: deque[tuple[int, int]] = deque()

    def offer(self, batch: Batch, index: Tensor | None = None, **more: Tensor) -> None:
        """Offer the examples of *batch* in order, or those at *index*.

        *more* holds the rows of further columns, one for each example that is offered.
        """
        first = self.offered
        self.offered += len(batch) if index is None else index.shape[0]
        while self._decided < self.offered:
            self._decide_ahead()
        # An example may be replaced within the same batch: of a repeated place the last one counts.
        source = {}
        while self._kept and self._kept[0][0] < self.offered:
            number, place = self._kept.popleft()
            source[place] = number - first
        if not source:
            return
        self.held = min(self.offered, self.size)
        # By way of numpy, which reads short lists faster.
        pairs = torch.from_numpy(np.array([list(source), list(source.values())]))
        target, chosen = pairs.to(batch.y.device)
        fresh = batch.take(chosen if index is None else index.to(chosen.device).index_select(0, chosen))
        further = {name: values.index_select(0, chosen) for name, values in more.items()}
        for name, rows in {"x": fresh.x, "y": fresh.y, "task": fresh.tasks, **further}.items():
            self.columns[name] = self._with_room(self.columns[name]).index_copy_(0, target, rows)

    def _decide_ahead(self) -> None:
        """Decide which of the next examples will be kept, and where: one by one that would be slow."""
        t = np.arange(self._decided + 1, self._decided + AHEAD + 1)
        drawn = torch.rand(AHEAD, generator=self._random, dtype=torch.float64).numpy() * t
        places = np.where(t <= self.size, t - 1, drawn.astype(np.int64))
        kept = np.flatnonzero(places < self.size)
        self._kept.extend(zip((self._decided + kept).tolist(), places[kept].tolist(), strict=True))
        self._decided += AHEAD

    def _with_room(self, column: Tensor) -> Tensor:
        """*column*, or a longer copy where it has no room for what is held: at least twice as long."""
        missing = self.held - len(column)
        if missing <= 0:
            return column
        spare = min(max(missing, len(column)), self.size - len(column))
        return torch.cat([column, column.new_zeros(spare, *column.shape[1:])])


class PerClass(Memory):
    """The same number of examples of every class of the stream, each chosen at random.

    A class is a label of a task, or a label alone where tasks count on (class-il). Every example draws a
    random number when it is offered, and of each class the smallest numbers stay: a uniform sample without
    replacement of what was offered of it. A class with too few examples is held whole.

    Attributes:
        quota: examples of each class, the size over the number of classes.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.quota = 0

    def begin_task(self, learner: Learner, data: Batch, random: torch.Generator) -> None:
        """Share the places out among the classes.

        Raises:
            ValueError: there are more classes than places.
        """
        super().begin_task(learner, data, random)
        classes = max(sum(learner.outputs), learner.model.outputs)
        self.quota = self.size // classes
        if not self.quota:
            raise ValueError(
                f"a memory of {self.size} examples cannot hold one of each of {classes} classes; "
                f"a larger buffer_size or memory 'reservoir' can"
            )
        # Labels beyond the task's own outputs are numbered through all tasks already.
        own = learner.outputs[learner.task]
        self._first = 0 if int(data.y.max()) >= own else sum(learner.outputs[: learner.task])
        for name, dtype in (("class", torch.int64), ("number", torch.float64)):
            self.columns.setdefault(name, torch.zeros(0, dtype=dtype, device=learner.device))

    def offer(self, batch: Batch) -> None:
        """Offer the examples of *batch*, of the task that was begun last."""
        numbers = torch.rand(len(batch), generator=self._random, dtype=torch.float64).to(batch.y.device)
        offered = {
            "x": batch.x,
            "y": batch.y,
            "task": batch.tasks,
            "class": batch.y + self._first,
            "number": numbers,
        }
        columns = {name: torch.cat([self.columns[name], values]) for name, values in offered.items()}
        stay = _smallest(columns["class"], columns["number"], self.quota)
        self.columns = {name: column.index_select(0, stay) for name, column in columns.items()}
        self.held = len(stay)


def _smallest(groups: Tensor, numbers: Tensor, count: int) -> Tensor:
    """Places of the *count* smallest numbers of each group, ascending: int64 [m]."""
    order = np.lexsort((numbers.cpu().numpy(), groups.cpu().numpy()))
    ordered = groups.cpu().numpy()[order]
    ranks = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    return torch.from_numpy(np.sort(order[ranks < count])).to(groups.device)
