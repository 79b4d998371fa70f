"""What is wrong with a spec, said so that a person can mend it: place, value given, what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

MOST_SHOWN = 50
"""Problems that are printed; a long grid can have one per element."""

_PLAIN_NAME = re.compile(r"[\w./+-]{1,80}$")


@dataclass(frozen=True)
class Problem:
    """One mistake: where it is and what would be right, as one line."""

    place: str
    """Like ``methods.ewc.lambda.grid[2]``; empty where the whole source is meant."""
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


class SpecError(Exception):
    """A sweep cannot be read: ``problems`` is everything wrong with it, ``str(error)`` is ready to print."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__(source, self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return f"{self.source}: {self.problems[0]}"
        lines = [f"{self.source} has {len(self.problems)} problems:", *map(str, self.problems[:MOST_SHOWN])]
        if (left := len(self.problems) - MOST_SHOWN) > 0:
            lines.append(f"... and {left} more")
        return "\n  ".join(lines)


class MalformedError(Exception):
    """A text or an override cannot be read at all, for the one reason in ``problem``."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem)


def shown(value: Any) -> str:
    """*value* on one line, as a spec spells it, shortened if long.

    >>> shown(True), shown(None), shown("0.1"), shown([1, 2])
    ('true', 'null', "'0.1'", '[1, 2]')
    """
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def key(name: object) -> str:
    """*name* as a step of a place: itself, or quoted if it would be misread or damage the terminal."""
    return str(name) if _PLAIN_NAME.match(str(name)) else shown(str(name))


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of *names* most like *name* (case aside), or None if none is close.

    >>> nearest("Lamda", ["lambda", "gamma"])
    'lambda'
    """
    known = {known.lower(): known for known in names}
    matches = get_close_matches(name[:80].lower(), known, n=1)
    return known[matches[0]] if matches else None


def hint(name: str, names: Sequence[str]) -> str:
    """The end of a message about a wrong name: the nearest valid one, if any, and all that are allowed."""
    close = nearest(name, names)
    meant = f"did you mean {close!r}? " if close else ""
    return f"{meant}allowed: {', '.join(names) or 'none'}"


def not_allowed(place: str, value: Any, allowed: str) -> Problem:
    """The problem that *value* is given where only *allowed* will do."""
    return Problem(place, f"{shown(value)} is not allowed; give {allowed}")


def unknown(place: str, what: str, name: str, names: Sequence[str]) -> Problem:
    """The problem that the value *name* is not a known *what*."""
    return Problem(place, f"unknown {what} {shown(name)}; {hint(name, names)}")
