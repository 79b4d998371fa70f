"""The settings of the training loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cl.registry.settings import LARGEST_FLOAT, Count, Settings


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
    """Whether momentum and moments start from zero at each task; else only those of other heads do."""

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
