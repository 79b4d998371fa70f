"""What of a view fits on a screen: rows are left out by importance and counted, columns made narrower."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rich.cells import cell_len
from rich.text import Text

_GAP = 2
"""Columns of the screen between those of a block."""
_BAR_LEAST, _BAR_MOST = 6, 40
_TROUBLE_ROWS = 3
_FEW = 3
"""Rows that every block gets before a more important one gets all that it wants."""


@dataclass(frozen=True)
class Bar:
    """A bar that is filled to *share*, from 0 to 1, and as wide as there is room."""

    share: float


Cell: TypeAlias = str | Text | Bar
Row: TypeAlias = Sequence[Cell]


@dataclass(frozen=True)
class Column:
    """How a column of a block gives way where the screen is narrow.

    Attributes:
        right: its cells stand to the right.
        least: it may be cut to so many characters; None if it may not be cut.
        goes: it may be left out, before those with a smaller number; never if 0.
        is_bar: its cells are bars, which take what the others leave.
    """

    right: bool = False
    least: int | None = None
    goes: int = 0
    is_bar: bool = False


@dataclass(frozen=True)
class Block:
    """Rows of one kind.

    Attributes:
        columns: how its columns give way.
        total: how many rows there are.
        rows: so many of them, the most telling ones, in an order that stays.
        title: a line above them, where there is room.
        room: rows that are kept free for it at least, so that what is below does not jump.
    """

    columns: Sequence[Column]
    total: int
    rows: Callable[[int], Sequence[Row]]
    title: str = ""
    room: int = 0

    @property
    def wants(self) -> int:
        """Rows that it would take."""
        return max(self.total, self.room)


@dataclass(frozen=True)
class Picture:
    """All that a view has to say.

    Attributes:
        share: how much of all is done, from 0 to 1.
        facts: what it comes to, in few words each, by importance.
        troubles: what is wrong, a sentence each.
        blocks: the details, by importance.
    """

    share: float
    facts: Sequence[Text]
    troubles: Sequence[str] = ()
    blocks: Sequence[Block] = ()


def laid_out(picture: Picture, width: int, height: int, *, ascii_only: bool = False) -> list[Text]:
    """The rows for a screen of *width* columns and *height* rows, of which the last ones stay free.

    A block that does not fit says how many of its rows are left out; *ascii_only* draws bars without lines.
    """
    width, height = max(1, width - 1), max(1, height - 1)
    head = _head(picture, width, ascii_only)
    trouble = " - ".join(picture.troubles)
    blocks = [block for block in picture.blocks if block.wants]
    titles = [[Text(), *([Text(block.title, style="dim")] if block.title else [])] for block in blocks]
    extra = sum(map(len, titles))
    wants = [
        _Want(len(head), 1),
        _Want(len(_wrapped(trouble, width, _TROUBLE_ROWS)), 2),
        *(_Want(block.wants, _FEW, is_counted=block.total > 1) for block in blocks),
    ]
    is_roomy = sum(min(want.first, want.all) for want in wants) + extra <= height
    given = _shared_out(wants, height - extra if is_roomy else height)
    rows = head[: given[0]] + _wrapped(trouble, width, given[1])
    for block, title, count in zip(blocks, titles, given[2:], strict=True):
        if count:
            rows += title * is_roomy + _rows_of(block, count, width, ascii_only)
    for row in rows:
        row.truncate(width, overflow="ellipsis")
    return rows


@dataclass(frozen=True)
class _Want:
    """Rows that a part would take.

    Attributes:
        all: how many.
        first: so many of them come before any part gets more.
        is_counted: in a single row it could only say how many are left out.
    """

    all: int
    first: int
    is_counted: bool = False


def _shared_out(wants: Sequence[_Want], rows: int) -> list[int]:
    """How many of the *rows* each gets, those in front served first."""
    given = [0] * len(wants)
    for amounts in ([min(want.first, want.all) for want in wants], [want.all for want in wants]):
        for number, amount in enumerate(amounts):
            now = min(amount, given[number] + rows - sum(given))
            given[number] = 0 if now == 1 and wants[number].is_counted else now
    return given


def _head(picture: Picture, width: int, ascii_only: bool) -> list[Text]:
    """The facts, with a bar before them if they leave room for it."""
    lines = [picture.facts[0].copy()]
    for fact in picture.facts[1:]:
        if lines[-1].cell_len + 2 + fact.cell_len <= width:
            lines[-1].append(", ").append_text(fact)
        else:
            lines.append(fact.copy())
    room = width - lines[0].cell_len - _GAP
    if len(lines) == 1 and room >= _BAR_LEAST:
        bar = _bar(picture.share, min(room, _BAR_MOST), ascii_only)
        lines = [Text.assemble(bar, " " * _GAP, lines[0])]
    return lines


def _wrapped(words: str, width: int, rows: int) -> list[Text]:
    """*words* in at most so many rows."""
    if not rows:
        return []
    lines = textwrap.wrap(words, width, max_lines=rows, placeholder=" …")
    return [Text(line, style="yellow") for line in lines]


def _rows_of(block: Block, count: int, width: int, ascii_only: bool) -> list[Text]:
    """*count* rows: as many of the block's as fit, and how many do not; blank ones where it has fewer."""
    fits = block.total <= count
    cells = block.rows(block.total if fits else count - 1)
    widths = _widths(block.columns, cells, width)
    rows = [_row(row, block.columns, widths, ascii_only) for row in cells]
    if not fits:
        rows.append(Text(f"... and {block.total - len(cells)} more", style="dim"))
    return rows + [Text()] * (count - len(rows))


def _widths(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[int]:
    """The width of each column so that all fit into *width*; 0 for those that are left out."""
    widths = [max((_width(row[number]) for row in rows), default=0) for number in range(len(columns))]
    for most in sorted({column.goes for column in columns}, reverse=True):
        needed = sum(
            min(own, column.least) if column.least else own
            for own, column in zip(widths, columns, strict=True)
        )
        if needed + _gaps(widths) <= width or not most:
            break
        widths = [0 if column.goes == most else own for own, column in zip(widths, columns, strict=True)]
    widths = _cut_down(columns, widths, width - _gaps(widths))
    left = width - sum(widths) - _gaps(widths) - _GAP
    bar = min(left, _BAR_MOST) if left >= _BAR_LEAST else 0
    return [bar if column.is_bar else own for column, own in zip(columns, widths, strict=True)]


def _gaps(widths: Sequence[int]) -> int:
    return _GAP * max(0, sum(map(bool, widths)) - 1)


def _cut_down(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """The *widths*, the widest of those that may be cut made narrower until all have *room*."""
    cut = list(widths)
    for _ in range(sum(widths) - room):
        wide = [number for number, own in enumerate(cut) if own > (columns[number].least or own)]
        if not wide:
            break
        cut[max(wide, key=cut.__getitem__)] -= 1
    return cut


def _width(cell: Cell) -> int:
    if isinstance(cell, Bar):
        return 0
    return cell.cell_len if isinstance(cell, Text) else cell_len(cell)


def _row(cells: Row, columns: Sequence[Column], widths: Sequence[int], ascii_only: bool) -> Text:
    pieces: list[str | Text] = []
    for cell, column, own in zip(cells, columns, widths, strict=True):
        if own:
            text = _fitted(cell, own, ascii_only)
            blank = " " * (own - _width(text))
            pieces += [blank, text, " " * _GAP] if column.right else [text, blank, " " * _GAP]
    if all(isinstance(piece, str) for piece in pieces):
        return Text("".join(map(str, pieces)).rstrip())  # most are, and it is quicker
    row = Text.assemble(*pieces)
    row.rstrip()
    return row


def _fitted(cell: Cell, width: int, ascii_only: bool) -> str | Text:
    if isinstance(cell, Bar):
        return _bar(cell.share, width, ascii_only)
    return cell if isinstance(cell, Text) else _shortened(cell, width)


def _shortened(name: str, width: int) -> str:
    """*name* without its middle where it is too long, since names often differ at their ends."""
    if len(name) <= width:
        return name
    return f"{name[: width // 2]}…{name[len(name) - (width - 1) // 2 :]}"


def _bar(share: float, width: int, ascii_only: bool) -> Text:
    full, half, empty = ("#", "", "-") if ascii_only else ("━", "╸", "─")
    halves = int(2 * width * min(1.0, max(0.0, share)))  # not full before all is done
    done = full * (halves // 2) + half * (halves % 2)
    return Text.assemble((done, "green"), (empty * (width - len(done)), "dim"))
