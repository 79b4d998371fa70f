"""A figure as SVG for the inside of a page that loads nothing and forbids styles within elements."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from warnings import catch_warnings, filterwarnings
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["inline_svg"]

_DROPPED_ELEMENTS = {"metadata", "style"}
_DROPPED_ATTRIBUTES = {"encoding", "type", "version"}
_COORDINATES = {"d", "height", "width", "x", "y"}


def inline_svg(figure: Figure, name: str, title: str) -> str:
    """*figure* as an ``svg`` element called *title*; *name* makes its ids the only ones of their page.

    What its elements look like is said by attributes, texts stay texts in the page's own font, coordinates
    are rounded to tenths of a point, and nothing in it refers to anything outside it.
    """
    from matplotlib import rc_context  # noqa: PLC0415 - a page without pictures is written without matplotlib

    sink = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), catch_warnings():
        # Matplotlib measures texts with a font of its own; a browser has others for what that one lacks.
        filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(sink, format="svg", metadata={"Date": None})
    drawing = sink.getvalue()
    referenced = dict.fromkeys(found.decode() for found in re.findall(rb'#([\w.-]+)[")]', drawing))
    names = {found: f"{name}-{place}" for place, found in enumerate(referenced)}
    root = ElementTree.fromstring(drawing)  # noqa: S314 - it was written a line above
    (svg,) = _cleaned(root, names)
    # As matplotlib's style sheet has it, which would hold for the whole page.
    svg.attrib |= {"role": "img", "aria-label": title, "stroke-linejoin": "round", "stroke-linecap": "butt"}
    return ElementTree.tostring(svg, encoding="unicode")


def _cleaned(element: ElementTree.Element, names: Mapping[str, str]) -> list[ElementTree.Element]:
    """The element without what the page does not need; groups that say nothing are their children."""
    tag = _local(element.tag)
    if tag in _DROPPED_ELEMENTS:
        return []
    children = _joined([kept for child in element for kept in _cleaned(child, names)])
    attributes = dict(_attributes(element, names))
    if tag in ("g", "defs") and not (attributes and children):
        return children if tag == "g" or not children else [_made("defs", {}, children)]
    made = _made(tag, attributes, children)
    if element.text and element.text.strip():
        made.text = element.text
    return [made]


def _joined(elements: list[ElementTree.Element]) -> list[ElementTree.Element]:
    """The elements, with one group for several of marks that follow one another and are alike."""
    joined: list[ElementTree.Element] = []
    for element in elements:
        last = joined[-1] if joined else None
        marks = element.tag == "g" and all(child.tag == "use" for child in element)
        if marks and last is not None and last.tag == "g" and last.attrib == element.attrib:
            last.extend(element)
        else:
            joined.append(element)
    for element in joined:
        if element.tag == "g" and len(element) > 1 and all(child.tag == "use" for child in element):
            element.attrib |= _taken_together(list(element))
    return joined


def _taken_together(marks: list[ElementTree.Element]) -> dict[str, str]:
    """The looks that all *marks* share, which their group can say once; they are taken from them."""
    first, *others = (mark.attrib for mark in marks)
    shared = {
        name: value
        for name, value in first.items()
        if name not in ("href", "x", "y") and all(other.get(name) == value for other in others)
    }
    for mark in marks:
        for name in shared:
            del mark.attrib[name]
    return shared


def _made(tag: str, attributes: dict[str, str], children: list[ElementTree.Element]) -> ElementTree.Element:
    made = ElementTree.Element(tag, attributes)
    made.extend(children)
    return made


def _attributes(element: ElementTree.Element, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, value in element.attrib.items():
        attribute = _local(key)
        if attribute == "id":
            if value in names:
                yield "id", names[value]
        elif attribute == "style":
            yield from _looks(value)
        elif attribute == "href":
            yield "href", f"#{names[value.removeprefix('#')]}"
        elif attribute == "clip-path":
            yield attribute, f"url(#{names[value.removeprefix('url(#').removesuffix(')')]})"
        elif attribute in _COORDINATES:
            yield attribute, _short(value)
        elif attribute not in _DROPPED_ATTRIBUTES and not value.startswith("rotate(-0 "):
            yield attribute, value


def _looks(style: str) -> Iterator[tuple[str, str]]:
    """The declarations of an inline style as attributes; the font is the page's."""
    for declaration in style.split(";"):
        attribute, colon, value = declaration.partition(":")
        name, value = attribute.strip(), value.strip()
        if colon and name != "font-family" and (name, value) != ("stroke-dashoffset", "0"):
            yield name, value


def _short(coordinates: str) -> str:
    """Coordinates, or a path, with tenths of a point; in a path of lines only the first is called one."""
    text = " ".join(re.sub(r"-?\d+\.\d{2,}", _rounded, coordinates).split())
    return text if re.search("[CQ]", text) else text.replace(" L ", " ")


def _rounded(number: re.Match[str]) -> str:
    return f"{round(float(number.group()), 1) + 0.0:g}"


def _local(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition("}")[2]
