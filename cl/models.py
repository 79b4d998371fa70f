"""The three multilayer perceptrons of the article, one per increment kind.

They differ in their output layer alone: which rows a task adds, and which of them compete for an example.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cl.mlp import MLP, Targets, TaskIds
from cl.registry import Kind


class MultiHeadMLP(MLP):
    """One head per task, for task-il: the task's identity is known and selects the head.

    >>> model = MultiHeadMLP(input_dim=4, hidden_dims=[8], head_output_dim=2)
    >>> model.add_task_head(), model.add_task_head()
    (0, 1)
    >>> model(torch.zeros(3, 4), task_id=1).shape
    torch.Size([3, 2])
    """

    def __init__(
        self, input_dim: int, hidden_dims: Sequence[int], head_output_dim: int = 2, *, seed: int = 0
    ) -> None:
        super().__init__(input_dim, hidden_dims, seed=seed)
        self.head_output_dim = head_output_dim

    def add_task_head(self, outputs: int | None = None) -> int:
        """Append a head (by default of ``head_output_dim`` outputs) and return its task."""
        self.append_outputs(self.head_output_dim if outputs is None else outputs)
        return len(self.starts) - 2

    def begin_task(self, task: int, outputs: int) -> None:
        """Give *task* its head."""
        if task == len(self.starts) - 1:
            self.add_task_head(outputs)

    def targets(self, y: Tensor, task: TaskIds) -> Targets:
        """Only the outputs of an example's own head compete."""
        if isinstance(task, int):
            return Targets(self._head(task), y, None)
        starts = torch.tensor(self.starts, device=y.device)
        first, end = starts[task], starts[task + 1]
        columns = torch.arange(self.outputs, device=y.device)
        excluded = (columns < first[:, None]) | (columns >= end[:, None])
        return Targets(slice(0, self.outputs), first + y, excluded)

    def moved_by(self, task: TaskIds) -> list[slice]:
        """The trunk and the head of *task*; all heads where a batch mixes tasks."""
        if not isinstance(task, int):
            return super().moved_by(task)
        head, width = self._head(task), self.dims[-1] + 1
        return [
            slice(0, self.trunk_size),
            slice(self.trunk_size + head.start * width, self.trunk_size + head.stop * width),
        ]

    def can_answer(self, task: int, largest_label: int) -> bool:
        """Always: a task that has no head yet is answered by the head it will start from."""
        del task, largest_label
        return True

    @torch.no_grad()
    def predict(self, x: Tensor, task: int, outputs: int | None = None) -> Tensor:
        """Predicted labels within *task*; before its head exists (*outputs* wide), by its untrained head."""
        if task < len(self.starts) - 1:
            return self._predict(x, self.rows[self._head(task)])
        return self._predict(x, self.initial_rows(task, outputs or self.head_output_dim))

    def _head(self, task_id: int | None) -> slice:
        if task_id is None or not 0 <= task_id < len(self.starts) - 1:
            raise ValueError(f"task_id must be 0 to {len(self.starts) - 2}, one of the heads; got {task_id}")
        return slice(self.starts[task_id], self.starts[task_id + 1])


class SingleHeadMLP(MLP):
    """One head that grows with the classes, for class-il: all classes seen so far compete.

    >>> model = SingleHeadMLP(input_dim=4, hidden_dims=[8], initial_classes=2)
    >>> before = model(torch.ones(1, 4))
    >>> model.expand_head(n_new_classes=2)
    >>> after = model(torch.ones(1, 4))
    >>> after.shape, torch.allclose(after[:, :2], before)
    (torch.Size([1, 4]), True)
    """

    def __init__(
        self, input_dim: int, hidden_dims: Sequence[int], initial_classes: int = 0, *, seed: int = 0
    ) -> None:
        super().__init__(input_dim, hidden_dims, seed=seed)
        if initial_classes:
            self.append_outputs(initial_classes)

    def expand_head(self, n_new_classes: int) -> None:
        """Append outputs for new classes; the old rows keep their values bit for bit."""
        self.append_outputs(n_new_classes)

    def begin_task(self, task: int, outputs: int) -> None:
        """Give *task* its *outputs* new classes."""
        if task == len(self.starts) - 1:
            self.expand_head(outputs)


class DomainMLP(MLP):
    """One fixed head that all tasks share, for domain-il.

    >>> DomainMLP(input_dim=4, hidden_dims=[8], output_dim=10)(torch.zeros(3, 4)).shape
    torch.Size([3, 10])
    """

    def __init__(
        self, input_dim: int, hidden_dims: Sequence[int], output_dim: int = 0, *, seed: int = 0
    ) -> None:
        super().__init__(input_dim, hidden_dims, seed=seed)
        if output_dim:
            self.append_outputs(output_dim)

    def begin_task(self, task: int, outputs: int) -> None:
        """Make the head at the first task; later ones share it."""
        if task == 0 and not self.outputs:
            self.append_outputs(outputs)


MODELS: dict[Kind, type[MLP]] = {
    "task-il": MultiHeadMLP,
    "domain-il": DomainMLP,
    "class-il": SingleHeadMLP,
}
"""The model that fits each increment kind."""
