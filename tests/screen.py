"""A terminal in memory: what a person would see, also after it was made wider or lower."""

from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import termios

CODES = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])")


class Screen(io.StringIO):
    """Keeps all rows and puts those that do not fit above the first one, as what one can scroll back to.

    It understands what a live view may use, and no more. When its width changes it divides lines anew that it
    had divided itself, and when it becomes higher it takes rows back, as most terminals do.
    """

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        super().__init__()
        self.ours, self._its = os.openpty()
        self.written: list[str] = []
        self.cursor_is_shown = True
        self._rows = [""]
        self._goes_on: set[int] = set()
        """The rows that the next one goes on with."""
        self._y = self._x = 0
        self.resize(columns, rows)

    def isatty(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """A terminal of the same size."""
        return self._its

    def resize(self, columns: int, rows: int) -> None:
        """Become so wide and so high."""
        fcntl.ioctl(self._its, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.columns, self.height = columns, rows
        lines, first, at = [], "", 0
        for number, row in enumerate(self._rows):
            at = len(lines) if number == self._y else at
            first += row
            if number not in self._goes_on:
                lines.append(first)
                first = ""
        self._rows, self._goes_on = [], set()
        for number, line in enumerate(lines):
            parts = [line[start : start + columns] for start in range(0, max(1, len(line)), columns)]
            self._goes_on |= set(range(len(self._rows), len(self._rows) + len(parts) - 1))
            self._rows += parts
            if number == at:
                self._y = len(self._rows) - 1

    @property
    def top(self) -> int:
        """The first row that is seen."""
        return max(0, len(self._rows) - self.height)

    @property
    def all(self) -> list[str]:
        """Every row, also those above the first one that is seen, without empty ones at the end."""
        rows = [row.rstrip() for row in self._rows]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def write(self, text: str) -> int:
        """Draw."""
        self.written.append(text)
        position = 0
        while position < len(text):
            if code := CODES.match(text, position):
                self._obey(*code.groups())
                position = code.end()
            else:
                self._put(text[position])
                position += 1
        return len(text)

    def _obey(self, value: str, code: str) -> None:
        row = self._rows[self._y]
        if code == "A":
            self._y = max(self.top, self._y - int(value))
        elif code == "K":
            self._rows[self._y] = {"0": row[: self._x], "2": ""}[value]
            self._goes_on.discard(self._y)
        elif code in "hl" and value == "?25":
            self.cursor_is_shown = code == "h"
        else:
            assert code == "m", f"a live view has no need for {value}{code}"

    def _put(self, sign: str) -> None:
        if sign == "\r":
            self._x = 0
        elif sign == "\n":
            self._x = 0
            self._y += 1
            if self._y == len(self._rows):
                self._rows.append("")
        else:
            assert sign.isprintable(), repr(sign)
            if self._x == self.columns:
                self._goes_on.add(self._y)
                self._put("\n")
            row = self._rows[self._y].ljust(self._x)
            self._rows[self._y] = row[: self._x] + sign + row[self._x + 1 :]
            self._x += 1
