"""A network over one flat vector of parameters: a trunk, then the rows of an output layer that may grow.

All parameters are views of ``theta``, so a method or an optimiser works on one vector instead of a list of
tensors, and a head that grows appends to it: what was there keeps its place. The output layer is stored as
rows ``[weights..., bias]``, one per output, after the trunk.

A pass forward (`run`) and the way back (`backpropagate`) are two calls: what happens between them, the loss,
is a function of the logits. ``forward`` is ordinary PyTorch, for everything else that autograd can do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from cl.heads import GrowingHead, Targets, TaskIds
from cl.randomness import generator
from cl.trunks import Trunk, uniform


class Pass(NamedTuple):
    """A pass of inputs through the network, kept for the way back."""

    logits: Tensor
    """float [n, rows]."""
    rows: slice
    """The outputs that the logits are of, as rows of the output layer."""
    hidden: Tensor
    """Activations under the output layer, [n, width]."""
    trace: Any
    """What the trunk needs for the way back."""


class _Outputs(NamedTuple):
    """Some rows of the output layer, as views of ``theta`` and of its gradient."""

    weight: Tensor
    bias: Tensor
    weight_gradient: Tensor
    bias_gradient: Tensor


class Network(nn.Module):
    """A trunk under a head.

    Args:
        trunk: what lies under the output layer.
        head: which outputs there are and which compete.
        seed: the trial's seed. The trunk and the outputs of each task have their own random streams, so they
            are the same whatever happens in between.
    """

    frozen = 0

    def __init__(self, trunk: Trunk, head: GrowingHead, *, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed
        self.trunk = trunk
        self.head = head
        self.theta = nn.Parameter(trunk.initial(seed))
        self._bind()

    @property
    def outputs(self) -> int:
        """Rows of the output layer."""
        return self.head.outputs

    @property
    def by_hand(self) -> bool:
        """Whether gradients are computed without autograd."""
        return self.trunk.by_hand

    @property
    def gradient(self) -> Tensor:
        """The gradient that was written last: a vector as long as ``theta``."""
        return self._gradient

    def begin_task(self, task: int, outputs: int) -> None:
        """Give *task*, which brings *outputs* outputs, what it needs of the output layer."""
        if (count := self.head.missing(task, outputs)) is not None:
            self.append_outputs(count)

    def append_outputs(self, count: int) -> None:
        """Append *count* outputs for the next task; all earlier parameters keep their values and places."""
        rows = self.initial_rows(len(self.head.starts) - 1, count)
        self.theta = nn.Parameter(torch.cat([self.theta.detach(), rows.flatten()]))
        self.head.append(count)
        self._bind()

    def initial_rows(self, task: int, count: int) -> Tensor:
        """Untrained output rows of *task*: float32 [count, width + 1], the bias last."""
        width = self.trunk.width
        rows = uniform(count * (width + 1), width, generator(self.seed, "init", "outputs", task))
        return rows.view(count, width + 1).to(self.theta.device)

    def targets(self, y: Tensor, task: TaskIds) -> Targets:
        """Which outputs compete for a batch with labels *y* of *task*, and which are right."""
        return self.head.targets(y, task)

    def outputs_for(self, largest_label: int) -> int:
        """Outputs that a next task with labels up to *largest_label* brings."""
        return self.head.needed(largest_label)

    def can_answer(self, task: int, largest_label: int) -> bool:
        """Whether the model has an output for every label of *task* up to *largest_label*."""
        return self.head.can_answer(task, largest_label)

    @torch.no_grad()
    def predict(self, x: Tensor, task: int, outputs: int | None = None) -> Tensor:
        """Predicted labels, int64 [n]; *outputs* is the width of a head that *task* does not have yet."""
        rows = self.rows[self.head.of(task)] if self.head.has(task) else self.initial_rows(task, outputs or 2)
        return functional.linear(self.trunk.run(x)[0], rows[:, :-1], rows[:, -1]).argmax(1)

    def forward(self, x: Tensor, task_id: int | None = None) -> Tensor:
        """Logits [n, outputs] of *x* [n, features]; *task_id* selects the head where there are several."""
        hidden = self.trunk.differentiable(self.theta[: self.trunk.size], x)
        rows = self.theta[self.trunk.size :].view(self.outputs, -1)[self.head.of(task_id)]
        return functional.linear(hidden, rows[:, :-1], rows[:, -1])

    def run(self, x: Tensor, rows: slice | None = None) -> Pass:
        """Pass *x* [n, features] through to some *rows* of the output layer, by default all."""
        rows = self.head.rows if rows is None else rows
        hidden, trace = self.trunk.run(x)
        return Pass(self._logits(hidden, rows), rows, hidden, trace)

    def branch(self, passed: Pass, rows: slice) -> Pass:
        """The same pass on to other *rows* of the output layer; the trunk is not run again."""
        return passed._replace(logits=self._logits(passed.hidden, rows), rows=rows)

    def _logits(self, hidden: Tensor, rows: slice) -> Tensor:
        outputs = self._outputs(rows)
        return torch.addmm(outputs.bias, hidden, outputs.weight.t())

    def backpropagate(self, passed: Pass, error: Tensor, *branches: tuple[Pass, Tensor]) -> None:
        """Write to `gradient` what the *error* [n, rows] of the logits of *passed* means for ``theta``.

        *branches* of the same pass, each with its error, add to it on one way back.
        """
        outputs = self._outputs(passed.rows)
        if passed.rows != self.head.rows:
            self._row_gradients.zero_()  # the other rows: whatever an earlier batch left there
        torch.mm(error.t(), passed.hidden, out=outputs.weight_gradient)
        torch.sum(error, 0, out=outputs.bias_gradient)
        hidden_error = error.mm(outputs.weight)
        for branch, branch_error in branches:
            outputs = self._outputs(branch.rows)
            outputs.weight_gradient.addmm_(branch_error.t(), passed.hidden)
            outputs.bias_gradient.add_(branch_error.sum(0))
            hidden_error.addmm_(branch_error, outputs.weight)
        self.trunk.backpropagate(passed.trace, hidden_error)

    def gradients_by_group(self, passed: Pass, error: Tensor, sizes: Sequence[int]) -> Tensor:
        """The gradient of each of several groups of consecutive examples.

        Args:
            passed: a pass of all groups together.
            error: the gradient of every group's own loss with respect to the logits, [n, rows].
            sizes: examples of each group; they add up to n.

        Returns:
            One row per group, float [groups, parameters].
        """
        gradients = error.new_empty(len(sizes), len(self.theta))
        if passed.rows != self.head.rows:
            gradients[:, self.trunk.size :].zero_()  # the other rows
        outputs = self._outputs(passed.rows)
        parts = zip(gradients, error.split(list(sizes)), passed.hidden.split(list(sizes)), strict=True)
        for row, errors, hidden in parts:
            rows = self._rows_of(row)[passed.rows]
            torch.mm(errors.t(), hidden, out=rows[:, :-1])
            torch.sum(errors, 0, out=rows[:, -1])
        self.trunk.gradients_by_group(
            passed.trace, error.mm(outputs.weight), sizes, gradients[:, : self.trunk.size]
        )
        return gradients

    def add_squares(self, passed: Pass, error: Tensor, weight: Tensor, total: Tensor) -> None:
        """Add to *total* [parameters] each example's squared gradient times its *weight* [n].

        *error* [n, rows] holds the gradient of every example's own loss with respect to its logits.
        """
        squares = error.square().mul_(weight[:, None])
        rows = self._rows_of(total)[passed.rows]
        rows[:, :-1].addmm_(squares.t(), passed.hidden.square())
        rows[:, -1] += squares.sum(0)
        error = error.mm(self._outputs(passed.rows).weight)
        self.trunk.add_squares(passed.trace, error, weight, total[: self.trunk.size])

    def parts(self, rows: slice) -> list[slice]:
        """Where in ``theta`` the parameters lie that a loss of *rows* reaches: the trunk and these rows."""
        if rows == self.head.rows:
            return [slice(0, len(self.theta))]
        size, width = self.trunk.size, self.trunk.width + 1
        return [slice(0, size), slice(size + rows.start * width, size + rows.stop * width)]

    def _outputs(self, rows: slice) -> _Outputs:
        """The output layer's *rows*; kept, since a step asks for the same ones again and again."""
        key = rows.start, rows.stop
        if key not in self._kept_outputs:
            values, gradients = self.rows[rows], self._row_gradients[rows]
            self._kept_outputs[key] = _Outputs(
                values[:, :-1], values[:, -1], gradients[:, :-1], gradients[:, -1]
            )
        return self._kept_outputs[key]

    def _rows_of(self, vector: Tensor) -> Tensor:
        return vector[self.trunk.size :].view(self.outputs, self.trunk.width + 1)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move like any module (`to`, `double`), then point the views at the moved vector."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call] # torch declares no types for it
        self._bind()
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Be copied or unpickled like any module, then point the views at the copied vector."""
        super().__setstate__(state)  # type: ignore[no-untyped-call] # torch declares no types for it
        self._bind()

    def _bind(self) -> None:
        theta = self.theta.detach()
        self._gradient = torch.zeros_like(theta)
        self.theta.grad = self._gradient  # so that torch's own optimisers find it
        self.trunk.bind(theta[: self.trunk.size], self._gradient[: self.trunk.size])
        self.rows, self._row_gradients = self._rows_of(theta), self._rows_of(self._gradient)
        self._kept_outputs: dict[tuple[int, int], _Outputs] = {}
