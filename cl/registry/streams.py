"""The data sets and streams that a spec can name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field

from cl.registry.settings import Settings, Units

MOST_TASKS = 10_000
"""A sweep records an accuracy for every pair of tasks."""

Tasks = Annotated[int, Field(ge=1, le=MOST_TASKS)]
Degrees = Annotated[float, Field(ge=-3600, le=3600)]


@dataclass(frozen=True)
class DatasetEntry:
    """A data set known by name."""

    summary: str
    classes: int
    image: tuple[int, ...]
    """Height and width, after the number of channels where there are several."""
    train: int
    """Training examples, for estimates made before the data is read."""
    test: int


DATASETS: Mapping[str, DatasetEntry] = MappingProxyType(
    {
        "digits": DatasetEntry("scikit-learn's 1,797 handwritten digits, embedded", 10, (8, 8), 1437, 360),
        "mnist": DatasetEntry("MNIST (LeCun et al. 1998)", 10, (28, 28), 60000, 10000),
        "fashion-mnist": DatasetEntry("Fashion-MNIST (Xiao et al. 2017)", 10, (28, 28), 60000, 10000),
        "cifar10": DatasetEntry("CIFAR-10 (Krizhevsky 2009)", 10, (3, 32, 32), 50000, 10000),
        "cifar100": DatasetEntry("CIFAR-100 (Krizhevsky 2009)", 100, (3, 32, 32), 50000, 10000),
    }
)


class StreamSettings(Settings):
    """What every stream can be told."""

    normalize: bool = False
    """Subtract the training data's mean and divide by its standard deviation, after scaling to [0, 1]."""
    part: (
        Annotated[
            str,
            Field(
                pattern=r"^(first|after)-[1-9][0-9]{0,3}\z",
                description="first-K or after-K, such as first-2: only the first K tasks, or only those after"
                " them, the first K being the same for every seed",
            ),
        ]
        | None
    ) = None
    """Only some of the tasks, so that a search can see the first ones and a report the others."""

    @property
    def first_k(self) -> int:
        """Number of tasks at the start that are the same for every seed; 0 without `part`."""
        return int(self.part.partition("-")[2]) if self.part else 0

    def resolved(self) -> dict[str, Any]:
        """As `Settings.resolved`; a stream that is whole does not mention its parts."""
        return {name: value for name, value in super().resolved().items() if name != "part" or value}


class SplitSettings(StreamSettings):
    """Disjoint groups of classes, one group per task."""

    tasks: Tasks | None = None
    """Number of tasks; by default as many as the classes allow."""
    classes_per_task: Units = 2
    class_order: Literal["natural", "seed"] = "natural"
    """Classes in ascending order, or shuffled by the trial's seed."""


class PermutedSettings(StreamSettings):
    """All classes in every task, under a fixed permutation of the pixels."""

    tasks: Tasks = 5
    permute_first: bool = False
    """Permute task 0 as well; otherwise it is the data as it is."""


class RotatedSettings(StreamSettings):
    """All classes in every task, images rotated by evenly spaced angles."""

    tasks: Tasks = 5
    angles: Annotated[tuple[Degrees, Degrees], Field(strict=False)] = (0.0, 180.0)
    """First angle and end of the range in degrees; the last task's angle lies below the end."""


class ExplicitSettings(StreamSettings):
    """Tasks given one by one, each by its own file."""


STREAMS: Mapping[str, type[StreamSettings]] = MappingProxyType(
    {
        "split": SplitSettings,
        "permuted": PermutedSettings,
        "rotated": RotatedSettings,
        "explicit": ExplicitSettings,
    }
)
"""How a data set becomes a sequence of tasks; ``split`` over ``mnist`` is the stream ``split-mnist``."""
