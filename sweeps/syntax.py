"""The spec's text: the plain part of YAML 1.2, read without ever executing anything, and written back."""

from __future__ import annotations

import re
from typing import Any, Protocol

import yaml

from sweeps.problems import MalformedError, Problem

DEEPEST = 20
"""Levels of nesting that are read; a spec needs about six."""

_NULL = re.compile(r"(?:~|null|Null|NULL|)$")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)$")
_INT = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$")
_FLOAT = re.compile(
    r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.BaseLoader):
    """PyYAML's loader that knows no types at all, taught YAML 1.2's core types and nothing else.

    Of YAML 1.1 it leaves out what surprises: ``no``, ``on``, ``12:30`` and ``2024-01-01`` stay text, and
    ``1e-3`` is a number. Aliases are refused: a few lines of them can stand for billions of values.
    """

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next node, refused if it is an alias or lies too deep."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs lack it
        if isinstance(event, yaml.AliasEvent):
            raise MalformedError(_at(event.start_mark, "aliases (*) are not supported; write the value out"))
        if self.depth > DEEPEST:
            raise MalformedError(_at(event.start_mark, f"nested more than {DEEPEST} levels deep"))
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe writer, quoting exactly the text that `_Loader` would read as something else."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Write every value out, since aliases are not read."""
        return True


def parse(text: str) -> Any:
    """The plain value (mappings, lists, text, numbers, booleans, null) that *text* spells.

    Raises:
        MalformedError: the text is not YAML, or uses more of it than plain data; the problem names the line.

    >>> parse("{lr: 1e-3, order: no, hidden: [1e2, 50]}")
    {'lr': 0.001, 'order': 'no', 'hidden': [100, 50]}
    """
    try:
        loader = _Loader(text)
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise MalformedError(_at(mark, error.problem or "not valid YAML")) from None
    except yaml.YAMLError as error:
        raise MalformedError(Problem("", f"not valid YAML: {' '.join(str(error).split())}")) from None


def emit(value: Any) -> str:
    """YAML text that `parse` reads back as an equal value.

    >>> parse(emit({"name": "1e-3", "lr": 1e-3})) == {"name": "1e-3", "lr": 1e-3}
    True
    """
    # Beyond ASCII everything is escaped: PyYAML writes some line separators plain and reads them as blanks.
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100)
    return text


def looks_like_a_number(text: str) -> bool:
    """Whether *text* without quotes would be a number."""
    return bool(_INT.match(text) or _FLOAT.match(text))


class _Mark(Protocol):
    """A place in the text, counted from 0; PyYAML has several classes of it."""

    line: int
    column: int


def _at(mark: _Mark | None, text: str) -> Problem:
    return Problem("" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}", text)


def _scalar(_loader: _Loader, node: yaml.Node) -> Any:
    text = str(node.value)
    kind = node.tag.removeprefix(_TAG)
    if isinstance(node, yaml.ScalarNode) and kind == "str":
        return text
    if not isinstance(node, yaml.ScalarNode) or not _PATTERNS[kind].match(text):
        raise MalformedError(_at(node.start_mark, f"{text[:40]!r} is not of type {kind}"))
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    return _number(text, node)


def _number(text: str, node: yaml.Node) -> int | float:
    if len(text) > 400:
        raise MalformedError(_at(node.start_mark, f"a number of {len(text)} characters"))
    if _INT.match(text):
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    value = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    # 1e3 and 64.0 are whole numbers; where a fraction is allowed, a whole number is as good. Beyond 2^53 all
    # floats are whole, and 1e300 is no count but a size: it stays as it was written.
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _mapping(loader: _Loader, node: yaml.Node) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if not isinstance(node, yaml.MappingNode):
        raise MalformedError(_at(node.start_mark, "not a mapping"))
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise MalformedError(_at(key_node.start_mark, f"the key {key!r} is not a name; put it in quotes"))
        if key in values:
            raise MalformedError(_at(key_node.start_mark, f"the key {key!r} is given twice"))
        values[key] = loader.construct_object(value_node, deep=True)
    return values


def _sequence(loader: _Loader, node: yaml.Node) -> list[Any]:
    if not isinstance(node, yaml.SequenceNode):
        raise MalformedError(_at(node.start_mark, "not a list"))
    return [loader.construct_object(item, deep=True) for item in node.value]


def _refused(_loader: _Loader, node: yaml.Node) -> Any:
    tag = node.tag.replace(_TAG, "!!")
    raise MalformedError(_at(node.start_mark, f"the tag {tag} is not supported; a spec is plain data"))


_PATTERNS = {"null": _NULL, "bool": _BOOL, "int": _INT, "float": _FLOAT}
for _kind, _first in {"null": ["~", "n", "N", ""], "bool": list("tTfF"), "int": list("-+0123456789")}.items():
    _Loader.add_implicit_resolver(_TAG + _kind, _PATTERNS[_kind], _first)
_Loader.add_implicit_resolver(_TAG + "float", _FLOAT, list("-+0123456789."))
for _kind in ("str", *_PATTERNS):
    _Loader.add_constructor(_TAG + _kind, _scalar)
_Loader.add_constructor(_TAG + "map", _mapping)
_Loader.add_constructor(_TAG + "seq", _sequence)
_Loader.add_constructor(None, _refused)
_Dumper.yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers
