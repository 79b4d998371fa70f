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
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from strategies import BATCH, CLASSES, CLIP, HIDDEN, LR, MOMENTUM, Strategy
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Subset

from cl.datasets import Dataset
from cl.download import torchvision_datasets


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
            strategy.step(net, optimizer, x, y)
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
