r"""Any text as LaTeX that prints it: signs that mean something to TeX, and Unicode."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["escaped", "slug"]

_SIGNS = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\symbol{96}",
    '"': r"\symbol{34}",  # in some languages babel takes it for the start of something
    **{sign: f"{{{sign}}}" for sign in "[]*"},  # after \\ they would belong to it
    **{sign: f"${sign}$" for sign in "<>|"},
    # What our own tables say.
    "\N{MINUS SIGN}": "$-$",
    "±": r"$\pm$",
    "\N{EN DASH}": "--",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
}
# Two of these in a row are one sign in TeX's fonts.
_LIGATURE = re.compile(r"([-',])(?=\1)")
_LATIN_TO = "\N{LATIN SMALL LETTER LONG S}"
"""The letters up to here (Latin-1 and Latin Extended-A) are known to every LaTeX since 2018."""


def escaped(text: str) -> str:
    r"""LaTeX that prints *text*, in one line; of a sign that pdfLaTeX does not know, its number.

    >>> escaped("ewc lambda=1e+05"), escaped("50 % of a_b"), escaped("é 你")
    ('ewc lambda=1e+05', '50 \\% of a\\_b', 'é \\texttt{U+4F60}')
    """
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(map(_sign, _LIGATURE.sub("\\1\0", plain)))


def slug(text: str) -> str:
    r"""*text* as part of the name of a file or of a ``\label``: letters, digits and hyphens.

    >>> slug("class-il/split-digits tasks=5")
    'class-il-split-digits-tasks-5'
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")


def _sign(sign: str) -> str:
    if sign == "\0":
        return "{}"
    if sign in _SIGNS:
        return _SIGNS[sign]
    if sign.isprintable() and (sign.isascii() or (sign.isalpha() and sign <= _LATIN_TO)):
        return sign
    return f"\\texttt{{U+{ord(sign):04X}}}"
