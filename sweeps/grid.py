"""Grids: any value of a spec may be ``{grid: [...]}``, and stands for one combination per element."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from sweeps.problems import Problem, key, not_allowed

Path = tuple[str | int, ...]
"""Keys and indices that lead to a value."""

LARGEST = 100_000
"""Combinations that one section of a spec may stand for."""


class _Refused(Enum):
    REFUSED = "refused"


REFUSED: Final = _Refused.REFUSED
"""Stands where a malformed grid was: its problem is known, so nobody else needs to complain."""


@dataclass(frozen=True)
class Combination:
    """One way to choose from every grid within a value."""

    value: Any
    picks: Mapping[Path, str]
    """Which element was taken, like ``.grid[2]``, by the path of the grid."""

    def place(self, base: str, path: Path = ()) -> str:
        """Where in the spec the value at *path* was written.

        >>> Combination({"lambda": -1}, {("lambda",): ".grid[2]"}).place("methods.ewc", ("lambda",))
        'methods.ewc.lambda.grid[2]'
        """
        text = base + self.picks.get((), "")
        for end, step in enumerate(path, start=1):
            text += f"[{step}]" if isinstance(step, int) else f".{key(step)}"
            text += self.picks.get(path[:end], "")
        return text.removeprefix(".")


def combinations(value: Any, base: str, problems: list[Problem]) -> list[Combination]:
    """Every combination of the grids in *value*, the last grid varying fastest.

    A grid that is malformed (not a list, empty, with other keys beside it) adds a problem and becomes the
    value `REFUSED`; so does a value that stands for more than `LARGEST` combinations.

    >>> [c.value for c in combinations({"a": {"grid": [1, 2]}, "b": 3}, "x", [])]
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    problems += _malformed(value, base, ())
    size = _size(value)
    if size > LARGEST:
        problems.append(Problem(base, f"its grids make {size} combinations; at most {LARGEST} are allowed"))
        return [Combination(REFUSED, {})]
    return _expanded(value, ())


def listed(entries: Sequence[Any], place: str, problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    """Each of *entries* with its place, in place of an entry that is a grid the elements of that grid.

    Grids within an entry are left to `combinations`; a malformed one in place of an entry adds a problem.

    >>> list(listed(["naive", {"grid": ["joint"]}], "methods", []))
    [('methods[0]', 'naive'), ('methods[1].grid[0]', 'joint')]
    """
    for i, entry in enumerate(entries):
        here = f"{place}[{i}]"
        if not isinstance(entry, dict) or "grid" not in entry:
            yield here, entry
        elif mistake := _mistake(entry, here):
            problems.append(mistake)
        else:
            yield from listed(entry["grid"], f"{here}.grid", problems)


def factored(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One mapping with grids whose combinations are *rows*, in their order (the inverse of `combinations`).

    >>> factored([{"a": 1, "b": 3}, {"a": 2, "b": 3}])
    {'a': {'grid': [1, 2]}, 'b': 3}
    >>> factored([{"a": 1, "b": 3}, {"a": 2, "b": 4}])
    {'grid': [{'a': 1, 'b': 3}, {'a': 2, 'b': 4}]}
    """
    if any(row.keys() != rows[0].keys() for row in rows):
        return {"grid": [dict(row) for row in rows]}
    values = {name: _distinct(row[name] for row in rows) for name in rows[0]}
    # The slower a value changes from row to row, the further out its loop was.
    slowest_first = sorted(values, key=lambda name: _first_change(rows, name), reverse=True)
    if len(rows) == math.prod(map(len, values.values())):
        products = itertools.product(*(values[name] for name in slowest_first))
        if all(
            dict(zip(slowest_first, product, strict=True)) == row
            for product, row in zip(products, rows, strict=True)
        ):
            order = values if len(_varying(values)) < 2 else slowest_first
            return {
                name: values[name][0] if len(values[name]) == 1 else {"grid": values[name]} for name in order
            }
    return {"grid": [dict(row) for row in rows]}


def _varying(values: Mapping[str, Sequence[Any]]) -> list[str]:
    return [name for name, distinct in values.items() if len(distinct) > 1]


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list({repr(value): value for value in values}.values())  # lists are not hashable


def _first_change(rows: Sequence[Mapping[str, Any]], name: str) -> int:
    return next((i for i, row in enumerate(rows) if row[name] != rows[0][name]), 0)


def _elements(grid: Mapping[str, Any]) -> Sequence[Any] | None:
    elements = grid["grid"]
    return elements if len(grid) == 1 and isinstance(elements, list) and elements else None


def _malformed(value: Any, base: str, path: Path) -> Iterator[Problem]:
    is_grid = isinstance(value, dict) and "grid" in value
    if is_grid and (mistake := _mistake(value, Combination(None, {}).place(base, path))):
        yield mistake
    children = (
        value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    )
    for step, child in children:
        yield from _malformed(child, base, (*path, step))


def _mistake(grid: Mapping[str, Any], place: str) -> Problem | None:
    elements = grid["grid"]
    if len(grid) > 1:
        others = ", ".join(key(name) for name in grid if name != "grid")
        return Problem(place, f"a grid stands alone, without {others} beside it")
    if not isinstance(elements, list):
        return not_allowed(f"{place}.grid", elements, "a list of values")
    if not elements:
        return Problem(f"{place}.grid", "[] is not allowed; a grid needs at least one value")
    return None


def _size(value: Any) -> int:
    if isinstance(value, dict) and "grid" in value:
        elements = _elements(value)
        return 1 if elements is None else sum(map(_size, elements))
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return math.prod(map(_size, children))


def _expanded(value: Any, path: Path) -> list[Combination]:
    if isinstance(value, dict) and "grid" in value:
        elements = _elements(value)
        if elements is None:
            return [Combination(REFUSED, {})]
        return [
            Combination(inner.value, {**inner.picks, path: f".grid[{i}]{inner.picks.get(path, '')}"})
            for i, element in enumerate(elements)
            for inner in _expanded(element, path)
        ]
    if isinstance(value, dict):
        names = list(value)
        return _product(
            [_expanded(value[name], (*path, name)) for name in names],
            lambda chosen: dict(zip(names, chosen, strict=True)),
        )
    if isinstance(value, list):
        return _product([_expanded(item, (*path, i)) for i, item in enumerate(value)], _list)
    return [Combination(value, {})]


def _list(items: list[Any]) -> Any:
    return REFUSED if REFUSED in items else items


def _product(parts: Iterable[list[Combination]], build: Callable[[list[Any]], Any]) -> list[Combination]:
    return [
        Combination(
            build([part.value for part in chosen]),
            {path: pick for part in chosen for path, pick in part.picks.items()},
        )
        for chosen in itertools.product(*parts)
    ]
