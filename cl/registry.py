"""Every name a sweep can use, declared once: hyperparameters with types, ranges and defaults.

The spec is validated against these declarations and the methods are built from them, so a value that
passes validation is a value the method accepts. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["task-il", "domain-il", "class-il"]
"""An increment kind of van de Ven & Tolias (2019): what is known about the task, and when."""

KINDS: tuple[Kind, ...] = ("task-il", "domain-il", "class-il")

MODEL_OF_KIND: Mapping[Kind, str] = MappingProxyType(
    {"task-il": "MultiHeadMLP", "domain-il": "DomainMLP", "class-il": "SingleHeadMLP"}
)
"""The model that fits each increment kind: one head per task, one shared head, one growing head."""


LARGEST = 2**31 - 1
"""Counts are stored as 32-bit integers."""
LARGEST_FLOAT = 1e30
"""Weights are float32, up to 3.4e38; what computes with a setting may multiply it."""
MOST_TASKS = 10_000
"""A sweep records an accuracy for every pair of tasks."""

Count = Annotated[int, Field(ge=1, le=LARGEST)]
Tasks = Annotated[int, Field(ge=1, le=MOST_TASKS)]
Units = Annotated[int, Field(ge=1, le=1_000_000)]
Degrees = Annotated[float, Field(ge=-3600, le=3600)]


class Settings(BaseModel):
    """Named values with types, ranges and defaults; immutable, unknown names and look-alike types refused.

    Strict: neither ``true`` nor the text ``"1"`` is a number. A field that is a list says ``strict=False``
    for the list alone (its elements stay strict), since YAML and JSON know no tuples.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        validate_default=True,
        validate_by_name=True,
        allow_inf_nan=False,
    )

    def resolved(self) -> dict[str, Any]:
        """Every value under its public name, defaults filled in, as plain JSON types."""
        return self.model_dump(mode="json", by_alias=True)


class NaiveSettings(Settings):
    """Plain fine-tuning has no hyperparameters."""


class JointSettings(Settings):
    """Joint training has no hyperparameters."""


class EWCSettings(Settings):
    """Online elastic weight consolidation (Schwarz et al. 2018)."""

    lambda_: Annotated[float, Field(alias="lambda", ge=0, le=LARGEST_FLOAT)] = 100.0
    """Strength: the penalty is lambda/2 * sum_i F_i (theta_i - theta*_i)^2."""
    gamma: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Decay of the accumulated Fisher: F <- gamma F + F_k."""
    fisher: Literal["exact", "sampled", "empirical"] = "exact"
    """Labels weighted by the softmax, one label sampled from it, or the true label."""
    fisher_samples: Count | Literal["all"] = 200
    """Training examples of the finished task over which the Fisher is averaged."""


class ReplaySettings(Settings):
    """Experience replay from a reservoir (Vitter 1985, algorithm R)."""

    ratio: Annotated[float, Field(ge=0, le=0.999)] = 0.5
    """Share of the combined mini-batch that comes from memory; 0 is naive, 0.5 as many as are new."""
    buffer_size: Count = 500
    """Examples the reservoir holds."""


@dataclass(frozen=True)
class MethodEntry:
    """A method: what it is, its hyperparameters, where its code is and which increment kinds it suits."""

    summary: str
    settings: type[Settings]
    implementation: str
    """``module:Class``, imported only when a trial is about to run."""
    kinds: tuple[Kind, ...] = KINDS
    needs: str = ""
    """Why the other kinds are refused, as the end of the sentence "... because it"."""


# A new method is one file in cl/methods and one entry here.
METHODS: Mapping[str, MethodEntry] = MappingProxyType(
    {
        "naive": MethodEntry("plain fine-tuning: the lower bound", NaiveSettings, "cl.methods.naive:Naive"),
        "joint": MethodEntry(
            "a fresh model trained on all tasks so far: the reference",
            JointSettings,
            "cl.methods.joint:Joint",
        ),
        "ewc": MethodEntry(
            "online elastic weight consolidation: a quadratic pull towards weights old tasks rely on",
            EWCSettings,
            "cl.methods.ewc:EWC",
        ),
        "replay": MethodEntry(
            "experience replay: stored examples of old tasks in every mini-batch",
            ReplaySettings,
            "cl.methods.replay:Replay",
        ),
    }
)


class ModelSettings(Settings):
    """The multilayer perceptron under every head."""

    hidden: Annotated[tuple[Units, ...], Field(min_length=1, strict=False)] = (256, 256)
    """Units of each hidden layer."""


class TrainSettings(Settings):
    """The training loop, the same for every method."""

    epochs: Count | None = None
    """Passes over each task's training data; 5 unless `iterations` is given."""
    iterations: Count | None = None
    """Steps per task, in place of `epochs`."""
    batch_size: Count = 64
    optimizer: Literal["sgd", "adam"] = "sgd"
    lr: Annotated[float, Field(gt=0, le=LARGEST_FLOAT)] = 0.01
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Momentum of SGD; Adam uses its own (0.9, 0.999)."""
    clip_norm: Annotated[float, Field(gt=0, le=LARGEST_FLOAT)] | None = 1.0
    """Largest norm of a step's whole gradient; null for none."""
    val_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of each task's training data that is held out for validation."""
    reset_optimizer: bool = True
    """Whether momentum and moments start from zero at each task."""

    @model_validator(mode="before")
    @classmethod
    def _epochs_or_iterations(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("iterations") is None and values.get("epochs") is None:
            return {**values, "epochs": 5}
        return values

    @model_validator(mode="after")
    def _not_both(self) -> TrainSettings:
        if self.epochs is not None and self.iterations is not None:
            raise ValueError("give epochs or iterations, not both")
        return self

    def resolved(self) -> dict[str, Any]:
        """As `Settings.resolved`; a momentum that Adam would not read is reported as the default.

        Otherwise two trials that compute the same would have different ids.
        """
        values = super().resolved()
        if self.optimizer == "adam":
            values["momentum"] = type(self).model_fields["momentum"].default
        return values


@dataclass(frozen=True)
class DatasetEntry:
    """A data set known by name."""

    summary: str
    classes: int
    image: tuple[int, int]
    train: int
    """Training examples, for estimates made before the data is read."""
    test: int


DATASETS: Mapping[str, DatasetEntry] = MappingProxyType(
    {
        "digits": DatasetEntry("scikit-learn's 1,797 handwritten digits, embedded", 10, (8, 8), 1437, 360),
        "mnist": DatasetEntry("MNIST (LeCun et al. 1998)", 10, (28, 28), 60000, 10000),
        "fashion-mnist": DatasetEntry("Fashion-MNIST (Xiao et al. 2017)", 10, (28, 28), 60000, 10000),
    }
)


class StreamSettings(Settings):
    """What every stream can be told."""

    normalize: bool = False
    """Subtract the training data's mean and divide by its standard deviation, after scaling to [0, 1]."""


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
