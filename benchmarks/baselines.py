"""Two ways to train on a class-incremental stream as a person writes them for themselves.

The tutorial way takes what PyTorch's tutorials take: a torchvision data set with a transform per sample, a
`DataLoader`, a loss that autograd differentiates. The bare way keeps tensors in memory and nothing else.
Both learn the classes (0, 1), (2, 3), ... in turn with one head that grows, and yield a `Lap` per task.
"""

from __future__ import annotations

import importlib
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Subset

from cl.datasets import Dataset
from cl.download import torchvision_datasets

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


@dataclass(frozen=True)
class Lap:
    """One task learned: its steps, their seconds with all they needed, test accuracy on each task so far."""

    steps: int
    seconds: float
    accuracy: tuple[float, ...]


Images = tuple[Tensor, Tensor]
"""Inputs float32 [n, features] and labels int64 [n]."""


def write_torchvision(data: Dataset, folder: Path) -> None:
    """Write *data* as the unpacked files that ``torchvision.datasets.FashionMNIST(folder)`` reads."""
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for part, x, y in (("train", data.x_train, data.y_train), ("t10k", data.x_test, data.y_test)):
        _write_idx(raw / f"{part}-images-idx3-ubyte", x)
        _write_idx(raw / f"{part}-labels-idx1-ubyte", y)


def _write_idx(path: Path, array: NDArray[Any]) -> None:
    header = np.array([0x0800 + array.ndim, *array.shape], dtype=">u4")
    path.write_bytes(header.tobytes() + array.astype(np.uint8).tobytes())


def mlp(features: int) -> nn.Sequential:
    """Two hidden layers under a head that has no outputs yet."""
    return nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(features, HIDDEN), nn.ReLU()),
        *(nn.Linear(HIDDEN, HIDDEN), nn.ReLU()),
        nn.Identity(),
    )


def grow(net: nn.Sequential) -> None:
    """Give the head `CLASSES` more outputs; the old ones keep their weights."""
    old = net[-1]
    rows = old.out_features if isinstance(old, nn.Linear) else 0
    new = nn.Linear(HIDDEN, rows + CLASSES)
    if isinstance(old, nn.Linear):
        with torch.no_grad():
            new.weight[:rows] = old.weight
            new.bias[:rows] = old.bias
    net[-1] = new


class Strategy(Protocol):
    """What a method changes in the tutorial's loop."""

    def __init__(self) -> None:
        """Remember nothing yet."""

    def loss(self, net: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
        """The loss of a mini-batch."""

    def after_task(self, net: nn.Sequential, task: Subset[Any]) -> None:
        """Remember the finished task."""


class Naive:
    """Cross-entropy alone."""

    def loss(self, net: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
        """The batch's mean cross-entropy."""
        return functional.cross_entropy(net(x), y)

    def after_task(self, net: nn.Sequential, task: Subset[Any]) -> None:
        """Remember nothing."""


class EWC:
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


class Replay:
    """A reservoir as a list of examples; as many of them as there are new ones join each batch."""

    def __init__(self) -> None:
        self.memory: list[tuple[Tensor, Tensor]] = []
        self.seen = 0
        self.current: list[Images] = []

    def loss(self, net: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
        """Mean cross-entropy over the new examples and those drawn from earlier tasks."""
        self.current.append((x, y))
        if self.memory:
            drawn = random.sample(self.memory, min(len(x), len(self.memory)))
            x = torch.cat([x, torch.stack([example for example, _ in drawn])])
            y = torch.cat([y, torch.stack([label for _, label in drawn])])
        return functional.cross_entropy(net(x), y)

    def after_task(self, net: nn.Sequential, task: Subset[Any]) -> None:
        """Offer the first epoch's batches, which passed through the loop anyway, to the reservoir."""
        del net
        for x, y in self.current[: -(-len(task) // BATCH)]:
            for example in zip(x, y, strict=True):
                self.seen += 1
                if len(self.memory) < BUFFER:
                    self.memory.append(example)
                elif (place := random.randrange(self.seen)) < BUFFER:  # noqa: S311 - a sample, not a secret
                    self.memory[place] = example
        self.current.clear()


def tutorial(
    folder: Path, test: Images, strategy: Strategy, *, tasks: int, steps: int, seed: int
) -> Iterator[Lap]:
    """Learn the data set in *folder* (of `write_torchvision`), *steps* steps a task."""
    torch.manual_seed(seed)
    random.seed(seed)
    datasets = torchvision_datasets()
    to_tensor = importlib.import_module("torchvision.transforms").ToTensor()
    train = datasets.FashionMNIST(folder, train=True, transform=to_tensor)
    net = mlp(train[0][0].numel())
    for task in range(tasks):
        start = time.perf_counter()
        grow(net)
        optimizer = torch.optim.SGD(net.parameters(), lr=LR, momentum=MOMENTUM)
        part = Subset(train, (train.targets // CLASSES == task).nonzero().flatten().tolist())
        for x, y in _forever(DataLoader(part, batch_size=BATCH, shuffle=True), steps):
            optimizer.zero_grad()
            loss = strategy.loss(net, x, y)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), CLIP)
            optimizer.step()
        strategy.after_task(net, part)
        yield Lap(steps, time.perf_counter() - start, _accuracy(net, test, task))


def _forever(loader: DataLoader[Any], steps: int) -> Iterator[Images]:
    while True:
        for x, y in loader:
            if not steps:
                return
            steps -= 1
            yield x, y


def bare(train: Images, test: Images, *, tasks: int, steps: int, seed: int) -> Iterator[Lap]:
    """Fine-tune on tensors in memory, *steps* steps a task."""
    torch.manual_seed(seed)
    net = mlp(train[0].shape[1])
    for task in range(tasks):
        start = time.perf_counter()
        grow(net)
        optimizer = torch.optim.SGD(net.parameters(), lr=LR, momentum=MOMENTUM)
        mine = train[1] // CLASSES == task
        x, y = train[0][mine], train[1][mine]
        done = 0
        while done < steps:
            perm = torch.randperm(len(x))
            for i in range(0, len(x), BATCH)[: steps - done]:
                chosen = perm[i : i + BATCH]
                optimizer.zero_grad()
                loss = functional.cross_entropy(net(x[chosen]), y[chosen])
                loss.backward()
                nn.utils.clip_grad_norm_(net.parameters(), CLIP)
                optimizer.step()
                done += 1
        yield Lap(steps, time.perf_counter() - start, _accuracy(net, test, task))


@torch.no_grad()
def _accuracy(net: nn.Sequential, test: Images, last: int) -> tuple[float, ...]:
    right = (net(test[0]).argmax(1) == test[1]).double()
    return tuple(float(right[test[1] // CLASSES == task].mean()) for task in range(last + 1))
