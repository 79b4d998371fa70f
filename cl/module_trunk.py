"""Any torch module as a trunk: its parameters as one flat vector, its gradients by autograd."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap

from cl.randomness import generator
from cl.trunks import Trunk

_NUMBERS = 2**22
"""Of per-example gradients in memory at once (16 MB): larger chunks leave the processor's cache."""


@dataclass
class Recorded:
    """A pass through a module: its inputs and, until the way back has used it, autograd's record."""

    x: Tensor
    hidden: Tensor | None


class ModuleTrunk(Trunk):
    """A torch module under the output layer.

    The module is a function of its parameters and of each example alone: what draws random numbers or looks
    at the rest of the batch is refused, since a single example would have no gradient of its own and a
    trial could not be resumed bit for bit. Parameters that do not require a gradient, and buffers, are
    constants: the factory makes them, and they are no part of the flat vector.

    Args:
        make: makes the module; its random numbers come from torch's generator. A function of a module
            or a class, if the trunk is to be pickled.
        image: shape of an example; (height, width) reaches the module as one channel.

    Raises:
        ValueError: the module cannot be a trunk; the message says why.

    >>> trunk = ModuleTrunk(lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten()), (4, 4))
    >>> trunk.size, trunk.width
    (20, 8)
    """

    def __init__(self, make: Callable[[], nn.Module], image: tuple[int, ...]) -> None:
        self._make = make
        self._image = (1, *image) if len(image) == 2 else image
        self._module = self._made(0)
        self._shapes = {name: parameter.shape for name, parameter in self._trained()}
        self._ends = list(accumulate((math.prod(shape) for shape in self._shapes.values()), initial=0))
        self.size = self._ends[-1]
        self.width = self._checked_width()

    def initial(self, seed: int) -> Tensor:
        """The module's own initialisation, with torch's generator at a random stream of *seed*."""
        self._module = self._made(seed)
        return torch.cat([parameter.detach().flatten() for _, parameter in self._trained()])

    def bind(self, theta: Tensor, gradient: Tensor) -> None:
        """Differentiate with respect to *theta*; constants follow its device and type."""
        self._module.to(device=theta.device, dtype=theta.dtype)
        self._theta, self._gradient = theta.detach().requires_grad_(), gradient

    def run(self, x: Tensor) -> tuple[Tensor, Recorded]:
        """The trace is autograd's record, or just the inputs where gradients are off."""
        hidden = self.differentiable(self._theta, x)
        return hidden.detach(), Recorded(x, hidden if hidden.requires_grad else None)

    def differentiable(self, theta: Tensor, x: Tensor) -> Tensor:
        """The module called with views of *theta* as its parameters."""
        parts = theta.split([end - start for start, end in pairwise(self._ends)])
        views = zip(self._shapes.items(), parts, strict=True)
        parameters = {name: part.view(shape) for (name, shape), part in views}
        hidden: Tensor = functional_call(self._module, parameters, (x.reshape(-1, *self._image),))
        return hidden.flatten(1)

    def backpropagate(self, trace: Recorded, error: Tensor) -> None:
        """Uses the record up; another way back of the same pass makes a new one."""
        self._gradient.copy_(self._gradient_of(trace, error))

    def gradients_by_group(self, trace: Recorded, error: Tensor, sizes: Sequence[int], out: Tensor) -> None:
        """Each group is passed again by itself: cheaper than the way back through all groups for each."""
        trace.hidden = None
        parts = zip(out, trace.x.split(list(sizes)), error.split(list(sizes)), strict=True)
        for row, x, errors in parts:
            row.copy_(self._gradient_of(Recorded(x, None), errors))

    def add_squares(self, trace: Recorded, error: Tensor, weight: Tensor, total: Tensor) -> None:
        """Each example's gradient exactly, a chunk of examples at a time."""
        chunk = max(1, _NUMBERS // self.size)
        parts = zip(trace.x.split(chunk), error.split(chunk), weight.split(chunk), strict=True)
        for x, errors, weights in parts:
            gradients = vmap(self._example_gradient)(x, errors)
            total.addmv_(gradients.square_().t(), weights)

    @property
    def weight_parts(self) -> list[slice]:
        """Of every parameter with more than one dimension."""
        parts = zip(self._shapes.values(), pairwise(self._ends), strict=True)
        return [slice(start, end) for shape, (start, end) in parts if len(shape) > 1]

    def _gradient_of(self, trace: Recorded, error: Tensor) -> Tensor:
        hidden, trace.hidden = trace.hidden, None
        if hidden is None:
            with torch.enable_grad():
                hidden = self.differentiable(self._theta, trace.x)
        (gradient,) = torch.autograd.grad(hidden, self._theta, error)
        return gradient

    def _example_gradient(self, x: Tensor, error: Tensor) -> Tensor:
        pull_back = vjp(lambda theta: self.differentiable(theta, x), self._theta.detach())[1]
        gradient: Tensor = pull_back(error[None])[0]
        return gradient

    def _trained(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The parameters that are learned, by name."""
        return (each for each in self._module.named_parameters() if each[1].requires_grad)

    def _made(self, seed: int) -> nn.Module:
        with _torch_generator_at(generator(seed, "init", "trunk")), torch.no_grad():
            module = self._make().cpu().float()
            module(torch.zeros(2, *self._image))  # lazy layers get their parameters now
        return module

    def _checked_width(self) -> int:
        """The width of the outputs, once it is known that they are each example's own."""
        if not self._shapes or any(parameter.is_complex() for _, parameter in self._trained()):
            raise ValueError("a module needs parameters to train, and real ones, to be a trunk")
        draws = generator(0, "check")
        x, beside = torch.rand(2, 4, *self._image, generator=draws)
        beside[:2] = x[:2]
        with _torch_generator_at(draws), torch.no_grad():
            before = torch.get_rng_state()
            first, second = self._module(x), self._module(beside)
            drew = not torch.equal(torch.get_rng_state(), before)
        rows = first.ndim > 1 and len(first) == len(x)
        if drew or not (rows and torch.allclose(first[:2], second[:2], atol=1e-5)):
            raise ValueError(
                "to be a trunk, a module must give each example a row of outputs that depends on the example "
                "and the parameters alone, not on random numbers or the other examples of a batch. Use "
                "GroupNorm in place of BatchNorm, and no dropout"
            )
        return math.prod(first.shape[1:])


@contextmanager
def _torch_generator_at(random: torch.Generator) -> Iterator[None]:
    """Give torch's own generator on the CPU the seed of *random*, and then its state back."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(random.initial_seed())
        yield
