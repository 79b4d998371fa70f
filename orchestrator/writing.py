"""Writes results beside the work, in a thread of its own: patient with storage that fails for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

import tenacity

from results.storage import StoreError

PATIENCE_S = 300.0
"""How long a write is tried again before the sweep stops."""

# A wait that grows from here to there, by chance, so that many drivers do not come back all at once.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 10.0


def _say_nothing(trouble: str | None) -> None:
    """Leave it to the failure that comes if it lasts."""


@dataclass(frozen=True, order=True)
class _Job:
    due: float
    number: int
    key: str = field(compare=False)
    write: Callable[[], object] = field(compare=False)


class Writer:
    """Keeps the last write that is wanted under each key and does it in time; one thread, in order.

    Args:
        patience_s: how long to go on trying when the storage fails.
        on_trouble: is told, from the writer's thread, what is wrong while it tries again; None once it works.
    """

    def __init__(
        self, patience_s: float = PATIENCE_S, on_trouble: Callable[[str | None], None] | None = None
    ) -> None:
        self.failure: Exception | None = None
        """Why nothing is written any more."""
        self._patience_s = patience_s
        self._on_trouble = on_trouble or _say_nothing
        self._jobs: dict[str, _Job] = {}
        self._queue: list[_Job] = []
        """By due time; a job that was replaced stays until its turn, and is passed over."""
        self._numbers = count()
        self._busy = False
        self._hurried = False
        self._leaving = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="clsweep-writer", daemon=True)
        self._thread.start()

    def put(self, key: str, write: Callable[[], object], *, within_s: float = 0.0) -> None:
        """Let *write* be done within so many seconds, in place of what waits under *key*.

        It may raise `StoreError`, and is then called again.
        """
        with self._changed:
            due = time.monotonic() + within_s
            if waiting := self._jobs.get(key):
                due = min(due, waiting.due)
            job = self._jobs[key] = _Job(due, next(self._numbers), key, write)
            heappush(self._queue, job)
            self._changed.notify_all()

    def flush(self) -> None:
        """Return once everything is written.

        Raises:
            StoreError: it cannot be, or another driver has taken over.
        """
        with self._changed:
            self._hurried = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.failure or not (self._jobs or self._busy))
            self._hurried = False
        if self.failure:
            raise self.failure

    def leave(self, within_s: float) -> int:
        """Write what can be written at once, without trying again; return how many writes are left undone."""
        self._leaving.set()
        with self._changed:
            self._hurried = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.failure or not (self._jobs or self._busy), timeout=within_s)
            return len(self._jobs) + self._busy

    def abandon(self, failure: Exception) -> None:
        """Write nothing any more."""
        self._leaving.set()
        with self._changed:
            self.failure = self.failure or failure
            self._changed.notify_all()

    def _work(self) -> None:
        while self.failure is None:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self.failure)
                if self.failure:
                    return
                job = self._queue[0]
                wait = 0.0 if self._hurried else job.due - time.monotonic()
                if wait > 0:
                    self._changed.wait(wait)
                    continue
                heappop(self._queue)
                if self._jobs.get(job.key) is not job:
                    continue
                del self._jobs[job.key]
                self._busy = True
            try:
                self._patiently(job.write)
            except Exception as error:  # noqa: BLE001 - the driver raises it, in its own thread
                self.failure = self.failure or error
            finally:
                with self._changed:
                    if self.failure:
                        self._jobs.setdefault(job.key, job)
                    self._busy = False
                    self._changed.notify_all()

    def _patiently(self, write: Callable[[], object]) -> None:
        end = time.monotonic() + self._patience_s

        def say(state: tenacity.RetryCallState) -> None:
            left = max(0.0, end - time.monotonic())
            self._on_trouble(f"{state.outcome and state.outcome.exception()}; trying again for {left:.0f} s")

        patiently = tenacity.Retrying(
            stop=tenacity.stop_after_delay(self._patience_s) | tenacity.stop_when_event_set(self._leaving),
            wait=tenacity.wait_random_exponential(_FIRST_WAIT_S, _LONGEST_WAIT_S),
            sleep=tenacity.sleep_using_event(self._leaving),
            retry=tenacity.retry_if_exception_type(StoreError),
            before_sleep=say,
            reraise=True,
        )
        patiently(write)
        if patiently.statistics["attempt_number"] > 1:
            self._on_trouble(None)
