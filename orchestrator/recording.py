"""From outcomes to rows: the driver's side of a trial, the same for Ray and for `--local`."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

from orchestrator.identity import ScenarioKey, columns_of, scenario_key
from orchestrator.outcome import Outcome
from results.schema import FAILED, RUNNING, diagnostic_columns
from results.store import Store
from sweeps.trials import RESULTS_VERSION, Trial

# A trial's rows are on disk within this many seconds of their report, and at once when it ends. Writing
# after every task would cost short trials more than it saves.
WRITE_WITHIN_S = 2.0


class Watcher(Protocol):
    """Somebody who wants to know how a sweep is getting on."""

    def started(self, trial: Trial) -> None:
        """*trial* has begun, or begun again."""

    def reported(self, trial: Trial, outcome: Outcome) -> None:
        """*trial* has learned a task or ended."""


@dataclass
class _Open:
    trial: Trial
    started_at: datetime
    attempts: int
    outcome: Outcome | None = None
    waiting_since: float | None = None  # when the first report came that is not on disk


@dataclass
class Recorder:
    """Keeps each trial's rows in the store as they arrive.

    A part is rewritten whole with everything known so far, so a repeated report changes nothing. The
    trial's own row says ``complete`` only after its other parts are there.

    Args:
        store: where the rows go.
        sweep: its name.
        tasks: number of tasks of each scenario.
        watcher: is told everything as well.
        in_process: the trials run in this process, without Ray: every report is written at once.
        before: how often trials were started by earlier runs, by trial id.
    """

    store: Store
    sweep: str
    tasks: Mapping[ScenarioKey, int]
    watcher: Watcher
    in_process: bool = False
    before: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    _open: dict[str, _Open] = field(default_factory=dict)

    def started(self, trial: Trial) -> None:
        """Record that *trial* is running; called again, that it had to start over."""
        if trial.id in self._open:
            self._open[trial.id].attempts += 1
            self._open[trial.id].started_at = datetime.now(UTC)
        else:
            self._open[trial.id] = self._first(trial)
        self._write_trial(trial, RUNNING, None)
        self.watcher.started(trial)

    def reported(self, trial: Trial, outcome: Outcome) -> None:
        """Record what *trial* has reported so far, and its end if it has ended.

        Between reports somebody must call `write_waiting` now and then, unless the trials run in process.
        """
        state = self._open[trial.id]
        state.outcome = outcome
        if outcome.status != RUNNING:
            self._end(trial, outcome.status, outcome)
        elif self.in_process:
            self._write_reports(trial, outcome)
        elif state.waiting_since is None:
            state.waiting_since = time.monotonic()
        self.watcher.reported(trial, outcome)

    def write_waiting(self, *, for_s: float = WRITE_WITHIN_S) -> None:
        """Write the reports of trials of which one has waited for *for_s* seconds."""
        now = time.monotonic()
        for state in self._open.values():
            if state.waiting_since is not None and now - state.waiting_since >= for_s:
                assert state.outcome is not None
                self._write_reports(state.trial, state.outcome)
                state.waiting_since = None

    def lost(self, trial: Trial, cause: str) -> None:
        """Record that *trial*'s process died more often than is retried."""
        state = self._open.get(trial.id)
        reports = state.outcome.reports if state and state.outcome else ()
        outcome = Outcome(reports, FAILED, cause.strip().split("\n")[-1], cause)
        self._end(trial, FAILED, outcome)
        self.watcher.reported(trial, outcome)

    def _end(self, trial: Trial, status: str, outcome: Outcome) -> None:
        self.failed += status == FAILED
        self._write_reports(trial, outcome)
        self._write_trial(trial, status, outcome)
        self._open.pop(trial.id, None)

    def _first(self, trial: Trial) -> _Open:
        return _Open(trial, datetime.now(UTC), self.before.get(trial.id, 0) + 1)

    def _write_reports(self, trial: Trial, outcome: Outcome) -> None:
        self.store.write_accuracy(trial.id, list(_accuracy_rows(trial, outcome)))
        self.store.write_tasks(trial.id, list(_task_rows(trial, outcome)))

    def _write_trial(self, trial: Trial, status: str, outcome: Outcome | None) -> None:
        state = self._open.get(trial.id, self._first(trial))
        self.store.write_trial(
            _identity(trial, self.sweep)
            | _PROVENANCE
            | ({"ray_version": None} if self.in_process else {})
            | {"n_tasks": self.tasks[scenario_key(trial)], "status": status}
            | {"attempts": state.attempts, "started_at": state.started_at}
            | (_ending(outcome, state.started_at) if outcome else {})
        )


def _identity(trial: Trial, sweep: str) -> dict[str, Any]:
    return columns_of(trial) | {
        "trial_id": trial.id,
        "sweep": sweep,
        "cpu": trial.resources.cpu,
        "gpu": trial.resources.gpu,
        "data_digest": trial.data_digest,
        "results_version": RESULTS_VERSION,
    }


def _ending(outcome: Outcome, started_at: datetime) -> dict[str, Any]:
    ended_at = datetime.now(UTC)
    return {
        "ended_at": ended_at,
        "wall_s": (ended_at - started_at).total_seconds(),
        "train_s": sum(report.train_s for report in outcome.reports),
        "eval_s": sum(report.eval_s for report in outcome.reports),
        "error_cause": outcome.cause,
        "error": outcome.error,
        "host": outcome.host,
        "cpu_model": outcome.cpu_model,
        "peak_memory_bytes": outcome.peak_memory_bytes,
    }


def _key(trial: Trial) -> dict[str, Any]:
    return {
        "trial_id": trial.id,
        "scenario": trial.scenario.label,
        "method": trial.method,
        "seed": trial.seed,
    }


def _accuracy_rows(trial: Trial, outcome: Outcome) -> Iterator[dict[str, Any]]:
    key = _key(trial)
    for report in outcome.reports:
        for score in report.scores:
            yield key | {
                "after_task": report.task,
                "eval_task": score.task,
                "split": score.split,
                "accuracy": score.accuracy,
                "n_eval": score.n,
            }


def _task_rows(trial: Trial, outcome: Outcome) -> Iterator[dict[str, Any]]:
    key = _key(trial)
    for report in outcome.reports:
        if report.task >= 0:
            yield (
                key
                | diagnostic_columns(report.diagnostics)
                | {
                    "task": report.task,
                    "train_s": report.train_s,
                    "eval_s": report.eval_s,
                    "steps": report.steps,
                    "loss": report.loss,
                    "parameters": report.parameters,
                    "first_epoch_accuracy": report.first_epoch_accuracy,
                    "examples": report.examples,
                    "passes": report.passes,
                }
            )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


_PROVENANCE: dict[str, Any] = {
    "clsweep_version": _version("clsweep"),
    "python_version": platform.python_version(),
    "torch_version": _version("torch"),
    "ray_version": _version("ray"),
}


def missing(
    trials: Sequence[Trial], statuses: Mapping[str, str], *, again: Sequence[str] = ()
) -> list[Trial]:
    """The trials that are still to run: planned minus finished, *again* naming statuses to repeat."""
    finished = {"complete", "diverged", "stopped"} - set(again)
    return [trial for trial in trials if statuses.get(trial.id) not in finished]
