"""Settings and columns under names, and in types, that every tracking tool takes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

__all__ = ["as_text", "flattened"]


def flattened(head: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, str | int | float | bool]]:
    """Every setting by its dotted name; what is no plain value is written as JSON.

    >>> dict(flattened("model", {"hidden": [20, 20], "norm": None, "head": {"bias": True}}))
    {'model.hidden': '[20, 20]', 'model.norm': 'null', 'model.head.bias': True}
    """
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flattened(f"{head}.{name}", value)
        else:
            plain = isinstance(value, str | int | float)
            yield f"{head}.{name}", value if plain else json.dumps(value)


def as_text(value: Any) -> str:
    """A column's value for people: a text as it is, a time in ISO 8601, and anything else as JSON.

    >>> as_text("cpu"), as_text(True), as_text([1, 2]), as_text([("ray", "2.60.0")])
    ('cpu', 'true', '[1, 2]', '{"ray": "2.60.0"}')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list) and value and isinstance(value[0], tuple):  # as Arrow gives a map
        value = dict(value)
    return json.dumps(value)
