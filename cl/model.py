"""What every model offers to the training loop and to methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from cl.heads import Targets, TaskIds
from cl.network import Pass


class Model(Protocol):
    """A network over one flat vector of parameters, which may grow with the tasks.

    `cl.network.Network` is one for every trunk and head, and says what each function does.
    """

    theta: nn.Parameter
    frozen: int
    """How many tasks have a part of their own that learns no more."""

    @property
    def by_hand(self) -> bool:
        """Whether gradients are computed without autograd."""

    @property
    def gradient(self) -> Tensor:
        """The gradient that was written last: a vector as long as ``theta``."""

    @property
    def outputs(self) -> int:
        """Rows of the output layer."""

    def to(self, device: Any) -> Any:
        """Move to a device."""

    def begin_task(self, task: int, outputs: int) -> None:
        """Give *task*, which brings *outputs* outputs, what it needs."""

    def targets(self, y: Tensor, task: TaskIds) -> Targets:
        """Which outputs compete for a batch with labels *y* of *task*, and which are right."""

    def outputs_for(self, largest_label: int) -> int:
        """Outputs that a next task with labels up to *largest_label* brings."""

    def can_answer(self, task: int, largest_label: int) -> bool:
        """Whether there is an output for every label of *task* up to *largest_label*."""

    def predict(self, x: Tensor, task: int, outputs: int | None = None) -> Tensor:
        """Predicted labels, int64 [n]."""

    def run(self, x: Tensor, rows: slice | None = None) -> Pass:
        """Pass inputs through to some rows of the output layer."""

    def branch(self, passed: Pass, rows: slice) -> Pass:
        """The same pass on to other *rows* of the output layer."""

    def backpropagate(self, passed: Pass, error: Tensor, *branches: tuple[Pass, Tensor]) -> None:
        """Write to `gradient` what the error of the logits means for ``theta``."""

    def gradients_by_group(self, passed: Pass, error: Tensor, sizes: Sequence[int]) -> Tensor:
        """The gradient of each group of consecutive examples, [groups, parameters]."""

    def add_squares(self, passed: Pass, error: Tensor, weight: Tensor, total: Tensor) -> None:
        """Add each example's squared gradient times its weight to *total*."""

    def parts(self, rows: slice) -> list[slice]:
        """Where the parameters lie that a loss of *rows* reaches."""
