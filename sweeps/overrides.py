"""Overrides from the command line: ``PLACE=VALUE`` put into a spec before it is checked."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sweeps.problems import MalformedError, Problem, hint, key, shown
from sweeps.scenarios import written_out
from sweeps.syntax import parse


def overridden(spec: dict[str, Any], assignments: Iterable[str], problems: list[Problem]) -> dict[str, Any]:
    """A copy of *spec* with each ``PLACE=VALUE`` put in; what cannot be placed adds a problem.

    VALUE is YAML. PLACE is names joined by dots; entries of a list go by number from 0, methods and
    scenarios also by name.

    >>> overridden({"methods": ["naive", "ewc"]}, ["methods.ewc.lambda=1e3", "train.lr=0.1"], [])
    {'methods': ['naive', {'ewc': {'lambda': 1000}}], 'train': {'lr': 0.1}}
    """
    spec = copy.deepcopy(spec)
    for assignment in assignments:
        try:
            _assign(spec, assignment)
        except MalformedError as error:
            problems.append(error.problem)
    return spec


def _assign(spec: dict[str, Any], assignment: str) -> None:
    place, equals, text = assignment.partition("=")
    steps = place.strip().split(".")
    if not equals or not all(steps):
        raise MalformedError(Problem(f"--set {shown(assignment)}", "write PLACE=VALUE, like train.lr=0.1"))
    try:
        value = parse(text)
    except MalformedError as error:
        raise MalformedError(Problem(f"--set {shown(assignment)}", error.problem.text)) from None
    if steps[0] in _ENTRY and len(steps) > 1 and isinstance(spec.get(steps[0]), list):
        entry, name_of = _ENTRY[steps[0]]
        first, *after = _whole_name([str(name_of(each)) for each in spec[steps[0]]], steps[1:])
        container, rest = entry(spec[steps[0]], first, after)
        _put(container, rest, value, place)
    else:
        _put(spec, steps, value, place)


def _put(container: Any, steps: list[str], value: Any, place: str) -> None:
    for step in steps[:-1]:
        index = _index(container, step, place)
        child = container.get(index) if isinstance(container, dict) else container[index]
        if child is None:
            child = container[index] = {}
        container = child
    container[_index(container, steps[-1], place)] = value


def _index(container: Any, step: str, place: str) -> str | int:
    if isinstance(container, dict):
        _refuse_beside_a_grid(container, step, place)
        return step
    if not isinstance(container, list):
        raise MalformedError(Problem(f"--set {place}", f"{shown(container)} has no part {shown(step)}"))
    return _number(container, step, place)


def _refuse_beside_a_grid(container: Mapping[str, Any], step: str, place: str) -> None:
    names = [*container, step]
    others = ", ".join(key(name) for name in names if name != "grid")
    if "grid" in names and others:
        within = "; a value within it goes by its number, like grid.0" if "grid" in container else ""
        raise MalformedError(
            Problem(f"--set {place}", f"a grid stands alone, without {others} beside it{within}")
        )


def _number(entries: list[Any], step: str, place: str) -> int:
    if step.isdecimal() and len(step) < 10 and int(step) < len(entries):
        return int(step)
    count = len(entries)
    allowed = f"give a number from 0 to {count - 1}" if count else "it is empty"
    raise MalformedError(Problem(f"--set {place}", f"the list has no entry {shown(step)}; {allowed}"))


def _whole_name(names: list[str], steps: list[str]) -> list[str]:
    """*steps*, the first of them joined if that makes one of *names*: a plug-in's name may have dots."""
    for end in range(len(steps), 1, -1):
        if (joined := ".".join(steps[:end])) in names:
            return [joined, *steps[end:]]
    return steps


def _method_name(entry: Any) -> Any:
    return next(iter(entry), "") if isinstance(entry, dict) else entry


def _method(entries: list[Any], step: str, rest: list[str]) -> tuple[Any, list[str]]:
    i = _entry(entries, step, "methods", _method_name)
    if not rest and step.isdecimal():
        return entries, [str(i)]
    if isinstance(entries[i], str):
        entries[i] = {entries[i]: {}}
    name = next(iter(entries[i]), step) if isinstance(entries[i], dict) else step
    return entries[i], [name, *rest]


def _scenario(entries: list[Any], step: str, rest: list[str]) -> tuple[Any, list[str]]:
    i = _entry(entries, step, "scenarios", _scenario_name)
    if not rest:
        return entries, [str(i)]
    entries[i] = written_out(entries[i])
    return entries[i], rest


def _scenario_name(entry: Any) -> Any:
    return f"{entry.get('kind')}/{entry.get('stream')}" if isinstance(entry, dict) else entry


def _entry(entries: list[Any], step: str, section: str, name_of: Callable[[Any], Any]) -> int:
    if step.isdecimal():
        return _number(entries, step, f"{section}.{step}")
    names = [str(name_of(entry)) for entry in entries]
    if names.count(step) == 1:
        return names.index(step)
    place = f"--set {section}.{step}"
    if step in names:
        raise MalformedError(
            Problem(place, f"{names.count(step)} entries have this name; give a number from 0")
        )
    raise MalformedError(Problem(place, f"the spec has no entry {shown(step)}; {hint(step, names)}"))


_Entry = Callable[[list[Any], str, list[str]], tuple[Any, list[str]]]
_ENTRY: dict[str, tuple[_Entry, Callable[[Any], Any]]] = {
    "methods": (_method, _method_name),
    "scenarios": (_scenario, _scenario_name),
}
