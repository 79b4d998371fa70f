"""The models that a spec can name, and which of them goes with which increment kind and method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, field_validator

from cl.registry.methods import MethodEntry
from cl.registry.settings import KINDS, Kind, Settings, Units

MOST_WEIGHTS = 100_000_000
"""Between two hidden layers; more than one trial should ask of a machine."""


class ModelSettings(Settings):
    """What every model can be told: which one it is."""

    name: str


class MLPSettings(ModelSettings):
    """A multilayer perceptron of ReLU layers."""

    name: Literal["mlp", "MultiHeadMLP", "SingleHeadMLP", "DomainMLP", "ProgressiveNeuralNet"] = "mlp"
    """``mlp`` is the one that fits the increment kind and the method."""
    hidden: Annotated[tuple[Units, ...], Field(min_length=1, strict=False)] = (256, 256)
    """Units of each hidden layer."""

    @field_validator("hidden")
    @classmethod
    def _not_too_large(cls, hidden: tuple[int, ...]) -> tuple[int, ...]:
        if any(inputs * outputs > MOST_WEIGHTS for inputs, outputs in pairwise(hidden)):
            raise ValueError(f"at most {MOST_WEIGHTS} weights between two layers")
        return hidden


class ConvNetSettings(ModelSettings):
    """A small convolutional network: 3 x 3 convolutions, each halving the image, then a hidden layer."""

    name: Literal["ConvNet"] = "ConvNet"
    channels: Annotated[tuple[Units, ...], Field(min_length=1, strict=False)] = (16, 32)
    """Channels of each convolution; each is followed by a ReLU and 2 x 2 max pooling."""
    hidden: Units = 128
    """Units of the hidden layer under the outputs."""


Level = Literal["valid", "suboptimal", "invalid"]


@dataclass(frozen=True)
class Fit:
    """How well a model suits an increment kind: valid, suboptimal (runs, with a warning) or invalid."""

    level: Level
    reason: str = ""
    """Why not valid, as a clause."""
    labels: Kind | None = None
    """The kind whose labels it learns; its own where None."""


@dataclass(frozen=True)
class ModelEntry:
    """A model: what it is, its settings, where its code is, and which increment kinds it suits."""

    summary: str
    settings: type[ModelSettings]
    implementation: str
    """``module:Class``, imported only when a trial is about to run."""
    fits: Mapping[Kind, Fit]


_VALID = Fit("valid")
_NO_TASK_ID = Fit("invalid", "its heads are selected by the task id, which is not known at inference")
_NO_COLUMN = Fit("invalid", "its columns are selected by the task id, which is not known at inference")

MODELS: Mapping[str, ModelEntry] = MappingProxyType(
    {
        "MultiHeadMLP": ModelEntry(
            "a perceptron with one head per task",
            MLPSettings,
            "cl.models:MultiHeadMLP",
            {"task-il": _VALID, "domain-il": _NO_TASK_ID, "class-il": _NO_TASK_ID},
        ),
        "DomainMLP": ModelEntry(
            "a perceptron with one fixed head that all tasks share",
            MLPSettings,
            "cl.models:DomainMLP",
            {
                "task-il": Fit(
                    "suboptimal", "it ignores the task id, so tasks share their outputs", "domain-il"
                ),
                "domain-il": _VALID,
                "class-il": Fit("suboptimal", "classes that are still to come compete from the start"),
            },
        ),
        "SingleHeadMLP": ModelEntry(
            "a perceptron with one head that grows with the classes",
            MLPSettings,
            "cl.models:SingleHeadMLP",
            {
                "task-il": Fit(
                    "suboptimal", "it ignores the task id, so the classes of all tasks compete", "class-il"
                ),
                "domain-il": Fit("suboptimal", "its head has nothing to grow for: it is a DomainMLP"),
                "class-il": _VALID,
            },
        ),
        "ProgressiveNeuralNet": ModelEntry(
            "a perceptron per task with lateral connections from all earlier ones (Rusu et al. 2016)",
            MLPSettings,
            "cl.progressive:ProgressiveNeuralNet",
            {"task-il": _VALID, "domain-il": _NO_COLUMN, "class-il": _NO_COLUMN},
        ),
        "ConvNet": ModelEntry(
            "a small convolutional network with the head that fits the increment kind",
            ConvNetSettings,
            "cl.convnet:ConvNet",
            dict.fromkeys(KINDS, _VALID),
        ),
    }
)

MODEL_OF_KIND: Mapping[Kind, str] = MappingProxyType(
    {"task-il": "MultiHeadMLP", "domain-il": "DomainMLP", "class-il": "SingleHeadMLP"}
)
"""The model that ``mlp`` stands for: one head per task, one shared head, one growing head."""


def model_name(name: str, kind: Kind, method: MethodEntry) -> str:
    """The model that a trial trains where its spec says *name*.

    >>> from cl.registry import METHODS
    >>> model_name("mlp", "task-il", METHODS["naive"]), model_name("mlp", "task-il", METHODS["pnn"])
    ('MultiHeadMLP', 'ProgressiveNeuralNet')
    """
    if name != "mlp":
        return name
    return MODEL_OF_KIND[kind] if method.models is None else method.models[0]
