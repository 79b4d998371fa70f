"""What to say of a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["hint"]


def hint(name: str, names: Iterable[str]) -> str:
    """The nearest of *names*, or else all: the end of a message that *name* is none of them.

    >>> hint("nave", ["naive", "ewc"]), hint("gem", ["naive", "ewc"])
    ("did you mean 'naive'?", 'there: naive, ewc')
    """
    known = list(dict.fromkeys(names))
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there: {', '.join(known)}"
