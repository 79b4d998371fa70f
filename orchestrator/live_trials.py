"""The trials at work, how the others ended and what went wrong: what every view of a sweep has in common."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from rich.text import Text

from orchestrator.durations import duration
from orchestrator.live_layout import Block, Column, Picture, Row, laid_out
from orchestrator.outcome import Outcome
from results.schema import DIVERGED, FAILED, RUNNING
from sweeps.trials import Trial

_STYLES: dict[str, str] = {FAILED: "red", DIVERGED: "yellow"}


@dataclass(frozen=True)
class AtWork:
    """A trial that runs.

    Attributes:
        trial: the trial.
        since: when it was started, by the monotonic clock.
        is_fresh: whether it began with its first task, and not at a checkpoint of its own.
        outcome: what it reported last; None before its first report.
    """

    trial: Trial
    since: float
    is_fresh: bool
    outcome: Outcome | None = None

    @property
    def share(self) -> float:
        """The share of its tasks that it has learned, as far as is known."""
        return self.outcome.learned / self.outcome.n_tasks if self.outcome and self.outcome.reports else 0.0


class LiveTrials(ABC):
    """A `Watcher` that is told by one thread what happens, while another one draws it.

    Args:
        begun: the ids of trials that an earlier run has begun.
        tasks: how many tasks a trial has; without it that is known after its first report.
        told: the statuses of which news are made, with the cause.
    """

    def __init__(
        self,
        *,
        begun: Collection[str] = (),
        tasks: Callable[[Trial], int] | None = None,
        told: Collection[str] = (FAILED, DIVERGED),
    ) -> None:
        self.ended = Counter[str]()
        """How many trials ended in this run, by status."""
        self.running: dict[str, AtWork] = {}
        """By trial id, the one that was started first in front."""
        self._lock = threading.RLock()
        self._begun = set(begun)
        self._tasks = tasks
        self._told = told
        self._news: list[Text] = []
        self._most_running = 0
        self._trouble: str | None = None
        self._unsaved: str | None = None
        self._start: float | None = None

    # What happens.

    def started(self, trial: Trial) -> None:
        """Count *trial* as running."""
        now = time.monotonic()
        with self._lock:
            self._start = self._start or now
            self.running.pop(trial.id, None)
            self.running[trial.id] = AtWork(trial, now, trial.id not in self._begun)
            self._begun.add(trial.id)
            self._most_running = max(self._most_running, len(self.running))

    def reported(self, trial: Trial, outcome: Outcome) -> None:
        """Take note of what *trial* has done."""
        with self._lock:
            self._unsaved = outcome.trouble
            if outcome.status != RUNNING:
                self.running.pop(trial.id, None)
                self.ended[outcome.status] += 1
            elif trial.id in self.running:
                self.running[trial.id] = replace(self.running[trial.id], outcome=outcome)
            if outcome.status in self._told:
                self._tell(outcome.status, trial, outcome.cause or "no cause is known")

    def waiting(self, trial: Trial) -> None:
        """Count *trial* as one that waits for its start."""
        with self._lock:
            if self.running.pop(trial.id, None):
                self._tell("lost", trial, "its process ended; it goes on in another one")

    def storage_trouble(self, trouble: str | None) -> None:
        """Show what is wrong with the storage, None once it works again."""
        self._trouble = trouble

    def _tell(self, what: str, trial: Trial, cause: str) -> None:
        scenario, cell = self._named(trial)
        news = f": {cell} seed {trial.seed} in {scenario}: {cause}"
        self._news.append(Text.assemble((what, _STYLES.get(what, "yellow")), _printable(news)))

    # What there is to see.

    def news(self) -> list[Text]:
        """What happened since the last call, a line each."""
        with self._lock:
            news, self._news = self._news, []
            return news

    def drawn(self, width: int, height: int, in_use: str = "", *, ascii_only: bool = False) -> list[Text]:
        """The rows for a screen of this size, with what is *in_use*; *ascii_only* draws without lines."""
        with self._lock:
            return laid_out(self._picture(in_use), width, height, ascii_only=ascii_only)

    @abstractmethod
    def headline(self) -> str:
        """How it is getting on, in one line."""

    @abstractmethod
    def _picture(self, in_use: str) -> Picture:
        """All that there is to say."""

    @abstractmethod
    def _named(self, trial: Trial) -> tuple[str, str]:
        """What tables call the scenario and the cell of *trial*."""

    @property
    def _counts(self) -> list[str]:
        """How many trials run, failed and diverged."""
        ended = [f"{self.ended[status]} {status}" for status in (FAILED, DIVERGED) if self.ended[status]]
        return [f"{len(self.running)} running", *ended]

    @property
    def _troubles(self) -> list[str]:
        """What is wrong now."""
        unsaved = f"no checkpoint: {self._unsaved}" if self._unsaved else None
        return [_printable(trouble) for trouble in (self._trouble, unsaved) if trouble]

    def _facts(self, trials: str, left: str) -> Iterator[Text]:
        """The facts of a picture: how many trials are done, the time that is left, how others ended."""
        yield Text(trials, style="bold")
        if self._start is None:
            yield Text("starting")
            return
        yield Text(left)
        running, *ended = self._counts
        for text in ended:
            yield Text(text, style=_STYLES[text.split()[1]])
        yield Text(running)

    def _block_of_running(self, in_use: str) -> Block:
        columns = (Column(least=10), Column(), Column(least=9, goes=2), Column(), Column(right=True, goes=1))
        title = f"running; {in_use}" if in_use else "running"
        return Block(columns, len(self.running), self._running_rows, title, room=self._most_running)

    def _running_rows(self, count: int) -> Sequence[Row]:
        now = time.monotonic()
        first = [at_work for _, at_work in zip(range(count), self.running.values(), strict=False)]
        return [self._running_row(each, now) for each in first]

    def _running_row(self, at_work: AtWork, now: float) -> Row:
        scenario, cell = self._named(at_work.trial)
        seed, took = f"seed {at_work.trial.seed}", duration(now - at_work.since)
        return cell, seed, scenario, self._task(at_work), took

    def _task(self, at_work: AtWork) -> str:
        outcome = at_work.outcome
        if outcome and outcome.reports:
            return f"task {outcome.learned + 1} of {outcome.n_tasks}"
        if not at_work.is_fresh:
            return "taken up again"
        return f"task 1 of {self._tasks(at_work.trial)}" if self._tasks else "task 1"


def _printable(text: str) -> str:
    """*text* in one line, without what would move the cursor."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
