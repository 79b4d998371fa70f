"""What lies under the output layer, over its part of one flat vector of parameters."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from cl.kernels import relu_affine, relu_backward_
from cl.randomness import generator


class Trunk(ABC):
    """From inputs [n, features] to hidden activations [n, width], and gradients back to its parameters.

    The parameters are the first ``size`` numbers of a vector that the network owns; `bind` says where it is.
    A *trace* is whatever `run` leaves for the way back.
    """

    size: int
    width: int
    by_hand = False
    """Whether gradients are computed without autograd."""

    @abstractmethod
    def initial(self, seed: int) -> Tensor:
        """The untrained parameters of *seed*: float32 [size]."""

    @abstractmethod
    def bind(self, theta: Tensor, gradient: Tensor) -> None:
        """Work on these vectors [size] from now on: parameters (detached) and where gradients go."""

    @abstractmethod
    def run(self, x: Tensor) -> tuple[Tensor, Any]:
        """The hidden activations of *x* and the trace of the way there."""

    @abstractmethod
    def differentiable(self, theta: Tensor, x: Tensor) -> Tensor:
        """The hidden activations of *x* under *theta* [size], recorded by autograd."""

    @abstractmethod
    def backpropagate(self, trace: Any, error: Tensor) -> None:
        """Write the gradient of the bound parameters, given *error* [n, width] of the activations."""

    @abstractmethod
    def gradients_by_group(self, trace: Any, error: Tensor, sizes: Sequence[int], out: Tensor) -> None:
        """Write the gradient of each group of consecutive examples to a row of *out* [groups, size]."""

    @abstractmethod
    def add_squares(self, trace: Any, error: Tensor, weight: Tensor, total: Tensor) -> None:
        """Add to *total* [size] each example's squared gradient times its *weight* [n]."""

    @property
    @abstractmethod
    def weight_parts(self) -> list[slice]:
        """Where each layer's weights lie, without biases."""


class MLPTrunk(Trunk):
    """Hidden ReLU layers, with gradients written by hand.

    For these networks that takes fewer and larger operations than a recorded graph, and per-example
    gradients come almost for free, since those of a linear layer are outer products.

    Args:
        input_dim: features of an example.
        hidden_dims: units of each hidden layer.

    Raises:
        ValueError: there is no hidden layer, or one without units.
    """

    by_hand = True

    def __init__(self, input_dim: int, hidden_dims: Sequence[int]) -> None:
        check_layers(input_dim, hidden_dims)
        self.dims = (input_dim, *hidden_dims)
        self.width = self.dims[-1]
        self.size = sum((inputs + 1) * outputs for inputs, outputs in pairwise(self.dims))

    def initial(self, seed: int) -> Tensor:
        """Each layer from a random stream of its own, torch's default uniform initialisation."""
        return torch.cat(
            [
                uniform(outputs * (inputs + 1), inputs, generator(seed, "init", "hidden", depth))
                for depth, (inputs, outputs) in enumerate(pairwise(self.dims))
            ]
        )

    def bind(self, theta: Tensor, gradient: Tensor) -> None:
        """See the vectors as weights [in, out] and biases [out]."""
        self._weights, self._biases = self._layers(theta)
        self._weight_gradients, self._bias_gradients = self._layers(gradient)

    def run(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The trace is the list of activations, *x* first."""
        activations = [x]
        for weight, bias in zip(self._weights, self._biases, strict=True):
            activations.append(relu_affine(activations[-1], weight, bias))
        return activations[-1], activations

    def differentiable(self, theta: Tensor, x: Tensor) -> Tensor:
        """Ordinary PyTorch."""
        for weight, bias in zip(*self._layers(theta), strict=True):
            x = torch.relu(torch.addmm(bias, x, weight))
        return x

    def backpropagate(self, trace: list[Tensor], error: Tensor) -> None:
        """Consumes *error*."""
        for depth in reversed(range(len(self._weights))):
            relu_backward_(error, trace[depth + 1])
            torch.mm(trace[depth].t(), error, out=self._weight_gradients[depth])
            torch.sum(error, 0, out=self._bias_gradients[depth])
            if depth:
                error = error.mm(self._weights[depth].t())

    def gradients_by_group(
        self, trace: list[Tensor], error: Tensor, sizes: Sequence[int], out: Tensor
    ) -> None:
        """One pass back for all groups; per layer one product per group."""
        layers, sizes = [self._layers(row) for row in out.unbind()], list(sizes)
        for depth in reversed(range(len(self._weights))):
            relu_backward_(error, trace[depth + 1])
            parts = zip(layers, trace[depth].split(sizes), error.split(sizes), strict=True)
            for (weights, biases), inputs, errors in parts:
                torch.mm(inputs.t(), errors, out=weights[depth])
                torch.sum(errors, 0, out=biases[depth])
            if depth:
                error = error.mm(self._weights[depth].t())

    def add_squares(self, trace: list[Tensor], error: Tensor, weight: Tensor, total: Tensor) -> None:
        """A per-example gradient is an outer product, so the sum of its squares is a product of squares."""
        weights, biases = self._layers(total)
        weight = weight[:, None]
        for depth in reversed(range(len(self._weights))):
            relu_backward_(error, trace[depth + 1])
            squares = error.square().mul_(weight)
            weights[depth].addmm_(trace[depth].square().t(), squares)
            biases[depth] += squares.sum(0)
            if depth:
                error = error.mm(self._weights[depth].t())

    @property
    def weight_parts(self) -> list[slice]:
        """Of each layer, before its biases."""
        parts, start = [], 0
        for inputs, outputs in pairwise(self.dims):
            parts.append(slice(start, start + inputs * outputs))
            start += (inputs + 1) * outputs
        return parts

    def _layers(self, vector: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        # Weights are stored [in, out], not as in `torch.nn.Linear`: the matrix products are faster so.
        weights, biases = [], []
        for part, (inputs, outputs) in zip(self.weight_parts, pairwise(self.dims), strict=True):
            weights.append(vector[part].view(inputs, outputs))
            biases.append(vector[part.stop : part.stop + outputs])
        return weights, biases


def check_layers(input_dim: int, hidden_dims: Sequence[int]) -> None:
    """Refuse what no perceptron can be made of.

    Raises:
        ValueError: there is no feature, no hidden layer, or one without units.
    """
    if input_dim < 1:
        raise ValueError(f"input_dim must be at least 1, the features of an example; got {input_dim}")
    if not hidden_dims or min(hidden_dims) < 1:
        raise ValueError(
            f"hidden_dims must be the units of each hidden layer, one layer or more; got {list(hidden_dims)}"
        )


def uniform(count: int, fan_in: int, random: torch.Generator) -> Tensor:
    """Draw torch's default initialisation of a linear layer: uniform within 1 / sqrt(fan_in)."""
    bound = 1 / math.sqrt(fan_in)
    return torch.rand(count, generator=random).mul_(2 * bound).sub_(bound)
