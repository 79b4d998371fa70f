"""Sequences of tasks over data sets: split, permuted, rotated, or given one by one.

A stream hands out raw pixels and integer labels; the model's input is ``x.float() * scale - shift``. The
data set's arrays are shared between trials and only read: every tensor that leaves has memory of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cl.contents import StreamError, Transform, contents_of
from cl.datasets import Dataset
from cl.labels import number_labels
from cl.randomness import generator
from cl.registry import ExplicitSettings, Kind, RotatedSettings, StreamSettings, stream_settings

NUMBERS = 4096 * 784
"""Per pass when the mean is taken: a bounded float64 copy, not one of the whole data set."""


@dataclass(frozen=True)
class Examples:
    """Flat examples of one task: x ``[n, features]`` uint8 or float32, y ``[n]`` int64; their own memory."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Task:
    """Which examples of which data set a task has, what they are called in it, and what they look like."""

    data: Dataset
    classes: tuple[int, ...]
    """Labels of the data set that belong to the task."""
    targets: tuple[int, ...]
    """For each of the classes, the label y it is learnt under."""
    transform: Transform | None = None

    def rows(self, labels: NDArray[np.int64]) -> NDArray[np.intp]:
        """Positions of the task's examples in a list of the data set's labels, ascending."""
        return np.flatnonzero(np.isin(labels, self.classes))

    def shares_images_with(self, other: Task) -> bool:
        """Whether both see the same examples of one data set, perhaps turned or permuted."""
        return self.data is other.data and set(self.classes) == set(other.classes)

    def examples(self, x: NDArray[Any], labels: NDArray[np.int64], rows: NDArray[np.intp]) -> Examples:
        """Copy these rows out of the shared arrays."""
        images = torch.from_numpy(x[rows])  # an index array always copies
        if self.transform is not None:
            images = self.transform(images)
        order = np.argsort(self.classes)
        positions = np.searchsorted(np.asarray(self.classes)[order], labels[rows])
        targets = np.asarray(self.targets, dtype=np.int64)[order][positions]
        return Examples(images.flatten(start_dim=1), torch.from_numpy(targets))


@dataclass(frozen=True, eq=False)
class Stream:
    """The tasks of one trial, in order; made by `make_stream`.

    Training data is materialised at each call, so that one task is in memory at a time; test and
    validation data are kept.
    """

    kind: Kind
    tasks: tuple[Task, ...]
    outputs: tuple[int, ...]
    """Task-il: outputs of head k. Domain-il: the shared number, T times. Class-il: rows that task k adds."""
    image: tuple[int, ...]
    scale: float
    shift: float
    seed: int
    val_share: float
    _kept: dict[tuple[str, int], Examples] = field(default_factory=dict, repr=False)

    @property
    def n_tasks(self) -> int:
        """T, the number of tasks."""
        return len(self.tasks)

    @property
    def features(self) -> int:
        """Numbers per example."""
        return math.prod(self.image)

    @property
    def chance(self) -> float:
        """The accuracy of guessing in the end: the mean over tasks of one over the outputs to choose from."""
        if self.kind == "class-il":
            return 1 / sum(self.outputs)
        return sum(1 / outputs for outputs in self.outputs) / self.n_tasks

    @property
    def splits(self) -> tuple[str, ...]:
        """What the model is scored on: ``test`` unless the data has none, then ``val`` if any is held out."""
        test = all(len(task.data.y_test) for task in self.tasks)
        return (*(["test"] if test else []), *(["val"] if self.val_share > 0 else []))

    def scored(self, split: str, k: int) -> Examples:
        """Task k's examples of one of `splits`."""
        return self.test(k) if split == "test" else self.validation(k)

    def train(self, k: int) -> Examples:
        """Task k's training examples without its validation share, in the data set's order."""
        return self._training_part(k, validation=False)

    def validation(self, k: int) -> Examples:
        """The share of task k's training examples that is held out; none without ``val_share``."""
        key = ("validation", k)
        if key not in self._kept:
            self._kept[key] = self._training_part(k, validation=True)
        return self._kept[key]

    def test(self, k: int) -> Examples:
        """Task k's test examples, in the data set's order."""
        key = ("test", k)
        if key not in self._kept:
            task = self.tasks[k]
            x, y = task.data.x_test, task.data.y_test
            self._kept[key] = task.examples(x, y, task.rows(y))
        return self._kept[key]

    def _training_part(self, k: int, *, validation: bool) -> Examples:
        task = self.tasks[k]
        x, y = task.data.x_train, task.data.y_train
        rows = task.rows(y)
        if self.val_share > 0:
            # Tasks over the same images hold out the same ones, or a later task would train on them.
            first = next(i for i, other in enumerate(self.tasks) if task.shares_images_with(other))
            held_out = _held_out(len(rows), self.val_share, generator(self.seed, "validation", first))
            rows = rows[held_out == validation]
        elif validation:
            rows = rows[:0]
        return task.examples(x, y, rows)


def make_stream(
    kind: Kind,
    stream: str,
    settings: Mapping[str, Any],
    data: Sequence[Dataset],
    *,
    seed: int,
    val_share: float,
) -> Stream:
    """Make a stream of ``cl.registry.STREAMS`` from one data set, or from one per task for ``explicit``.

    ``settings`` are that stream's, by their public names; ``normalize`` is folded into scale and shift
    (mean and standard deviation over all numbers of the data sets' training examples, colours alike).

    Raises:
        StreamError: this data cannot be divided or turned as the settings ask.
    """
    chosen = stream_settings(stream).model_validate(dict(settings))
    _check_data(chosen, data)
    contents = contents_of(chosen, data, seed)
    targets, outputs = number_labels(
        kind, [classes for _, classes, _ in contents], same_classes=isinstance(chosen, ExplicitSettings)
    )
    tasks = tuple(
        Task(source, classes, target, transform)
        for (source, classes, transform), target in zip(contents, targets, strict=True)
    )
    _check_tasks(kind, tasks, outputs, val_share)
    scale, shift = data[0].scale, 0.0
    if chosen.normalize:
        mean, deviation = _mean_and_deviation([each.x_train for each in data])
        scale, shift = 1 / deviation, mean / deviation
    return Stream(kind, tasks, outputs, data[0].x_train.shape[1:], scale, shift, seed, val_share)


def _held_out(count: int, share: float, draws: torch.Generator) -> NDArray[np.bool_]:
    """Mark the validation examples: the share, rounded, but at least one and never all."""
    held = min(max(1, round(count * share)), count - 1)
    marks = np.zeros(count, dtype=np.bool_)
    marks[torch.randperm(count, generator=draws)[:held].numpy()] = True
    return marks


def _mean_and_deviation(arrays: Sequence[NDArray[Any]]) -> tuple[float, float]:
    """Mean and standard deviation over every number of all arrays, in float64 and two passes."""
    rows = max(1, NUMBERS // arrays[0][0].size)
    parts = [x[start : start + rows] for x in arrays for start in range(0, len(x), rows)]
    count = sum(part.size for part in parts)
    mean = sum(float(part.sum(dtype=np.float64)) for part in parts) / count
    variance = sum(float(np.square(part - np.float64(mean)).sum()) for part in parts) / count
    if variance == 0:
        raise StreamError("normalize: every number in the training data is the same, so it has no deviation")
    return mean, math.sqrt(variance)


def _check_data(settings: StreamSettings, data: Sequence[Dataset]) -> None:
    if not data or (len(data) > 1 and not isinstance(settings, ExplicitSettings)):
        raise StreamError(f"one data set is needed (explicit: one per task), but {len(data)} were given")
    image = data[0].x_train.shape[1:]
    if isinstance(settings, RotatedSettings) and len(image) not in {2, 3}:
        raise StreamError(
            "rotated: images of shape (height, width) or (channels, height, width) are needed; "
            f"the data's shape is {image}"
        )
    for k, each in enumerate(data):
        if each.x_train.shape[1:] != image:
            raise StreamError(
                f"explicit: task {k} has examples of shape {each.x_train.shape[1:]}, task 0 of {image}"
            )
        if (each.x_train.dtype, each.scale) != (data[0].x_train.dtype, data[0].scale):
            raise StreamError(
                f"explicit: task {k} is {each.x_train.dtype} with scale {each.scale:.4g}, "
                f"task 0 {data[0].x_train.dtype} with scale {data[0].scale:.4g}; store all in the same way"
            )


def _check_tasks(kind: Kind, tasks: Sequence[Task], outputs: Sequence[int], val_share: float) -> None:
    for k, task in enumerate(tasks):
        if kind != "class-il" and outputs[k] < 2:
            raise StreamError(f"{kind}: task {k} has a single class, so there is nothing to tell apart")
        if len(task.data.y_test) and len(task.rows(task.data.y_test)) == 0:
            raise StreamError(f"task {k} (labels {list(task.classes)}) has no test examples")
        if not len(task.data.y_test) and val_share == 0:
            raise StreamError("there are no test examples and none are held out: nothing to score on")
        if val_share > 0 and len(task.rows(task.data.y_train)) < 2:
            raise StreamError(f"task {k} has a single training example, so none can be held out (val_share)")
    held_out = {(id(task.data), frozenset(task.classes)) for task in tasks}
    labels = {(data, label) for data, classes in held_out for label in classes}
    if val_share > 0 and len(labels) < sum(len(classes) for _, classes in held_out):
        raise StreamError("tasks share some of their examples and not all, so val_share must be 0")
