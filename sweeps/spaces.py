"""Search spaces: where a hyperparameter is searched, written as Ray Tune names it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from sweeps.grid import REFUSED
from sweeps.problems import Problem, key, not_allowed

if TYPE_CHECKING:  # which in turn knows spaces where they must not be
    from sweeps.validation import Place

Kind = Literal["choice", "uniform", "loguniform", "randint"]
KINDS: tuple[Kind, ...] = get_args(Kind)

DEFAULT = "default"
"""What stands beside a space for the value that the hyperparameter has where nobody searches."""

Check = Callable[[str, Any, str], bool]
"""Whether a value of a hyperparameter, by its name and the place of the value, is a valid one."""


@dataclass(frozen=True)
class Space:
    """Where one hyperparameter is searched.

    ``choice``: one of `values`. The others lie from the first of two values up to, without it, the second:
    ``uniform``, ``loguniform`` (uniform in the logarithm), ``randint`` (whole numbers).
    """

    kind: Kind
    values: tuple[Any, ...]

    def written(self, default: Any) -> dict[str, Any]:
        """As a spec spells it.

        >>> Space("loguniform", (1, 1e6)).written(300)
        {'loguniform': [1, 1000000.0], 'default': 300}
        """
        return {self.kind: list(self.values), DEFAULT: default}

    @property
    def ends(self) -> tuple[Any, ...]:
        """The lowest and the highest value, or everything there is to choose from."""
        return (self.values[0], self.values[1] - 1) if self.kind == "randint" else self.values

    @property
    def is_numeric(self) -> bool:
        """Whether its values have an order, and so edges."""
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)

    @property
    def logarithmic(self) -> bool:
        """Whether its values are best drawn on a logarithmic axis."""
        if self.kind == "choice":
            return self.is_numeric and min(self.values) > 0 and max(self.values) >= 20 * min(self.values)
        return self.kind == "loguniform"

    def rounded(self, value: Any) -> Any:
        """A drawn number with the digits that matter, so that people can read and repeat it.

        The step is a thousandth of the range or less, and for ``loguniform`` of the value.

        >>> Space("loguniform", (1, 1e6)).rounded(4713.20893), Space("uniform", (0.7, 1.0)).rounded(0.8123456)
        (4713.0, 0.8123)
        """
        low, high = self.values[0], self.values[-1]
        if self.kind == "randint":
            return type(low)(value)  # a hyperparameter that takes fractions takes 2 as 2.0
        if self.kind == "choice" or not value:
            return value
        scale = high - low if self.kind == "uniform" else min(abs(value), high - low)
        near = round(value, 3 - math.floor(math.log10(scale)))
        return float(near) if low <= near < high else value


def parted(values: Any) -> tuple[Any, dict[str, Any]]:
    """The *values* of a method without the search spaces, but with the defaults in them; and the spaces.

    >>> parted({"lambda": {"loguniform": [1, 10], "default": 3}, "gamma": 1.0})
    ({'gamma': 1.0, 'lambda': 3}, {'lambda': {'loguniform': [1, 10]}})
    """
    if not isinstance(values, Mapping):
        return values, {}
    spaces = {name: value for name, value in values.items() if is_space(value)}
    fixed = {name: value for name, value in values.items() if name not in spaces}
    defaults = {name: value[DEFAULT] for name, value in spaces.items() if DEFAULT in value}
    bare = {
        name: {key: each for key, each in value.items() if key != DEFAULT} for name, value in spaces.items()
    }
    return fixed | defaults, bare


def is_space(value: Any) -> bool:
    """Whether *value* is written like a search space."""
    return isinstance(value, Mapping) and any(kind in value for kind in KINDS)


def space(
    name: str, value: Mapping[str, Any], at: Place, check: Check, problems: list[Problem]
) -> Space | None:
    """The space that *value* of the hyperparameter *name* means; if wrong, None, and problems are added.

    Both ends and what lies between them must be values that the hyperparameter can have.
    """
    place = at((name,))
    if len(value) > 1:
        others = ", ".join(key(each) for each in value)
        problems.append(Problem(place, f"a search space stands alone; this has {others}"))
        return None
    kind: Any = next(iter(value))
    if value[kind] is REFUSED:
        return None
    found = Space(kind, tuple(value[kind])) if isinstance(value[kind], list) else None
    if found is None or not _is_whole(found):
        problems.append(not_allowed(f"{place}.{kind}", value[kind], _FORMS[kind]))
        return None
    # Each end is checked, so that all that is wrong is known.
    right = [check(name, each, f"{place}.{kind}[{i}]") for i, each in enumerate(found.ends)]
    if not all(right):
        return None
    if found.kind in {"uniform", "loguniform"}:
        low, high = found.values
        between = low + (high - low) * 0.61803  # no whole number, for a hyperparameter that is one
        if not check(name, between, f"{place}.{kind}"):
            return None
    return found


_FORMS = {
    "choice": "a list of different values",
    "uniform": "two numbers, the lower one first",
    "loguniform": "two numbers above 0, the lower one first",
    "randint": "two whole numbers, the lower one first; the second is itself not drawn",
}


def _is_whole(space: Space) -> bool:
    values = space.values
    if space.kind == "choice":
        return bool(values) and len({repr(value) for value in values}) == len(values)
    if len(values) != 2 or not space.is_numeric or not values[0] < values[1]:
        return False
    if space.kind == "randint":
        return all(isinstance(value, int) for value in values)
    return space.kind == "uniform" or values[0] > 0
