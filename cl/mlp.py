"""A multilayer perceptron over one flat vector of parameters, with its gradients written by hand.

All parameters of a model are views of ``theta``, so a method or an optimiser works on one vector instead
of a list of tensors, and a head that grows appends to it: what was there keeps its place. The output
layer is stored as rows ``[weights..., bias]``, one per output.

The gradient of the mean cross-entropy is written by hand: for these networks that takes fewer and larger
operations than a recorded graph, and it gives per-example gradients for the Fisher almost for free.
``forward`` is ordinary PyTorch, so everything else that autograd can do still works.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from cl.kernels import cross_entropy, relu_affine, relu_backward_
from cl.randomness import generator

TaskIds = int | Tensor
"""The task of a whole batch, or of each of its examples (int64 [n])."""


class Targets(NamedTuple):
    """Which outputs compete for a batch and which of them are right."""

    rows: slice
    """Outputs that take part, as rows of the output layer."""
    right: Tensor
    """int64 [n]: the right output of each example, counted from ``rows.start``."""
    excluded: Tensor | None
    """bool [n, outputs]: outputs that are closed to an example, or None."""


class _Outputs(NamedTuple):
    """Some rows of the output layer, as views of ``theta`` and of its gradient."""

    weight: Tensor
    bias: Tensor
    weight_gradient: Tensor
    bias_gradient: Tensor


class MLP(nn.Module):
    """Hidden ReLU layers under a block of output rows per task.

    Args:
        input_dim: features of an example.
        hidden_dims: units of each hidden layer.
        seed: the trial's seed. Hidden layers and the outputs of each task have their own random streams
            (torch's default uniform initialisation), so they are the same whatever happens in between.
    """

    def __init__(self, input_dim: int, hidden_dims: Sequence[int], *, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed
        self.dims = (input_dim, *hidden_dims)
        self.starts = [0]  # row at which each task's outputs begin; the last entry is the row count
        layers = [
            _uniform(outputs * (inputs + 1), inputs, generator(seed, "init", "hidden", depth))
            for depth, (inputs, outputs) in enumerate(pairwise(self.dims))
        ]
        self.trunk_size = sum(len(layer) for layer in layers)
        self.theta = nn.Parameter(torch.cat(layers))
        self._bind()

    @property
    def outputs(self) -> int:
        """Rows of the output layer."""
        return self.starts[-1]

    @property
    def gradient(self) -> Tensor:
        """The gradient that `loss_gradient` wrote last: a vector as long as ``theta``."""
        return self._gradient

    def initial_rows(self, task: int, count: int) -> Tensor:
        """Untrained output rows of *task*: float32 [count, hidden + 1], the bias last."""
        width = self.dims[-1]
        rows = _uniform(count * (width + 1), width, generator(self.seed, "init", "outputs", task))
        return rows.view(count, width + 1).to(self.theta.device)

    def append_outputs(self, count: int) -> None:
        """Append *count* outputs for the next task; all earlier parameters keep their values and places."""
        rows = self.initial_rows(len(self.starts) - 1, count)
        self.starts.append(self.outputs + count)
        self.theta = nn.Parameter(torch.cat([self.theta.detach(), rows.flatten()]))
        self._bind()

    def begin_task(self, task: int, outputs: int) -> None:
        """Make room for *task*, which needs *outputs* outputs (class-il: new ones)."""
        raise NotImplementedError

    def targets(self, y: Tensor, task: TaskIds) -> Targets:
        """Say which outputs compete for labels *y*; here all of them."""
        del task
        return Targets(slice(0, self.outputs), y, None)

    def moved_by(self, task: TaskIds) -> list[slice]:
        """Parts of ``theta`` that a batch of *task* may move; here everything."""
        del task
        return [slice(0, self.theta.shape[0])]

    def can_answer(self, task: int, largest_label: int) -> bool:
        """Whether the model has an output for every label of *task*."""
        del task
        return largest_label < self.outputs

    @torch.no_grad()
    def predict(self, x: Tensor, task: int, outputs: int | None = None) -> Tensor:
        """Predicted labels, int64 [n], of inputs float32 [n, features]; *task* counts where it is known.

        *outputs* is the width of a head that *task* does not have yet.
        """
        del task, outputs
        return self._predict(x, self.rows)

    def _predict(self, x: Tensor, rows: Tensor) -> Tensor:
        return functional.linear(self._activations(x)[-1], rows[:, :-1], rows[:, -1]).argmax(1)

    def forward(self, x: Tensor, task_id: int | None = None) -> Tensor:
        """Logits [n, outputs] of *x* [n, features]; *task_id* selects the head where there are several."""
        theta, start = self.theta, 0
        for inputs, outputs in pairwise(self.dims):
            weight = theta[start : start + inputs * outputs].view(inputs, outputs)
            bias = theta[start + inputs * outputs : start + (inputs + 1) * outputs]
            x = torch.relu(torch.addmm(bias, x, weight))
            start += (inputs + 1) * outputs
        rows = theta[start:].view(self.outputs, -1)[self._head(task_id)]
        return functional.linear(x, rows[:, :-1], rows[:, -1])

    def _head(self, task_id: int | None) -> slice:
        del task_id
        return slice(0, self.outputs)

    @torch.inference_mode()
    def loss_gradient(self, x: Tensor, y: Tensor, task: TaskIds) -> Tensor:
        """Return the mean cross-entropy of a batch (0-d) and write its gradient to `gradient`."""
        targets = self.targets(y, task)
        activations = self._activations(x)
        log_probabilities = self._log_probabilities(activations[-1], targets)
        loss, error = cross_entropy(log_probabilities, targets.right)
        if targets.rows.stop - targets.rows.start < self.outputs:
            self._row_gradients.zero_()  # the other heads: whatever an earlier batch left there
        outputs = self._outputs(targets.rows)
        torch.mm(error.t(), activations[-1], out=outputs.weight_gradient)
        torch.sum(error, 0, out=outputs.bias_gradient)
        error = error.mm(outputs.weight)
        for depth in reversed(range(len(self._weights))):
            relu_backward_(error, activations[depth + 1])
            torch.mm(activations[depth].t(), error, out=self._weight_gradients[depth])
            torch.sum(error, 0, out=self._bias_gradients[depth])
            if depth:
                error = error.mm(self._weights[depth].t())
        return loss

    @torch.no_grad()
    def squared_gradients(self, x: Tensor, y: Tensor, task: TaskIds, labels: str, draws: Tensor) -> Tensor:
        """Sum over a batch of squared per-example gradients of the log-likelihood: the Fisher's diagonal.

        A linear layer's per-example gradient is an outer product, so its square summed over a batch is
        one matrix product of squares.

        Args:
            x: inputs, float [n, features].
            y: labels, int64 [n].
            task: their task or tasks.
            labels: ``exact`` weights every label by its softmax probability, ``sampled`` takes the one
                that *draws* selects, ``empirical`` takes the true one.
            draws: uniform numbers [n] for ``sampled``.

        Returns:
            A vector as long as ``theta``.
        """
        targets = self.targets(y, task)
        activations = self._activations(x)
        probabilities = self._log_probabilities(activations[-1], targets).exp_()
        total = torch.zeros_like(self.theta)
        if labels == "exact":
            choices = [(torch.full_like(targets.right, c), p) for c, p in enumerate(probabilities.unbind(1))]
        elif labels == "sampled":
            drawn = (probabilities.cumsum(1) < draws[:, None]).sum(1).clamp_(max=probabilities.shape[1] - 1)
            choices = [(drawn, torch.ones_like(draws))]
        else:
            choices = [(targets.right, torch.ones_like(draws))]
        for label, weight in choices:
            error = probabilities.clone()
            error.scatter_add_(1, label[:, None], error.new_full((len(label), 1), -1.0))
            self._add_squares(total, activations, error, targets.rows, weight)
        return total

    def _add_squares(
        self, total: Tensor, activations: list[Tensor], error: Tensor, rows: slice, weight: Tensor
    ) -> None:
        weights, biases, row_sums = _views(total, self.dims)
        weight = weight[:, None]
        squares = error.square().mul_(weight)
        row_sums = row_sums[rows]
        row_sums[:, :-1].addmm_(squares.t(), activations[-1].square())
        row_sums[:, -1] += squares.sum(0)
        error = error.mm(self._outputs(rows).weight)
        for depth in reversed(range(len(self._weights))):
            relu_backward_(error, activations[depth + 1])
            squares = error.square().mul_(weight)
            weights[depth].addmm_(activations[depth].square().t(), squares)
            biases[depth] += squares.sum(0)
            if depth:
                error = error.mm(self._weights[depth].t())

    def _activations(self, x: Tensor) -> list[Tensor]:
        activations = [x]
        for weight, bias in zip(self._weights, self._biases, strict=True):
            activations.append(relu_affine(activations[-1], weight, bias))
        return activations

    def _log_probabilities(self, hidden: Tensor, targets: Targets) -> Tensor:
        outputs = self._outputs(targets.rows)
        logits = torch.addmm(outputs.bias, hidden, outputs.weight.t())
        if targets.excluded is not None:
            logits.masked_fill_(targets.excluded, -math.inf)
        return torch.log_softmax(logits, 1)

    def _outputs(self, rows: slice) -> _Outputs:
        """The output layer's *rows*; kept, since a step asks for the same ones again and again."""
        key = rows.start, rows.stop
        if key not in self._kept_outputs:
            values, gradients = self.rows[rows], self._row_gradients[rows]
            self._kept_outputs[key] = _Outputs(
                values[:, :-1], values[:, -1], gradients[:, :-1], gradients[:, -1]
            )
        return self._kept_outputs[key]

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
        self._gradient = torch.zeros_like(self.theta.detach())
        self.theta.grad = self._gradient  # so that torch's own optimisers find it
        self._weights, self._biases, self.rows = _views(self.theta.detach(), self.dims)
        self._kept_outputs: dict[tuple[int, int], _Outputs] = {}
        gradients = _views(self._gradient, self.dims)
        self._weight_gradients, self._bias_gradients, self._row_gradients = gradients


def _views(vector: Tensor, dims: Sequence[int]) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """See a flat vector as hidden weights [in, out], hidden biases [out] and output rows [R, hidden + 1].

    Weights are stored [in, out], not as in `torch.nn.Linear`: the matrix products of a step are faster so.
    """
    weights, biases, start = [], [], 0
    for inputs, outputs in pairwise(dims):
        end = start + inputs * outputs
        weights.append(vector[start:end].view(inputs, outputs))
        biases.append(vector[end : end + outputs])
        start = end + outputs
    return weights, biases, vector[start:].view(-1, dims[-1] + 1)


def _uniform(count: int, fan_in: int, random: torch.Generator) -> Tensor:
    """Draw torch's default initialisation of a linear layer: uniform within 1 / sqrt(fan_in)."""
    bound = 1 / math.sqrt(fan_in)
    return torch.rand(count, generator=random).mul_(2 * bound).sub_(bound)
