"""Templates filled in. What is not marked as our own is escaped: names and error texts may hold anything."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["digest_for_policy", "rendered", "text_of"]

_FOLDER = Path(__file__).parent


def rendered(template: str, **values: Any) -> str:
    """The *template* of this package with its values."""
    return _templates().get_template(template).render(values)


def text_of(name: str) -> str:
    """A file of this package."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def digest_for_policy(text: str) -> str:
    """How a content security policy names an inline style or script that it allows.

    >>> digest_for_policy("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - only pages need it

    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
