"""Ctrl-C and SIGTERM: the first ends the sweep in good order, the second ends the process at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 130


class Interruption:
    """Whether somebody wants the sweep to end.

    Attributes:
        requested: whether a signal has come.
        last_words: called before a second signal ends the process.
    """

    def __init__(self) -> None:
        self.requested = False
        self.last_words: Callable[[], object] = lambda: None
        self._deferred = False

    def take(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        del number, frame
        if self.requested:
            self.last_words()
            os._exit(EXIT_CODE)
        self.requested = True
        if not self._deferred:
            raise KeyboardInterrupt

    def raise_if_requested(self) -> None:
        """Raise the `KeyboardInterrupt` of a signal that came while it was deferred."""
        if self.requested:
            raise KeyboardInterrupt

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let signals wait for `raise_if_requested`, where an exception could surface in code of others."""
        self._deferred = True
        try:
            yield
            self.raise_if_requested()
        finally:
            self._deferred = False


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Turn SIGINT and SIGTERM into one `KeyboardInterrupt` until the block ends."""
    interruption = Interruption()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, interruption.take) for number in signals]
    try:
        yield interruption
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
