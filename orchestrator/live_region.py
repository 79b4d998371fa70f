"""The last rows of a terminal, drawn in place, with everything that is printed meanwhile above them."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console, ConsoleRenderable, RenderHook
from rich.control import Control
from rich.segment import ControlType, Segment, Segments
from rich.text import Text

_NEXT_ROW = Segment.line()
_REST_OF_ROW = Control((ControlType.ERASE_IN_LINE, 0)).segment
_WHOLE_ROW = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)).segment


class Region(RenderHook):
    """Rows that are written over themselves, so that nothing ever blinks, and only where they differ.

    The cursor rests below them, where also what a person types shows up.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.RLock()
        self._rows: Sequence[Text] = ()
        self._drawn: list[int] = []
        """The lengths of the rows on the screen."""
        self._lost: list[int] = []
        """The lengths of those that went out of it above."""
        self._size = self._drawn_for = (80, 25)
        self._is_left = False
        console.show_cursor(False)
        console.push_render_hook(self)

    def measured(self) -> tuple[int, int]:
        """Columns and rows of the terminal now."""
        try:
            # Rich measures standard input and output, which may be something else.
            columns, rows = os.get_terminal_size(self._console.file.fileno())
        except OSError:
            columns, rows = self._console.size
        self._size = self._console.size = (columns or 80, rows or 25)  # some pseudo-terminals have none
        return self._size

    def draw(self, rows: Sequence[Text], above: Sequence[Text] = ()) -> None:
        """Show *rows*, and print *above* once and for all."""
        with self._lock:
            is_new = not self._is_left and (rows != self._rows or self._size != self._drawn_for)
            self._rows = rows
            if above or is_new:
                self._console.print(Text("\n").join(above) if above else Control(), soft_wrap=True)

    def leave(self) -> None:
        """Take the rows off the terminal, for good."""
        with self._lock:
            if not self._is_left:
                self._is_left = True
                self._console.pop_render_hook()
                self._console.control(self._away())
                self._console.show_cursor(True)

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Put what is printed above the rows; if that is nothing, the rows in the place of the last ones."""
        with self._lock:
            if self._is_left:
                return renderables
            rows = [part for place, row in enumerate(self._rows) for part in self._row(place, row)]
            is_alone = all(isinstance(each, Control) for each in renderables)
            printed: list[ConsoleRenderable]
            if is_alone and self._size == self._drawn_for:
                printed = [Segments([*self._to_the_top(), *rows, *self._gone()])]
            else:
                printed = [self._away(), *renderables, Segments(rows)]
                self._lost = self._lost if is_alone else []  # it is no more right above
            self._drawn = [row.cell_len for row in self._rows]
            self._drawn_for = self._size
            return printed

    def _row(self, place: int, row: Text) -> Iterator[Segment]:
        if row.cell_len < max(self._drawn[place : place + 1], default=0):
            yield _WHOLE_ROW  # or what was there would count where a terminal divides its rows anew
        yield from row.render(self._console, end="")
        yield _REST_OF_ROW
        yield _NEXT_ROW

    def _to_the_top(self) -> Iterator[Segment]:
        yield _WHOLE_ROW
        if self._drawn:
            yield Control((ControlType.CURSOR_UP, len(self._drawn))).segment

    def _gone(self) -> Iterator[Segment]:
        """Rows of the last time below those of this time."""
        more = len(self._drawn) - len(self._rows)
        if more > 0:
            for _ in range(more):
                yield _WHOLE_ROW
                yield _NEXT_ROW
            yield Control((ControlType.CURSOR_UP, more)).segment

    def _away(self) -> Control:
        """Erases all rows: also those that the terminal made of one when it became narrower.

        When it became lower, it moved some into what one can scroll back to; when it becomes higher, it may
        take them from there again, right above the first row.
        """
        columns, height = self._size
        room, grown = height - 1, max(0, height - self._drawn_for[1])
        up, lost = 0, []
        seen = [(each, False) for each in self._drawn[::-1]]
        for length, is_lost in [*seen, *((each, True) for each in self._lost[::-1])]:
            needed = -(-max(1, length) // columns)
            reached = min(needed, room - up, grown if is_lost else needed)
            up, grown = up + reached, grown - reached * is_lost
            lost += [(needed - reached) * columns] if needed > reached else []
        self._lost = lost[::-1]
        erased = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * up
        return Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *erased)


class _Caught(io.TextIOBase):
    """Stands in for the standard output or error, which are this terminal, and keeps what is written."""

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream
        """By this name rich finds the terminal itself."""
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._begun = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base class has a plain attribute
        """That of the terminal."""
        return self.rich_proxied_file.encoding

    def write(self, text: str) -> int:
        """Keep *text*."""
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            self._lines += lines
        return len(text)

    def isatty(self) -> bool:
        """It is."""
        return self.rich_proxied_file.isatty()

    def fileno(self) -> int:
        """That of the terminal."""
        return self.rich_proxied_file.fileno()

    def taken(self) -> list[Text]:
        """The whole lines since the last call."""
        with self._lock:
            lines, self._lines = self._lines, []
        return [Text.from_ansi(line) for line in lines]

    def give_back(self) -> None:
        """Write what is left to the terminal."""
        with self._lock:
            self.rich_proxied_file.write("\n".join([*self._lines, self._begun]))
            self._lines, self._begun = [], ""


@contextmanager
def prints_caught(console: Console) -> Iterator[Callable[[], list[Text]]]:
    """Keep what this process prints on the terminal of *console*; yield what takes it away, a line each.

    Nothing is caught where the standard output goes elsewhere than the console.
    """
    names = [name for name in ("stdout", "stderr") if getattr(sys, name).isatty()]
    caught = {name: _Caught(getattr(sys, name)) for name in names if console.file is sys.stdout}
    for name, stand_in in caught.items():
        setattr(sys, name, stand_in)
    try:
        yield lambda: [line for stand_in in caught.values() for line in stand_in.taken()]
    finally:
        for name, stand_in in caught.items():
            setattr(sys, name, stand_in.rich_proxied_file)
            stand_in.give_back()
