"""From outcomes to rows: the driver's side of a trial, the same for Ray and for `--local`."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from orchestrator.checkpoints import Checkpoints
from orchestrator.environment import version
from orchestrator.identity import ScenarioKey, StreamFacts, columns_of, scenario_key
from orchestrator.outcome import Outcome
from orchestrator.writing import Writer
from results.schema import FAILED, RUNNING, STOPPED, diagnostic_columns
from results.store import Store, StoreError
from sweeps.trials import RESULTS_VERSION, Trial

# A trial's start and its reports are on disk within this many seconds, and its end at once. Writing after
# every task would cost short trials more than it saves.
WRITE_WITHIN_S = 5.0


class Watcher(Protocol):
    """Somebody who wants to know how a sweep is getting on."""

    def started(self, trial: Trial) -> None:
        """*trial* has begun, or begun again."""

    def reported(self, trial: Trial, outcome: Outcome) -> None:
        """*trial* has learned a task or ended."""

    def waiting(self, trial: Trial) -> None:
        """The process of *trial* died; it will begin again."""


@dataclass(frozen=True)
class Before:
    """What earlier runs left of a trial."""

    attempts: int = 0
    reports: int = 0
    """How many of its reports are on disk, the untrained model's among them."""
    row: Mapping[str, Any] = field(default_factory=dict)
    """Its own row, if it had not ended."""


@dataclass(frozen=True)
class _State:
    trial: Trial
    attempts: int
    started_at: datetime
    outcome: Outcome | None = None
    ended_at: datetime | None = None

    @property
    def status(self) -> str:
        return RUNNING if self.ended_at is None or self.outcome is None else self.outcome.status


@dataclass
class Recorder:
    """Keeps each trial's rows in the store as they arrive.

    A part is rewritten whole with everything known so far, so a repeated report changes nothing; what is on
    disk is never replaced by less, as when a trial starts over. The trial's own row says ``complete`` only
    after its other parts are there.

    Args:
        store: where the rows go.
        writer: writes them, in its own thread.
        sweep: its name.
        streams: what is known of each scenario's stream.
        watcher: is told everything as well.
        in_process: the trials run in this process, without Ray.
        before: what earlier runs left, by trial id.
        checkpoints: those of a trial that is complete or diverged are removed.
        command: what the rows of all trials say of the command that runs them.
    """

    store: Store
    writer: Writer
    sweep: str
    streams: Mapping[ScenarioKey, StreamFacts]
    watcher: Watcher
    in_process: bool = False
    before: Mapping[str, Before] = field(default_factory=dict)
    checkpoints: Checkpoints | None = None
    command: Mapping[str, Any] = field(default_factory=dict)
    provenance: Callable[[Trial], Mapping[str, Any]] = lambda _: {}
    """How the hyperparameters of a trial were chosen, as columns of the trials table."""
    failed: int = 0
    ended: set[str] = field(default_factory=set)
    """The trials that have."""
    heard: int = 0
    """Reports so far."""
    _open: dict[str, _State] = field(default_factory=dict)
    _on_disk: dict[str, int] = field(default_factory=dict)
    _rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Those of open trials as they are on disk, which a report does not change."""

    def started(self, trial: Trial) -> None:
        """Record that *trial* is running; called again, that it had to start again."""
        self._put(self._next(trial))
        self.watcher.started(trial)

    def reported(self, trial: Trial, outcome: Outcome) -> None:
        """Record what *trial* has reported so far, and its end if it has ended."""
        self.heard += 1
        state = replace(self._open.get(trial.id) or self._next(trial), outcome=outcome)
        if outcome.status == RUNNING:
            self._put(state)
        else:
            self._put(replace(state, ended_at=datetime.now(UTC)))
            self.failed += outcome.status == FAILED
            self.ended.add(trial.id)
            self._open.pop(trial.id, None)
        self.watcher.reported(trial, outcome)

    def waiting(self, trial: Trial) -> None:
        """Say that *trial* waits for another process; on disk it is still running."""
        self.watcher.waiting(trial)

    def stopped(self, trial: Trial) -> None:
        """Record that a search gave *trial* up, with what it had learned."""
        state = self._open.pop(trial.id, None)
        self.ended.add(trial.id)
        if state and state.outcome:
            outcome = replace(state.outcome, status=STOPPED)
            self._put(replace(state, outcome=outcome, ended_at=datetime.now(UTC)))
            self._open.pop(trial.id)
        elif row := self.before.get(trial.id, Before()).row:
            # It learned all it had to in an earlier run, of which nothing more is known.
            stopped = {**row, "status": STOPPED, "ended_at": datetime.now(UTC)}
            self.writer.put(trial.id, partial(self._write_stopped, stopped))

    def lost(self, trial: Trial, cause: str) -> None:
        """Record that *trial*'s process died more often than is retried."""
        state = self._open.get(trial.id)
        reports = state.outcome.reports if state and state.outcome else ()
        self.reported(trial, Outcome(reports, FAILED, cause.strip().split("\n")[-1], cause))

    def _next(self, trial: Trial) -> _State:
        """The next attempt at *trial*, with what the last one of this run reported."""
        last, before = self._open.get(trial.id), self.before.get(trial.id, Before())
        attempts = (last or before).attempts + 1
        return _State(trial, attempts, datetime.now(UTC), last.outcome if last else None)

    def _put(self, state: _State) -> None:
        self._open[state.trial.id] = state
        soon = WRITE_WITHIN_S if state.status == RUNNING else 0.0
        self.writer.put(state.trial.id, partial(self._write, state), within_s=soon)

    def _write(self, state: _State) -> None:
        trial, outcome = state.trial, state.outcome
        ours, before = self._on_disk.get(trial.id, 0), self.before.get(trial.id, Before()).reports
        if outcome and len(outcome.reports) > ours and len(outcome.reports) >= before:
            self.store.write_accuracy(trial.id, list(_accuracy_rows(trial, outcome)))
            self.store.write_tasks(trial.id, list(_task_rows(trial, outcome)))
            self._on_disk[trial.id] = len(outcome.reports)
        if (row := self._row(state)) != self._rows.get(trial.id):
            self.store.write_trial(row)
            self._rows[trial.id] = row
        if state.status != RUNNING:
            del self._rows[trial.id]
        if self.checkpoints and outcome and outcome.checkpoint and outcome.status not in {RUNNING, FAILED}:
            with suppress(StoreError):  # it is in nobody's way
                self.checkpoints.forget(trial.id)

    def _write_stopped(self, row: Mapping[str, Any]) -> None:
        self.store.write_trial(row)
        if self.checkpoints:
            with suppress(StoreError):  # it is in nobody's way
                self.checkpoints.forget(row["trial_id"])

    def _row(self, state: _State) -> dict[str, Any]:
        return (
            _identity(state.trial, self.sweep)
            | dict(self.provenance(state.trial))
            | _PROVENANCE
            | dict(self.command)
            | ({"ray_version": None} if self.in_process else {})
            | {"n_tasks": self.streams[scenario_key(state.trial)].n_tasks, "status": state.status}
            | {"chance": self.streams[scenario_key(state.trial)].chance}
            | {"attempts": state.attempts, "started_at": state.started_at}
            | _ending(state)
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


def _ending(state: _State) -> dict[str, Any]:
    outcome = state.outcome
    if outcome is None or state.ended_at is None:
        return {}
    return {
        "ended_at": state.ended_at,
        "wall_s": (state.ended_at - state.started_at).total_seconds(),
        "train_s": sum(report.train_s for report in outcome.reports),
        "eval_s": sum(report.eval_s for report in outcome.reports),
        "error_cause": outcome.cause,
        "error": outcome.error,
        "host": outcome.host,
        "cpu_model": outcome.cpu_model,
        "gpu_model": outcome.gpu_model,
        "packages": json.loads(outcome.packages) or None,
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


_PROVENANCE: dict[str, Any] = {
    "clsweep_version": version("clsweep"),
    "python_version": platform.python_version(),
    "torch_version": version("torch"),
    "ray_version": version("ray"),
}


def missing(
    trials: Sequence[Trial], statuses: Mapping[str, str], *, again: Sequence[str] = ()
) -> list[Trial]:
    """The trials that are still to run: planned minus finished, *again* naming statuses to repeat."""
    finished = {"complete", "diverged", "stopped"} - set(again)
    return [trial for trial in trials if statuses.get(trial.id) not in finished]
