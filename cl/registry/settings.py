"""What every declaration of named values shares: strictness, bounds, and the increment kinds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["task-il", "domain-il", "class-il"]
"""An increment kind of van de Ven & Tolias (2019): what is known about the task, and when."""

KINDS: tuple[Kind, ...] = ("task-il", "domain-il", "class-il")

LARGEST = 2**31 - 1
"""Counts are stored as 32-bit integers."""
LARGEST_FLOAT = 1e30
"""Weights are float32, up to 3.4e38; what computes with a setting may multiply it."""

Count = Annotated[int, Field(ge=1, le=LARGEST)]
Units = Annotated[int, Field(ge=1, le=1_000_000)]
Strength = Annotated[float, Field(ge=0, le=LARGEST_FLOAT)]
"""How much a term of the loss counts; 0 switches it off."""


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
