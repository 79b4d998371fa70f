"""Methods as a person writes them for themselves, after the papers and the usual tutorials.

Per-parameter loops, a list of examples as a memory, a backward pass wherever a gradient is needed.
"""

from __future__ import annotations

import random
from typing import Any, Protocol

import numpy as np
import quadprog
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Subset

CLASSES = 2
"""Per task."""
HIDDEN = 256
BATCH = 64
LR = 0.01
MOMENTUM = 0.9
CLIP = 1.0
LAMBDA = 100.0
FISHER_SAMPLES = 200
BUFFER = 500


SI_C = 0.1
SI_XI = 0.1
ALPHA = 0.5
BETA = 0.5
MEMORY_PER_TASK = 200
MARGIN = 0.5

Images = tuple[Tensor, Tensor]
"""Inputs float32 [n, features] and labels int64 [n]."""


class Strategy(Protocol):
    """What a method changes in the tutorial's loop."""

    def __init__(self) -> None:
        """Remember nothing yet."""

    def step(self, net: nn.Sequential, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
        """Learn from a mini-batch."""

    def after_task(self, net: nn.Sequential, task: Subset[Any]) -> None:
        """Remember the finished task."""


class Naive:
    """Cross-entropy alone."""

    def step(self, net: nn.Sequential, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
        """Follow the clipped gradient of the loss."""
        optimizer.zero_grad()
        self.loss(net, x, y).backward()
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimizer.step()

    def loss(self, net: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
        """The batch's mean cross-entropy."""
        return functional.cross_entropy(net(x), y)

    def after_task(self, net: nn.Sequential, task: Subset[Any]) -> None:
        """Remember nothing."""


class EWC(Naive):
    """A penalty per parameter in the loss; the Fisher from one backward pass per example."""

    def __init__(self) -> None:
        self.fisher: dict[str, Tensor] = {}
        self.anchor: dict[str, Tensor] = {}

    def loss(self, net: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy and lambda/2 sum F (theta - theta*)^2; rows that the head grew since are free."""
        loss = functional.cross_entropy(net(x), y)
        if self.fisher:
            for name, p in net.named_parameters():
                anchor = self.anchor[name]
                loss = loss + LAMBDA / 2 * (self.fisher[name] * (p[: len(anchor)] - anchor).pow(2)).sum()
        return loss

    def after_task(self, net: nn.Sequential, task: Subset[Any]) -> None:
        """Add the empirical Fisher over some examples, and anchor the weights."""
        fisher = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
        chosen = torch.randperm(len(task))[:FISHER_SAMPLES].tolist()
        for i in chosen:
            x, y = task[i]
            net.zero_grad()
            functional.cross_entropy(net(x[None]), torch.tensor([y])).backward()
            for name, p in net.named_parameters():
                assert p.grad is not None
                fisher[name] += p.grad.pow(2) / len(chosen)
        for name, old in self.fisher.items():
            fisher[name][: len(old)] += old
        self.fisher = fisher
        self.anchor = {name: p.detach().clone() for name, p in net.named_parameters()}


class SI(Naive):
    """The path integral and the penalty parameter by parameter."""

    def __init__(self) -> None:
        self.omega: dict[str, Tensor] = {}
        self.anchor: dict[str, Tensor] = {}
        self.path: dict[str, Tensor] = {}
        self.start: dict[str, Tensor] = {}

    def step(self, net: nn.Sequential, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
        """Follow the gradient of loss and penalty; add what the task's gradient gained to the path."""
        if not self.start:
            self.start = {name: p.detach().clone() for name, p in net.named_parameters()}
            self.path = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
        optimizer.zero_grad()
        self.loss(net, x, y).backward()
        own = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
        if self.omega:
            self.penalty(net).backward()
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        before = {name: p.detach().clone() for name, p in net.named_parameters()}
        optimizer.step()
        for name, p in net.named_parameters():
            self.path[name] -= own[name] * (p.detach() - before[name])

    def penalty(self, net: nn.Sequential) -> Tensor:
        """The sum c Omega (theta - theta*)^2; rows that the head grew since are free."""
        total = torch.zeros(())
        for name, p in net.named_parameters():
            anchor = self.anchor[name]
            total = total + SI_C * (self.omega[name] * (p[: len(anchor)] - anchor).pow(2)).sum()
        return total

    def after_task(self, net: nn.Sequential, task: Subset[Any]) -> None:
        """Turn the path into importance."""
        del task
        for name, p in net.named_parameters():
            importance = self.path[name] / ((p.detach() - self.start[name]).pow(2) + SI_XI)
            if name in self.omega:
                importance[: len(self.omega[name])] += self.omega[name]
            self.omega[name] = importance
            self.anchor[name] = p.detach().clone()
        self.start = {}


class Reservoir:
    """A list of examples, each with whatever belongs to it."""

    def __init__(self) -> None:
        self.memory: list[tuple[Tensor, ...]] = []
        self.seen = 0

    def offer(self, *parts: Tensor) -> None:
        """Offer the examples of a mini-batch one by one."""
        for example in zip(*parts, strict=True):
            self.seen += 1
            if len(self.memory) < BUFFER:
                self.memory.append(example)
            elif (place := random.randrange(self.seen)) < BUFFER:  # noqa: S311 - a sample, not a secret
                self.memory[place] = example

    def draw(self, count: int) -> list[Tensor]:
        """Up to *count* examples, their parts stacked; logits are padded to the longest."""
        drawn = random.sample(self.memory, min(count, len(self.memory)))
        return [_stacked(part) for part in zip(*drawn, strict=True)]


def _stacked(part: tuple[Tensor, ...]) -> Tensor:
    if part[0].dim() == 1:
        return nn.utils.rnn.pad_sequence(list(part), batch_first=True)
    return torch.stack(part)


class Replay(Naive):
    """As many examples from a reservoir as there are new ones join each batch."""

    def __init__(self) -> None:
        self.reservoir = Reservoir()
        self.current: list[Images] = []

    def loss(self, net: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
        """Mean cross-entropy over the new examples and those drawn from earlier tasks."""
        self.current.append((x, y))
        if self.reservoir.memory:
            drawn = random.sample(self.reservoir.memory, min(len(x), len(self.reservoir.memory)))
            x = torch.cat([x, torch.stack([example for example, _ in drawn])])
            y = torch.cat([y, torch.stack([label for _, label in drawn])])
        return functional.cross_entropy(net(x), y)

    def after_task(self, net: nn.Sequential, task: Subset[Any]) -> None:
        """Offer the first epoch's batches, which passed through the loop anyway, to the reservoir."""
        del net
        for x, y in self.current[: -(-len(task) // BATCH)]:
            self.reservoir.offer(x, y)
        self.current.clear()


class DERpp(Naive):
    """Two batches from a reservoir at each step, one for the logits and one for the labels."""

    def __init__(self) -> None:
        self.reservoir = Reservoir()

    def loss(self, net: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy, alpha times the distance from stored logits, beta times old cross-entropy."""
        logits = net(x)
        loss = functional.cross_entropy(logits, y)
        if self.reservoir.memory:
            old, _, stored, known = self.reservoir.draw(len(x))
            present = net(old)[:, : stored.shape[1]]
            known = torch.arange(stored.shape[1]) < known[:, None]
            loss = loss + ALPHA * functional.mse_loss(present[known], stored[known])
            old, labels, _, _ = self.reservoir.draw(len(x))
            loss = loss + BETA * functional.cross_entropy(net(old), labels)
        self.reservoir.offer(x, y, logits.detach(), torch.full_like(y, logits.shape[1]))
        return loss


class GEM(Naive):
    """A backward pass over the memory of each old task, then quadprog where a gradient disagrees."""

    def __init__(self) -> None:
        self.memories: list[Images] = []

    def step(self, net: nn.Sequential, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
        """Follow the gradient, projected where it would increase an old task's loss."""
        old = []
        for memory in self.memories:
            net.zero_grad()
            self.loss(net, *memory).backward()
            old.append(self._gradient(net))
        optimizer.zero_grad()
        self.loss(net, x, y).backward()
        if old:
            gradient, gradients = self._gradient(net), torch.stack(old)
            if (gradients @ gradient < 0).any():
                self._assign(net, gradient + gradients.t() @ self._dual(gradients, gradient))
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimizer.step()

    def _dual(self, gradients: Tensor, gradient: Tensor) -> Tensor:
        G, g = gradients.double().numpy(), gradient.double().numpy()
        gram = G @ G.T
        gram = 0.5 * (gram + gram.T) + np.eye(len(G)) * 1e-3
        v = quadprog.solve_qp(gram, -(G @ g), np.eye(len(G)), np.full(len(G), MARGIN))[0]
        return torch.from_numpy(v).float()

    def _gradient(self, net: nn.Sequential) -> Tensor:
        return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])

    def _assign(self, net: nn.Sequential, gradient: Tensor) -> None:
        start = 0
        for p in net.parameters():
            assert p.grad is not None
            p.grad.copy_(gradient[start : start + p.numel()].view_as(p))
            start += p.numel()

    def after_task(self, net: nn.Sequential, task: Subset[Any]) -> None:
        """Keep some examples of the task."""
        del net
        chosen = [task[i] for i in torch.randperm(len(task))[:MEMORY_PER_TASK].tolist()]
        self.memories.append((torch.stack([x for x, _ in chosen]), torch.tensor([y for _, y in chosen])))
