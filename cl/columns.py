"""One column of a progressive network: its shape, its parameters in a flat vector, the way through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cl.randomness import generator
from cl.registry.capacity import column_parameters
from cl.trunks import check_layers, uniform

Hiddens = list[Tensor]
"""A column's activation at each depth, float [n, units]."""


class Layers(NamedTuple):
    """The parameters of a column, or their gradient, as views of a vector."""

    weights: list[Tensor]
    """At each depth [inputs, units]; the inputs are the activation below, then the laterals."""
    biases: list[Tensor]
    output: Tensor
    """[outputs, width + 1], the bias last."""


@dataclass(frozen=True)
class Wiring:
    """The shape of a column, and where its parameters lie in its part of a vector."""

    input_dim: int
    hidden_dims: tuple[int, ...]
    output_dim: int
    n_laterals: int

    @property
    def size(self) -> int:
        """Number of parameters."""
        return column_parameters(self.input_dim, self.hidden_dims, self.output_dim, self.n_laterals)

    def initial(self, seed: int) -> Tensor:
        """The untrained column that so many others precede; the first is that of `MultiHeadMLP`."""
        own = ("column", self.n_laterals) if self.n_laterals else ()
        parts = []
        for depth, (below, units) in enumerate(pairwise((self.input_dim, *self.hidden_dims))):
            drawn = uniform((below + 1) * units, below, generator(seed, "init", *own, "hidden", depth))
            weight, bias = drawn.split([below * units, units])
            random = generator(seed, "init", *own, "lateral", depth)
            parts += [weight, uniform(self.n_laterals * units * units, units, random), bias]
        width = (self.input_dim, *self.hidden_dims)[-1]
        random = generator(seed, "init", "outputs", self.n_laterals)
        return torch.cat([*parts, uniform(self.output_dim * (width + 1), width, random)])

    def layers(self, vector: Tensor) -> Layers:
        """See *vector* [size] as a column's parameters."""
        weights, biases, start = [], [], 0
        for below, units in pairwise((self.input_dim, *self.hidden_dims)):
            inputs = below + self.n_laterals * units
            end = start + inputs * units
            weights.append(vector[start:end].view(inputs, units))
            biases.append(vector[end : end + units])
            start = end + units
        return Layers(weights, biases, vector[start:].view(self.output_dim, -1))


def through(
    layers: Layers,
    x: Tensor,
    prior: Sequence[Hiddens],
    affine: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> tuple[list[Tensor], list[Tensor]]:
    """What each hidden layer sees of *x* and of the *prior* columns, and the activations, *x* first."""
    inputs, activations = [], [x]
    for depth, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
        beside = [hiddens[depth] for hiddens in prior]
        inputs.append(torch.cat([activations[-1], *beside], 1) if beside else activations[-1])
        activations.append(affine(inputs[-1], weight[: inputs[-1].shape[1]], bias))
    return inputs, activations


def logits_of(layers: Layers, hidden: Tensor) -> Tensor:
    """Logits [n, outputs] of the last hidden activations."""
    return functional.linear(hidden, layers.output[:, :-1], layers.output[:, -1])


def differentiable(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`cl.kernels.relu_affine`, recorded by autograd."""
    return torch.relu(torch.addmm(bias, x, weight))


class PNNColumn(nn.Module):
    """One column: a perceptron whose hidden layers also see those of *n_laterals* earlier columns.

    Args:
        input_dim: features of an example.
        hidden_dims: units of each hidden layer, the same in all columns.
        output_dim: outputs of its task.
        n_laterals: earlier columns that feed it.
        seed: of its initial weights.
        theta: its parameters, which it then shares; drawn from *seed* by default.

    >>> first, second = PNNColumn(4, [8, 8], 2), PNNColumn(4, [8, 8], 2, n_laterals=1)
    >>> logits, hiddens = first(torch.zeros(3, 4))
    >>> logits, _ = second(torch.zeros(3, 4), prior_hiddens=[hiddens])
    >>> logits.shape, [hidden.shape for hidden in hiddens]
    (torch.Size([3, 2]), [torch.Size([3, 8]), torch.Size([3, 8])])
    """

    def __init__(
        self,
        input_dim: int,
        hidden_dims: Sequence[int],
        output_dim: int,
        n_laterals: int = 0,
        *,
        seed: int = 0,
        theta: Tensor | None = None,
    ) -> None:
        super().__init__()
        check_layers(input_dim, hidden_dims)
        self.wiring = Wiring(input_dim, tuple(hidden_dims), output_dim, n_laterals)
        self.theta = nn.Parameter(self.wiring.initial(seed) if theta is None else theta)

    def forward(self, x: Tensor, prior_hiddens: Sequence[Hiddens] | None = None) -> tuple[Tensor, Hiddens]:
        """Logits [n, outputs] of *x* [n, features], and this column's hidden activations.

        *prior_hiddens* are those of the earlier columns; without them their laterals carry nothing.
        """
        layers = self.wiring.layers(self.theta)
        _, activations = through(layers, x, prior_hiddens or [], differentiable)
        return logits_of(layers, activations[-1]), activations[1:]
