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
    """The tasks that a stream with these *settings* makes of *data*, before their labels are numbered."""
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
            return list(settings.contents(data[0], seed))
        case _:
            raise TypeError(f"no tasks are defined for {type(settings).__name__}")


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
        order = torch.randperm(len(classes), generator=generator(seed, "class-order")).tolist()
        classes = tuple(classes[place] for place in order)
    return [classes[k * size : (k + 1) * size] for k in range(tasks)]


def _permutations(settings: PermutedSettings, image: tuple[int, ...], seed: int) -> list[Transform | None]:
    draws = generator(seed, "permutation")
    # Places are permuted, and the colours of one stay together: (channels, height, width).
    places = math.prod(image[-2:])
    # Task 0's is drawn even if unused, so that task k sees the same with and without permute_first.
    orders = [torch.randperm(places, generator=draws) for _ in range(settings.tasks)]
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
