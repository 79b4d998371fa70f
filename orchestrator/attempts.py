"""Which failures count against a trial: its own process dying does, a lost node does not.

Tune counts all failures alike and decides on its own count, so it is told to retry for ever, and this
scheduler, which sees every failure, ends a trial that has used up its attempts.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import ray
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayActorError, RayTaskError
from ray.tune.experiment import Trial as Tuned
from ray.tune.schedulers import FIFOScheduler

# A node that is lost again and again under the same trial is more likely that trial's doing.
MOST_LOST = 20


class Listener(Protocol):
    """Who wants to know; a trial is given as Tune knows it."""

    def waiting(self, trial: Any) -> None:
        """Its process died, and it will start again."""

    def given_up(self, trial: Any, cause: str) -> None:
        """It will not, since its process died too often."""


class Attempts(FIFOScheduler):
    """First in, first out, with a limit on the failures that are a trial's own.

    Args:
        retries: how often a trial whose process died starts again.
        listener: is told what becomes of such a trial.
    """

    def __init__(self, retries: int, listener: Listener) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray declares no types for it
        self._retries = retries
        self._listener = listener
        self._own = Counter[str]()
        self._lost = Counter[str]()
        self._cause: dict[str, str] = {}
        self._read = Counter[str]()
        self._dead: set[tuple[str, str]] = set()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Be nothing in Tune's own snapshots, from which nothing is ever resumed."""
        return FIFOScheduler, ()

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Count a failure."""
        super().on_trial_error(tune_controller, trial)
        error, words, ours = _taken(trial), self._last_words(trial), id_in(trial.config)
        # Tune reports a process that dies between two trials twice.
        if died := getattr(error, "actor_id", None):
            if (ours, died) in self._dead:
                return
            self._dead.add((ours, died))
        (self._lost if _is_lost(error) else self._own)[ours] += 1
        self._cause[ours] = _explained(words)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """The first trial that waits and has no process of its own about to start.

        Tune gives a process that has become free to the trial that is chosen here, and ends the one that was
        starting for it. Chosen in order, short trials would end each other's processes and run one at a time.
        """
        controller = tune_controller._tune_controller  # past a wrapper that shows less
        actors, manager = controller._trial_to_actor, controller._actor_manager
        for trial in tune_controller.get_trials():
            if trial.status == Tuned.PENDING:
                actor = actors.get(trial)
                if actor is None or not manager.is_actor_started(actor):
                    return trial
        return None

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """End a trial that comes back once too often; at no other moment does Tune let one be stopped."""
        super().on_trial_add(tune_controller, trial)
        ours = id_in(trial.config)
        own, lost = self._own[ours], self._lost[ours]
        if own > self._retries or lost > MOST_LOST:
            self._listener.given_up(trial, self._cause[ours])
            tune_controller.stop_trial(trial)
        elif own or lost:
            self._listener.waiting(trial)

    def _last_words(self, trial: Any) -> str:
        """What Tune has added to the trial's error file since the last time."""
        path = trial.error_file or os.devnull
        text = Path(path).read_text(errors="replace") if os.path.isfile(path) else ""
        new = text[self._read[path] :]
        self._read[path] = len(text)
        return new.strip()


def id_in(config: Mapping[str, str]) -> str:
    """Our id of a trial, the first word of its configuration; Tune's own is another one in each round."""
    return config["trial"].split()[0]


def count_memory_kills() -> None:
    """Let a process that Ray killed for want of memory be a failure of its trial, not of the whole sweep.

    Tune's actors know two kinds of failure and raise any other out of `fit`.
    """
    if RayActorManager._actor_task_failed is _task_failed:
        return
    RayActorManager._actor_task_failed = _task_failed  # type: ignore[method-assign]  # Tune has no hook for it


_known_failures = RayActorManager._actor_task_failed


def _task_failed(self: Any, tracked_actor_task: Any, exception: Exception) -> Any:
    if not isinstance(exception, RayActorError | RayTaskError):
        exception = RayActorError(error_msg=f"{type(exception).__name__}: {exception}")
    return _known_failures(self, tracked_actor_task=tracked_actor_task, exception=exception)


def _taken(trial: Any) -> Exception | None:
    """The trial's last error, taken away so that it is not found again after one that leaves none."""
    path = Path(trial.pickled_error_file or os.devnull)
    if not path.is_file():
        return None
    error: Exception = ray.cloudpickle.loads(path.read_bytes())
    path.unlink()
    return error


def _is_lost(error: Exception | None) -> bool:
    """Whether the node went away and not the process alone."""
    if isinstance(error, ActorUnavailableError):
        return True
    if not isinstance(error, ActorDiedError):
        return False
    return error.preempted or "its node has died" in str(error)


def _explained(words: str) -> str:
    """What Ray says of a death, and in a last line the cause that failures are counted by."""
    if "running low on memory" in words or "OutOfMemory" in words:
        cause = "the trial's process was killed, since its machine ran out of memory"
    else:
        cause = "the trial's process died"
    return f"{words}\n{cause}".strip()
