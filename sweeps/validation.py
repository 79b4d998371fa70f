"""Values checked against their declaration; what pydantic finds, said in the words of the spec."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sweeps.grid import REFUSED, Path
from sweeps.problems import Problem, hint, key, nearest, not_allowed, shown
from sweeps.spaces import is_space
from sweeps.syntax import looks_like_a_number

Declared = TypeVar("Declared", bound=BaseModel)
Place = Callable[[Path], str]
"""Spells the place of a path within the values at hand, like ``methods.ewc.lambda.grid[2]``."""


def check(
    declaration: type[Declared],
    values: Any,
    *,
    at: Place,
    what: str,
    also: Sequence[str] = (),
    problems: list[Problem],
) -> Declared | None:
    """*values* as *declaration* holds them; if anything is wrong, None, and every problem is added.

    Args:
        declaration: names, types, ranges and defaults.
        values: a mapping, or null for all defaults. Values marked as refused are passed over.
        at: the place of each value.
        what: what its names are, for messages: "hyperparameter of ewc".
        also: further names that are valid here, offered when a name is unknown.
        problems: receives what is found.
    """
    if values is None:
        values = {}
    if not isinstance(values, Mapping):
        names = ", ".join([*_fields(declaration), *also])
        problems.append(not_allowed(at(()), values, f"a mapping of names to values ({names})"))
        return None
    left = {name: value for name, value in values.items() if value is not REFUSED}
    found: list[Problem] = []
    while True:
        try:
            checked = declaration.model_validate(left, by_alias=True, by_name=False)
        except ValidationError as error:
            found += _translated(error, declaration, values, at=at, what=what, also=also)
            wrong = {step["loc"][0] for step in error.errors() if step["loc"]}
            if not wrong & left.keys():
                break
            # Rules that span several values are only reached once each single value is right.
            left = {name: value for name, value in left.items() if name not in wrong}
        else:
            break
    problems += dict.fromkeys(found)
    return None if found else checked


@cache
def _fields(declaration: type[BaseModel]) -> Mapping[str, Any]:
    """The JSON schema of each field, under the name that a spec uses."""
    fields: Mapping[str, Any] = declaration.model_json_schema().get("properties", {})
    return fields


def _translated(
    error: ValidationError,
    declaration: type[BaseModel],
    values: Mapping[str, Any],
    *,
    at: Place,
    what: str,
    also: Sequence[str],
) -> Iterator[Problem]:
    fields = _fields(declaration)
    for step in error.errors(include_url=False):
        if not step["loc"]:
            yield Problem(at(()), str(step.get("ctx", {}).get("error", step["msg"])))
            continue
        name = str(step["loc"][0])
        if step["type"] == "extra_forbidden" and name == "grid":
            yield Problem(at(()), "takes no grid")
        elif step["type"] == "extra_forbidden":
            yield Problem(at((name,)), f"unknown {what}; {hint(name, [*fields, *also])}")
        elif step["type"] == "value_error" and "description" not in fields[name]:
            yield not_allowed(at((name,)), values[name], f"{allowed(fields[name])}; {step['ctx']['error']}")
        elif name in values:
            yield _wrong_value(at((name,)), values[name], fields[name])
        else:
            yield Problem(at((name,)), f"is missing; give {allowed(fields[name])}")


def _wrong_value(place: str, value: Any, schema: Mapping[str, Any]) -> Problem:
    if isinstance(value, Mapping) and "grid" in value:
        return Problem(place, f"takes no grid; give {allowed(schema)}")
    problem = not_allowed(place, value, allowed(schema))
    remark = ""
    if isinstance(value, str):
        if looks_like_a_number(value) and _takes_a_number(schema):
            remark = "; write it without quotes"
        elif close := nearest(value, _words(schema)):
            remark = f"; did you mean {close!r}?"
    elif is_space(value):
        remark = "; only hyperparameters of methods are searched"
    elif isinstance(value, Mapping) and len(value) == 1 and nearest(name := next(iter(value)), ["grid"]):
        remark = f"; did you mean {{grid: ...}} for {{{key(name)}: ...}}?"
    return Problem(problem.place, problem.text + remark)


def _branches(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    branches: list[Mapping[str, Any]] = schema.get("anyOf", [schema])
    return branches


def _takes_a_number(schema: Mapping[str, Any]) -> bool:
    return any(branch.get("type") in ("number", "integer") for branch in _branches(schema))


def _words(schema: Mapping[str, Any]) -> list[str]:
    return [
        word for branch in _branches(schema) for word in branch.get("enum", [branch.get("const", "")]) if word
    ]


_TYPES = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "null": "null"}
_BOUNDS = {
    "minimum": "of at least",
    "exclusiveMinimum": "above",
    "maximum": "up to",
    "exclusiveMaximum": "below",
}


def allowed(schema: Mapping[str, Any]) -> str:
    """What a JSON schema allows, in English; a description, where there is one, says it better.

    >>> allowed({"type": "number", "minimum": 0, "exclusiveMaximum": 1})
    'a number of at least 0 and below 1'
    >>> allowed({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 10000}, {"type": "null"}]})
    'a whole number from 1 to 10000 or null'
    """
    if "description" in schema:
        return str(schema["description"])
    if words := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return " or ".join(shown(word) for word in words)
    if "anyOf" in schema:
        return " or ".join(allowed(branch) for branch in schema["anyOf"])
    if schema.get("type") == "array":
        return _allowed_list(schema)
    return f"{_TYPES.get(schema.get('type', ''), 'text')} {_range(schema)}".strip()


def _range(schema: Mapping[str, Any]) -> str:
    bounds = {name: f"{schema[name]:.15g}".replace("e+", "e") for name in _BOUNDS if name in schema}
    if bounds.keys() == {"minimum", "maximum"}:
        return f"from {bounds['minimum']} to {bounds['maximum']}"
    return " and ".join(f"{_BOUNDS[name]} {bound}" for name, bound in bounds.items())


def _allowed_list(schema: Mapping[str, Any]) -> str:
    if "prefixItems" in schema:
        return f"[{', '.join(allowed(item) for item in schema['prefixItems'])}]"
    return f"a list of one or more, each {allowed(schema.get('items', {}))}"
