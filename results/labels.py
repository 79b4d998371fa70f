"""Names for cells: only the values that vary within the sweep."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

__all__ = ["label", "order", "varying"]

Settings: TypeAlias = Mapping[str, Any]


def varying(all_settings: Iterable[Settings]) -> tuple[str, ...]:
    """The names whose values are not the same everywhere, in order of appearance; an absent name is a value.

    >>> varying([{"lambda": 1, "gamma": 1}, {"lambda": 10, "gamma": 1}])
    ('lambda',)
    """
    distinct = [
        dict(pairs) for pairs in {_canonical(settings): settings for settings in all_settings}.values()
    ]
    names = dict.fromkeys(name for settings in distinct for name in settings)
    return tuple(name for name in names if len({json.dumps(s.get(name)) for s in distinct}) > 1)


def label(head: str, settings: Settings, names: Iterable[str], *, prefix: str = "") -> str:
    """*head* and the named values.

    >>> label("ewc", {"lambda": 100.0, "gamma": 1.0}, ["lambda"])
    'ewc lambda=100'
    >>> label("naive", {"hidden": [400, 400]}, ["hidden"], prefix="model.")
    'naive model.hidden=[400,400]'
    """
    values = [f"{prefix}{name}={_text(settings[name])}" for name in names if name in settings]
    return " ".join([head, *values])


def order(settings: Settings, names: Iterable[str]) -> tuple[tuple[bool, float, str], ...]:
    """A sort key by the named values: numbers by size, then everything else by its text.

    >>> sorted([{"x": 10}, {"x": "all"}, {"x": 9}], key=lambda settings: order(settings, ["x"]))
    [{'x': 9}, {'x': 10}, {'x': 'all'}]
    """
    return tuple(_rank(settings.get(name)) for name in names)


def _rank(value: Any) -> tuple[bool, float, str]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (False, float(value), "")
    return (True, 0.0, _text(value))


def _text(value: Any) -> str:
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _canonical(settings: Settings) -> str:
    return json.dumps(settings, sort_keys=True)
