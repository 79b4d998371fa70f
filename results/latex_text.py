r"""Any text as LaTeX that prints it: signs that mean something to TeX, and Unicode, with every engine."""

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
    "\N{EN DASH}": "--",
    "\N{EM DASH}": "---",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{LEFT SINGLE QUOTATION MARK}": "`",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
}
_LETTERS = dict(zip("ßæÆøØœŒłŁı§", ("ss", "ae", "AE", "o", "O", "oe", "OE", "l", "L", "i", "S"), strict=True))
_MATH = {"\N{MINUS SIGN}": "-", "°": r"^\circ", "¹": "^1", "²": "^2", "³": "^3"} | {
    sign: f"\\{name}"
    for sign, name in zip(
        "±×÷·µ∞∈≤≥≠≈→←↑↓",
        (
            *("pm", "times", "div", "cdot", "mu", "infty", "in", "leq", "geq", "neq", "approx"),
            *("rightarrow", "leftarrow", "uparrow", "downarrow"),
        ),
        strict=True,
    )
}
_GREEK = re.compile("GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)")
_GREEK_SMALL = frozenset(
    (
        *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda"),
        *("mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
    )
)
# The others look like Latin letters, and LaTeX has no names for them.
_GREEK_CAPITAL = frozenset(
    ("gamma", "delta", "theta", "lambda", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega")
)
_ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING DIAERESIS}": '"',
    "\N{COMBINING RING ABOVE}": "r",
    "\N{COMBINING MACRON}": "=",
    "\N{COMBINING BREVE}": "u",
    "\N{COMBINING DOT ABOVE}": ".",
    "\N{COMBINING CARON}": "v",
    "\N{COMBINING DOUBLE ACUTE ACCENT}": "H",
    "\N{COMBINING CEDILLA}": "c",
}
# Two of these in a row are one sign in TeX's fonts.
_LIGATURE = re.compile(r"([-',])(?=\1)")


def escaped(text: str) -> str:
    r"""LaTeX that prints *text*, in one line.

    Letters with accents, Greek letters and common signs become commands, so that pdfLaTeX in any font
    encoding prints them; of any other sign its number is printed.

    >>> escaped("ewc lambda=1e+05"), escaped("50 % of a_b"), escaped("λ → é")
    ('ewc lambda=1e+05', '50 \\% of a\\_b', "$\\lambda$ $\\rightarrow$ \\'{e}")
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
    if sign in _LETTERS:
        return f"\\{_LETTERS[sign]}{{}}"
    if sign.isascii() and sign.isprintable():
        return sign
    math = _MATH.get(sign) or _greek(sign)
    return f"${math}$" if math else _letter(sign)


def _greek(sign: str) -> str:
    match = _GREEK.fullmatch(unicodedata.name(sign, ""))
    if not match:
        return ""
    name = match[2].lower().replace("lamda", "lambda")
    if match[1] == "SMALL":
        return f"\\{name}" if name in _GREEK_SMALL else ""
    return f"\\{name.title()}" if name in _GREEK_CAPITAL else ""


def _letter(sign: str) -> str:
    letter, *accents = list(unicodedata.normalize("NFD", sign))
    if letter.isascii() and letter.isalpha() and len(accents) == 1 and accents[0] in _ACCENTS:
        return f"\\{_ACCENTS[accents[0]]}{{{letter}}}"
    return f"\\texttt{{U+{ord(sign):04X}}}"
