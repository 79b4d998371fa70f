"""The section ``methods``: each method with its hyperparameters, given, in a grid or to be searched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cl import registry
from sweeps.grid import REFUSED, Combination, combinations, listed
from sweeps.names import Names
from sweeps.problems import Problem, not_allowed, shown
from sweeps.sections import own_resources, placed
from sweeps.spaces import Space, parted, space
from sweeps.validation import Place


@dataclass(frozen=True)
class MethodChoice:
    """A method with one set of hyperparameters and the resources it asks for instead of the sweep's."""

    method: str
    hyperparameters: dict[str, Any]
    """All of them; one that is searched has its default."""
    resources: dict[str, Any]
    space: Mapping[str, Space] = field(default_factory=dict)
    """Where those that are searched are searched."""
    scenarios: tuple[str, ...] = ()
    """The only scenarios that it is for, by their labels; empty for all."""


def methods(entries: Sequence[Any], names: Names, problems: list[Problem]) -> tuple[MethodChoice, ...]:
    """Every combination of every method, in order; a method that is listed twice is a problem."""
    choices: list[MethodChoice] = []
    first: dict[str, str] = {}
    for place, listing in listed(entries, "methods", problems):
        named = _named(listing, place, problems)
        if named is None:
            continue
        name, values = named
        if name in first:
            text = f"{shown(name)} is already {first[name]}; several values of one method are a grid"
            problems.append(Problem(place, f"{text}: {{grid: [...]}}"))
        first.setdefault(name, place)
        entry = names.method(name, place, problems)
        if entry is not None:
            choices += _method(name, entry, values, names, problems)
    return tuple(choices)


def _named(entry: Any, place: str, problems: list[Problem]) -> tuple[str, Any] | None:
    if isinstance(entry, str):
        return entry, None
    if isinstance(entry, Mapping) and len(entry) == 1:
        return next(iter(entry.items()))
    form = "the name of a method, or {name: {hyperparameter: value}}"
    if isinstance(entry, Mapping) and entry:
        form += "; hyperparameters are indented below the name"
    problems.append(not_allowed(place, entry, form))
    return None


def _method(
    name: str, entry: registry.MethodEntry, values: Any, names: Names, problems: list[Problem]
) -> Iterator[MethodChoice]:
    place = f"methods.{name}"
    what = f"hyperparameter of {name}"
    seen: set[str] = set()
    for combination in combinations(values, place, problems):
        if combination.value is REFUSED:
            continue
        at = placed(combination, place)
        given = own_resources(combination, at, problems)
        own = combination.value
        if isinstance(own, Mapping):
            own = {key: value for key, value in own.items() if key not in _OF_A_CHOICE}
        own, written = parted(own)
        own = _with_defaults(own, written, entry.settings, at, problems)
        resolve = partial(
            names.resolved, entry.settings, name, what=what, also=_OF_A_CHOICE, problems=problems
        )
        resolved = resolve(own, at=at)
        fixed = own if resolved is not None and own else {}
        searched = _spaces(_known(written, entry.settings, at, resolve), fixed, at, resolve, problems)
        only = _only(combination, at, problems)
        if resolved is None:
            continue
        spaces = {key: each.written(resolved.get(key)) for key, each in searched.items()}
        spelled = json.dumps([resolved, spaces, only])
        if spelled not in seen:
            seen.add(spelled)
            yield MethodChoice(name, resolved, given, searched, only)


def _spaces(
    written: Mapping[str, Any],
    fixed: Mapping[str, Any],
    at: Place,
    resolve: Callable[..., Any],
    problems: list[Problem],
) -> dict[str, Space]:
    """The search spaces *written* beside the *fixed* hyperparameters, without those that are wrong."""

    def check(name: str, value: Any, spot: str) -> bool:
        return resolve({**fixed, name: value}, at=lambda _: spot) is not None

    found = {name: space(name, value, at, check, problems) for name, value in written.items()}
    return {name: each for name, each in found.items() if each is not None}


def _with_defaults(
    own: Any,
    written: Mapping[str, Any],
    settings: type[registry.Settings],
    at: Place,
    problems: list[Problem],
) -> Any:
    """The values *own*; what is searched without any default is a problem, and gets a value to go on with."""
    if own is not None and not isinstance(own, Mapping):
        return own
    fields = settings.model_fields.items()
    required = {field.alias or name for name, field in fields if field.is_required()}
    for name in required & written.keys() - (own or {}).keys():
        form = "{uniform: [0, 1], default: 0.5}"
        problems.append(Problem(at((name,)), f"has no default; add one to its space, like {form}"))
        values = next(iter(written[name].values()), None)
        own = {**(own or {}), name: values[0] if isinstance(values, list) and values else None}
    return own


def _known(
    written: Mapping[str, Any], settings: type[registry.Settings], at: Place, resolve: Callable[..., Any]
) -> dict[str, Any]:
    """Those of the search spaces *written* whose names are hyperparameters; the others are problems."""
    if settings.model_config.get("extra") == "allow":  # a plug-in that nobody looked at
        return dict(written)
    names = {field.alias or name for name, field in settings.model_fields.items()}
    for name in written.keys() - names:
        resolve({name: None}, at=at)
    return {name: value for name, value in written.items() if name in names}


_OF_A_CHOICE = ("resources", "scenarios")
"""Names beside a method's hyperparameters that are none."""


def _only(combination: Combination, at: Place, problems: list[Problem]) -> tuple[str, ...]:
    """The scenarios that a method's values are for, as their section names them."""
    values = combination.value.get("scenarios") if isinstance(combination.value, Mapping) else None
    if values is None:
        return ()
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        form = "a list of scenarios that the values are for, like [class-il/split-digits]"
        problems.append(not_allowed(at(("scenarios",)), values, form))
        return ()
    return tuple(values)
