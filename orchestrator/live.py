"""Where a person sees how a sweep is getting on: the last rows of a terminal, or plain lines in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from rich.console import Console
from rich.text import Text

from orchestrator.live_region import Region, prints_caught
from orchestrator.recording import Watcher

REFRESH_S = 0.5
LINE_EVERY_S = 10.0
ASK_EVERY_S = 5.0
"""How often it is asked what is in use, which costs a call to the cluster."""
_PATIENCE_S = 0.5


class View(Watcher, Protocol):
    """A watcher that can be shown."""

    def storage_trouble(self, trouble: str | None) -> None:
        """Show what is wrong with the storage, None once it works again."""

    def headline(self) -> str:
        """How it is getting on, in one line."""

    def news(self) -> list[Text]:
        """What happened since the last call, a line each."""

    def drawn(self, width: int, height: int, in_use: str = "", *, ascii_only: bool = False) -> list[Text]:
        """How it is getting on, in rows for a screen of this size."""


@contextmanager
def shown(
    view: View, console: Console, in_use: Callable[[], str] | None = None
) -> Iterator[Callable[[], None]]:
    """Show *view* on *console* until the block ends: live in a terminal, else as plain lines.

    A thread of its own does it, so that no terminal that is stopped, no pipe that nobody reads and no cluster
    that does not answer keeps the sweep waiting.

    Yields a function that takes the view off the terminal at once and for good, before other last words.

    Args:
        view: what to show.
        console: where.
        in_use: asked seldom, and only for a terminal, for what the trials run on, in words; it may raise.
    """
    # Rich also counts as a terminal what only understands colours.
    if console.is_interactive and console.file.isatty():
        with _live(view, console, in_use) as leave:
            yield leave
        return
    lines = _Lines(view, console)
    with _again_and_again(lines.look, REFRESH_S):
        yield _nothing
    lines.print(view.headline())


def _nothing() -> None:
    """Leave plain lines as they are."""


@contextmanager
def _live(view: View, console: Console, in_use: Callable[[], str] | None) -> Iterator[Callable[[], None]]:
    region, asked = Region(console), _Asked(in_use)
    ascii_only = console.options.ascii_only
    with prints_caught(console) as printed:

        def look() -> None:
            width, height = region.measured()
            rows = view.drawn(width, height, asked.words, ascii_only=ascii_only)
            region.draw(rows, above=[*printed(), *view.news()])

        try:
            with asked.now_and_then(), _again_and_again(look, REFRESH_S):
                yield region.leave
        finally:
            region.leave()


@contextmanager
def _again_and_again(act: Callable[[], object], every_s: float) -> Iterator[None]:
    """Call *act* in a thread, and a last time at the end; no more once it cannot write."""
    ended = threading.Event()

    def go() -> None:
        with suppress(OSError):
            act()
            while not ended.wait(every_s):
                act()

    thread = threading.Thread(target=go, name="clsweep-view", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(OSError):
            act()


class _Lines:
    """News at once, and the headline now and then, each in a line without any control character."""

    def __init__(self, view: View, console: Console) -> None:
        self._view = view
        self._console = console
        self._last = time.monotonic()

    def look(self) -> None:
        """Print what there is to print now."""
        for line in self._view.news():
            self.print(line.plain)
        if time.monotonic() - self._last >= LINE_EVERY_S:
            self._last = time.monotonic()
            self.print(self._view.headline())

    def print(self, line: str) -> None:
        self._console.out(line, highlight=False)


class _Asked:
    """What is in use, as far as was heard."""

    def __init__(self, ask: Callable[[], str] | None) -> None:
        self.words = ""
        self._ask = ask

    @contextmanager
    def now_and_then(self) -> Iterator[None]:
        """Ask in a thread of its own, which is left behind if it gets no answer."""
        if self._ask is None:
            yield
            return
        ended = threading.Event()

        def go(ask: Callable[[], str]) -> None:
            while True:
                try:
                    self.words = ask()
                except Exception:  # noqa: BLE001 - whatever a cluster that is in trouble may raise
                    self.words = ""
                if ended.wait(ASK_EVERY_S):
                    return

        thread = threading.Thread(target=go, args=(self._ask,), name="clsweep-asks", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(_PATIENCE_S)
