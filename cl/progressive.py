"""Progressive neural networks: a column of its own for every task, fed by all earlier ones, which are frozen.

Rusu et al. 2016 (arXiv 1606.04671) without adapters: at depth d, column k sees its own activation below and,
through linear maps without bias, what every earlier column computes at the same depth,

    h_k[d] = relu(W_k[d] h_k[d-1] + b_k[d] + sum_{j<k} U_kj[d] h_j[d]),

which is one layer over the concatenation of h_k[d-1], h_0[d], ..., h_{k-1}[d]. Nothing lateral reaches the
outputs. All columns lie one after the other in one flat vector, and each is complete in its part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple, NoReturn, Self, TypedDict

import torch
from torch import Tensor, nn

from cl.columns import Hiddens, PNNColumn, Wiring, differentiable, logits_of, through
from cl.heads import MultiHead, Targets, TaskIds
from cl.kernels import relu_affine, relu_backward_
from cl.network import Pass
from cl.registry import MLPSettings
from cl.streams import Stream
from cl.trunks import check_layers


class ColumnCapacity(TypedDict):
    """The size of a column, and whether it still learns."""

    params: int
    frozen: bool


class CapacityReport(TypedDict):
    """The size of a progressive network, in the article's words."""

    n_columns: int
    total_params: int
    frozen_params: int
    trainable_params: int
    per_column: dict[int, ColumnCapacity]


class _Trace(NamedTuple):
    """What a column leaves for the way back."""

    column: int
    inputs: list[Tensor]
    """What each hidden layer saw."""
    activations: list[Tensor]
    """*x*, then what each hidden layer gave."""


class ProgressiveNeuralNet(nn.Module):
    """A column per task, for task-il: the task's identity is known and selects the column.

    Only the newest column learns: the loops of `cl.trainer` see no other (`parts`), and no gradient is
    computed for the others. What each function does for training is said by `cl.network.Network`.

    Args:
        input_dim: features of an example.
        hidden_dims: units of each column's hidden layers.
        output_dim: outputs of a column where nothing else is said.
        seed: the trial's seed. Every column has its own random streams.

    >>> model = ProgressiveNeuralNet(input_dim=784, hidden_dims=[256, 256], output_dim=2)
    >>> model.add_column(), model.add_column()
    (0, 1)
    >>> model(torch.zeros(3, 784), task_id=1).shape
    torch.Size([3, 2])
    >>> report = model.capacity_report()
    >>> report["total_params"], report["frozen_params"], report["trainable_params"]
    (665604, 267266, 398338)
    """

    by_hand = True

    def __init__(
        self, input_dim: int, hidden_dims: Sequence[int], output_dim: int = 2, *, seed: int = 0
    ) -> None:
        super().__init__()
        check_layers(input_dim, hidden_dims)
        self.input_dim = input_dim
        self.hidden_dims = tuple(hidden_dims)
        self.output_dim = output_dim
        self.seed = seed
        self.head = MultiHead()
        self.frozen = 0
        """Columns that do not learn any more."""
        self.theta = nn.Parameter(torch.zeros(0))
        self._bind()

    @classmethod
    def build(cls, settings: MLPSettings, stream: Stream) -> Self:
        """The model for *stream*, without columns yet."""
        return cls(stream.features, settings.hidden, seed=stream.seed)

    @property
    def gradient(self) -> Tensor:
        """The gradient that was written last, as long as ``theta``: 0 outside the newest column."""
        return self._gradient

    @property
    def outputs(self) -> int:
        """Outputs of all columns together."""
        return self.head.outputs

    @property
    def columns(self) -> list[PNNColumn]:
        """The columns, over the memory of ``theta``; the parameters of frozen ones require no gradient."""
        columns = []
        for k, (wiring, part) in enumerate(zip(self._wirings, self._parts, strict=True)):
            shape = wiring.input_dim, wiring.hidden_dims, wiring.output_dim, wiring.n_laterals
            column = PNNColumn(*shape, theta=self.theta.detach()[part])
            columns.append(column.requires_grad_(k >= self.frozen))
        return columns

    def add_column(self, outputs: int | None = None) -> int:
        """Freeze all columns, append one (by default with ``output_dim`` outputs) and return its task."""
        wiring = self._next(outputs)
        self.freeze()
        self.theta = nn.Parameter(torch.cat([self.theta.detach(), self._untrained(wiring)]))
        self.head.append(wiring.output_dim)
        self._bind()
        return wiring.n_laterals

    def freeze(self) -> None:
        """Let no column that exists now learn any more."""
        self.frozen = len(self._wirings)

    def capacity_report(self) -> CapacityReport:
        """Parameters in all, frozen and trainable ones, and those of each column."""
        sizes = [wiring.size for wiring in self._wirings]
        return {
            "n_columns": len(sizes),
            "total_params": sum(sizes),
            "frozen_params": sum(sizes[: self.frozen]),
            "trainable_params": sum(sizes[self.frozen :]),
            "per_column": {k: {"params": size, "frozen": k < self.frozen} for k, size in enumerate(sizes)},
        }

    def begin_task(self, task: int, outputs: int) -> None:
        """Give *task*, which brings *outputs* outputs, its column."""
        if (count := self.head.missing(task, outputs)) is not None:
            self.add_column(count)

    def targets(self, y: Tensor, task: TaskIds) -> Targets:
        """Which outputs compete for a batch with labels *y* of one *task*, and which are right."""
        if not isinstance(task, int):
            raise TypeError("a batch of a progressive network belongs to one task, whose column it trains")
        return self.head.targets(y, task)

    def outputs_for(self, largest_label: int) -> int:
        """Outputs that a next task with labels up to *largest_label* brings."""
        return self.head.needed(largest_label)

    def can_answer(self, task: int, largest_label: int) -> bool:
        """Whether *task* has a column or would get the next one; those beyond hang on columns to come."""
        del largest_label
        return task <= len(self._wirings)

    @torch.no_grad()
    def predict(self, x: Tensor, task: int, outputs: int | None = None) -> Tensor:
        """Predicted labels, int64 [n]; the next task is answered by the column it will start from."""
        if task < len(self._wirings):
            layers = self._layers[task]
        else:
            wiring = self._next(outputs)
            layers = wiring.layers(self._untrained(wiring))
        _, activations = through(layers, x, self._prior(x, task), relu_affine)
        return logits_of(layers, activations[-1]).argmax(1)

    def forward(self, x: Tensor, task_id: int | None = None) -> Tensor:
        """Logits [n, outputs] of *x* [n, features] from the column of *task_id*.

        Ordinary PyTorch, in which the earlier columns are constants.
        """
        column = self._column(self.head.of(task_id))
        with torch.no_grad():
            prior = self._prior(x, column)
        layers = self._wirings[column].layers(self.theta[self._parts[column]])
        _, activations = through(layers, x, prior, differentiable)
        return logits_of(layers, activations[-1])

    def run(self, x: Tensor, rows: slice | None = None) -> Pass:
        """Pass *x* [n, features] through to the outputs *rows* of one column, by default the newest."""
        column = len(self._wirings) - 1 if rows is None else self._column(rows)
        layers = self._layers[column]
        inputs, activations = through(layers, x, self._prior(x, column), relu_affine)
        hidden = activations[-1]
        trace = _Trace(column, inputs, activations)
        return Pass(logits_of(layers, hidden), self.head.of(column), hidden, trace)

    def branch(self, passed: Pass, rows: slice) -> NoReturn:
        """Not offered: no method that needs it goes with a progressive network."""
        raise NotImplementedError("a progressive network has no branches; only `pnn` trains it")

    def backpropagate(self, passed: Pass, error: Tensor, *branches: tuple[Pass, Tensor]) -> None:
        """Write to `gradient` what the *error* [n, outputs] of the newest column's logits means for it."""
        del branches  # there are none: see `branch`
        column, inputs, activations = passed.trace
        if column < self.frozen:
            raise ValueError(f"column {column} is frozen; of {len(self._wirings)} columns the last may learn")
        layers, gradients = self._layers[-1], self._gradients
        torch.mm(error.t(), passed.hidden, out=gradients.output[:, :-1])
        torch.sum(error, 0, out=gradients.output[:, -1])
        error = error.mm(layers.output[:, :-1])
        for depth in reversed(range(len(layers.weights))):
            relu_backward_(error, activations[depth + 1])
            torch.mm(inputs[depth].t(), error, out=gradients.weights[depth])
            torch.sum(error, 0, out=gradients.biases[depth])
            if depth:
                error = error.mm(layers.weights[depth][: activations[depth].shape[1]].t())

    def gradients_by_group(self, passed: Pass, error: Tensor, sizes: Sequence[int]) -> NoReturn:
        """Not offered: no method that needs it goes with a progressive network."""
        raise NotImplementedError("a progressive network has no gradients by group; only `pnn` trains it")

    def add_squares(self, passed: Pass, error: Tensor, weight: Tensor, total: Tensor) -> NoReturn:
        """Not offered: no method that needs it goes with a progressive network."""
        raise NotImplementedError("a progressive network has no squared gradients; only `pnn` trains it")

    def parts(self, rows: slice) -> list[slice]:
        """Where in ``theta`` the newest column lies, all that may move."""
        del rows
        return self._parts[-1:]

    def _next(self, outputs: int | None) -> Wiring:
        """The column that would be appended now."""
        count = self.output_dim if outputs is None else outputs
        return Wiring(self.input_dim, self.hidden_dims, count, len(self._wirings))

    def _untrained(self, wiring: Wiring) -> Tensor:
        return wiring.initial(self.seed).to(self.theta)

    def _prior(self, x: Tensor, column: int) -> list[Hiddens]:
        """The hidden activations of all columns before *column*."""
        prior: list[Hiddens] = []
        for layers in self._layers[:column]:
            prior.append(through(layers, x, prior, relu_affine)[1][1:])
        return prior

    def _column(self, rows: slice) -> int:
        """The column whose outputs are *rows*."""
        return self.head.starts.index(rows.start)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move like any module (`to`, `double`), then point the views at the moved vector."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call] # torch declares no types for it
        self._bind()
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Be copied or pickled without the views, each of which would bring the whole vector along."""
        views = ("_layers", "_gradient", "_gradients")
        return {name: value for name, value in self.__dict__.items() if name not in views}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Point new views at the copied vector."""
        super().__setstate__(state)  # type: ignore[no-untyped-call] # torch declares no types for it
        self._bind()

    def _bind(self) -> None:
        theta = self.theta.detach()
        self._wirings = [
            Wiring(self.input_dim, self.hidden_dims, stop - start, k)
            for k, (start, stop) in enumerate(pairwise(self.head.starts))
        ]
        ends = accumulate((wiring.size for wiring in self._wirings), initial=0)
        self._parts = [slice(start, stop) for start, stop in pairwise(ends)]
        self._layers = [
            wiring.layers(theta[part]) for wiring, part in zip(self._wirings, self._parts, strict=True)
        ]
        self._gradient = torch.zeros_like(theta)  # stays 0 where nothing learns
        if self._wirings:
            self._gradients = self._wirings[-1].layers(self._gradient[self._parts[-1]])
        self.theta.grad = self._gradient  # so that torch's own optimisers find it
