"""A table of text for people, drawn on a screen or as Markdown from one description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
        tables = [_table(part, _gap(part, width)) for part in _parts(sheet, width)]
        notes = [Text(note, style="dim") for note in sheet.notes]
        groups.append(Group(*([""] if position else []), Text(sheet.title, style="bold"), *tables, *notes))
    return groups


def _gap(sheet: Sheet, width: int) -> int:
    return 2 if width_of(_table(sheet, 2)) <= width else 1


def _parts(sheet: Sheet, width: int) -> list[Sheet]:
    """The sheet or, where its numbers do not fit beside its names, several that have some of them each."""
    room = width - sum(_least(sheet, position) + 1 for position in range(sheet.left))
    parts: list[list[int]] = [[]]
    left = room
    for position in range(sheet.left, len(sheet.heads)):
        needed = _widest(sheet.heads[position], *(row[position] for row in sheet.rows))
        if parts[-1] and needed > left:
            parts.append([])
            left = room
        parts[-1].append(position)
        left -= needed + 1
    return [_columns(sheet, [*range(sheet.left), *part]) for part in parts] if len(parts) > 1 else [sheet]


def _columns(sheet: Sheet, positions: Sequence[int]) -> Sheet:
    rows = [sheet.heads, *sheet.rows]
    heads, *others = (tuple(row[position] for position in positions) for row in rows)
    return replace(sheet, heads=heads, rows=tuple(others))


def _least(sheet: Sheet, position: int) -> int:
    """The width to which a column of names may be folded."""
    return min(12, _widest(*(row[position] for row in sheet.rows)))


def _widest(*texts: str) -> int:
    return max((len(line) for text in texts for line in text.split("\n")), default=0)


def _table(sheet: Sheet, gap: int) -> Table:
    table = plain_table(gap)
    for position, head in enumerate(sheet.heads):
        if position < sheet.left:
            table.add_column(head, overflow="fold", min_width=_least(sheet, position))
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
