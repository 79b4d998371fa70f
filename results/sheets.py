"""A table of text for people, drawn on a screen or as Markdown from one description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from results.layout import markdown_table, plain_table, width_of

__all__ = ["Sheet", "drawn", "to_markdown"]


@dataclass(frozen=True)
class Sheet:
    """A titled table of text.

    Attributes:
        title: what stands above it.
        heads: of its columns; one may have several lines.
        rows: the texts, one per head.
        notes: what stands below it, a line each.
        left: how many of the first columns are names; the others are numbers and stand to the right.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    left: int = 1


def drawn(sheets: Sequence[Sheet], *, width: int = 80) -> list[Group]:
    """The sheets for a screen of *width* columns, blank lines between them."""
    groups = []
    for position, sheet in enumerate(sheets):
        table = _table(sheet, 2)
        if width_of(table) > width:
            table = _table(sheet, 1)
        notes = [Text(note, style="dim") for note in sheet.notes]
        groups.append(Group(*([""] if position else []), Text(sheet.title, style="bold"), table, *notes))
    return groups


def _table(sheet: Sheet, gap: int) -> Table:
    table = plain_table(gap)
    for position, head in enumerate(sheet.heads):
        if position < sheet.left:
            longest = max((len(row[position]) for row in sheet.rows), default=0)
            table.add_column(head, overflow="fold", min_width=min(12, longest))
        else:
            table.add_column(Text(head, justify="right"), justify="right", no_wrap=True)
    for row in sheet.rows:
        table.add_row(*map(Text, row))
    return table


def to_markdown(sheets: Sequence[Sheet]) -> str:
    """The sheets as Markdown."""
    sections = []
    for sheet in sheets:
        heads = [head.replace("\n", " ") for head in sheet.heads]
        notes = [f"- {note}" for note in sheet.notes]
        table = markdown_table(heads, sheet.rows, left=sheet.left)
        sections.append("\n".join([f"### {sheet.title}", "", *table, *([""] if notes else []), *notes]))
    return "\n\n".join(sections) + "\n" if sections else ""
