"""What each task of a stream is made of: which classes of which data, seen how."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from cl.datasets import Dataset
from cl.randomness import generator
from cl.registry import (
    ExplicitSettings,
    PermutedSettings,
    RotatedSettings,
    SplitSettings,
    StreamSettings,
)
from cl.rotation import rotate


class StreamError(ValueError):
    """A stream that cannot be made from this data with these settings; the message is ready to print."""


COMMON_SEED = 0
"""Draws what the first tasks of a stream have in common for every seed, where a part of it is asked for."""

Transform = Callable[[Tensor], Tensor]
"""From images ``[n, *image]`` to as many of that shape; it may not write into its argument."""

Contents = tuple[Dataset, tuple[int, ...], Transform | None]
"""One task before its labels are numbered: where from, which classes, seen how."""


@runtime_checkable
class PlugInStream(Protocol):
    """The settings of a stream that makes its own tasks."""

    def contents(self, data: Dataset, seed: int) -> Sequence[Contents]:
        """Each task's data, classes and transform, in order."""


def contents_of(settings: StreamSettings, data: Sequence[Dataset], seed: int) -> list[Contents]:
    """The tasks that a stream with these *settings* makes of *data*, before their labels are numbered.

    Raises:
        StreamError: the data has too few classes, or the part that is asked for has no task.
    """
    tasks, k = _whole(settings, data, seed), settings.first_k
    if not k:
        return tasks
    if k >= len(tasks):
        raise StreamError(f"part: {settings.part} needs more than {k} tasks; there are {len(tasks)}")
    return tasks[:k] if settings.part == f"first-{k}" else tasks[k:]


def _whole(settings: StreamSettings, data: Sequence[Dataset], seed: int) -> list[Contents]:
    """All tasks, the first `settings.first_k` of them as every seed has them."""
    image = data[0].x_train.shape[1:]
    match settings:
        case SplitSettings():
            return [(data[0], group, None) for group in _class_groups(settings, _classes(data[0]), seed)]
        case PermutedSettings():
            return [(data[0], _classes(data[0]), each) for each in _permutations(settings, image, seed)]
        case RotatedSettings():
            return [(data[0], _classes(data[0]), each) for each in _rotations(settings)]
        case ExplicitSettings():
            return [(each, _classes(each), None) for each in data]
        case PlugInStream():
            return _own_contents(settings, data[0], seed)
        case _:
            raise TypeError(f"no tasks are defined for {type(settings).__name__}")


def _own_contents(settings: PlugInStream, data: Dataset, seed: int) -> list[Contents]:
    tasks = list(settings.contents(data, seed))
    k = settings.first_k if isinstance(settings, StreamSettings) else 0
    if not k or seed == COMMON_SEED:
        return tasks
    common = list(settings.contents(data, COMMON_SEED))[:k]
    if [classes for _, classes, _ in common] != [classes for _, classes, _ in tasks[:k]]:
        raise StreamError(f"the classes of its first {k} tasks depend on the seed, so no part can be taken")
    return [*common, *tasks[k:]]


def _classes(data: Dataset) -> tuple[int, ...]:
    return tuple(np.unique(data.y_train).tolist())


def _class_groups(settings: SplitSettings, classes: tuple[int, ...], seed: int) -> list[tuple[int, ...]]:
    size = settings.classes_per_task
    tasks = settings.tasks or max(1, len(classes) // size)
    if tasks * size > len(classes):
        raise StreamError(
            f"split: tasks x classes_per_task = {tasks} x {size} = {tasks * size} classes; "
            f"the data has {len(classes)}"
        )
    if settings.class_order == "seed":
        common = _class_order(COMMON_SEED, len(classes))[: settings.first_k * size]
        own = [place for place in _class_order(seed, len(classes)) if place not in set(common)]
        classes = tuple(classes[place] for place in (*common, *own))
    return [classes[k * size : (k + 1) * size] for k in range(tasks)]


def _class_order(seed: int, count: int) -> list[int]:
    order: list[int] = torch.randperm(count, generator=generator(seed, "class-order")).tolist()
    return order


def _permutations(settings: PermutedSettings, image: tuple[int, ...], seed: int) -> list[Transform | None]:
    # Places are permuted, and the colours of one stay together: (channels, height, width).
    places = math.prod(image[-2:])
    # Task 0's is drawn even if unused, so that task k sees the same with and without permute_first.
    common, own = generator(COMMON_SEED, "permutation"), generator(seed, "permutation")
    drawn = [
        [torch.randperm(places, generator=draws) for draws in (common, own)] for _ in range(settings.tasks)
    ]
    orders = [mine if k >= settings.first_k else shared for k, (shared, mine) in enumerate(drawn)]
    transforms: list[Transform | None] = [partial(_permute, order=order) for order in orders]
    return transforms if settings.permute_first else [None, *transforms[1:]]


def _permute(images: Tensor, order: Tensor) -> Tensor:
    # As rows, one for each channel: selecting along the last of three dimensions takes three times as long.
    return images.reshape(-1, len(order)).index_select(1, order).view(images.shape)


def _rotations(settings: RotatedSettings) -> list[Transform | None]:
    first, end = settings.angles
    return [
        partial(rotate, degrees=first + (end - first) * k / settings.tasks) for k in range(settings.tasks)
    ]
