"""Runs trials on Ray Tune: one trial each, one `step` per task or few short ones, in warm processes."""

from __future__ import annotations

import base64
import logging
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

# Tune reads these when it is imported.
os.environ |= {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # our store is the only log
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # nothing resumes from Tune's own state; a failed snapshot raises
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is ours to handle
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "86400",  # what no node can run was refused before
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # we say what failed, once and by cause
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

import ray
from ray import tune
from ray.tune.execution.class_cache import DEFAULT_ENV_VARS

from cl.datasets import Dataset
from cl.registry import plugins
from orchestrator.attempts import Attempts, count_memory_kills
from orchestrator.checkpoints import Checkpoints
from orchestrator.cluster import plug_ins
from orchestrator.errors import ResourceError
from orchestrator.interruption import Interruption
from orchestrator.outcome import Outcome, outcomes_of
from orchestrator.pieces import Piece, Source
from orchestrator.recording import Recorder
from orchestrator.suggestions import Suggestions
from orchestrator.trial import Data
from results.schema import RUNNING
from sweeps.trials import Trial

Round = tuple[dict[str, Any], tune.TuneConfig]
"""What Tune is given once: a parameter space, and how to go through it."""

Run = Callable[[Trial, Sequence[Dataset], Checkpoints | None, int | None], Iterator[Outcome]]

# Tune keeps about 50 kB of every trial that it was given, and its warm processes end with it.
MOST_AT_ONCE, ROUND = 2000, 1000


# Tune asks for processes with this variable, which PyTorch Lightning reads; those that Ray holds ready are
# without it, and a sweep would start later by the time that a process needs.
DEFAULT_ENV_VARS.clear()

# A report keeps its trial waiting for some milliseconds, and the driver busy for more.
REPORT_EVERY_S = 2.0


class TrialActor(tune.Trainable):
    """A warm process that runs one trial after another.

    `setup` and `reset_config` only assign, since spare actors run them too; the first `step` builds.
    """

    def setup(  # type: ignore[override]  # `tune.with_parameters` passes what Tune itself does not
        self,
        config: dict[str, Any],
        data: Mapping[Any, Any],
        run: Run,
        folders: Sequence[str],
        checkpoints: Checkpoints | None,
        report_every_s: float,
    ) -> None:
        """Take the first trial; *data* maps names to references in the object store.

        Plug-ins are found in *folders* where the machine has them.
        """
        plugins.search(folders)
        self._run = run
        self._checkpoints = checkpoints
        self._report_every_s = report_every_s
        self._data = data
        self._loaded: dict[Any, Any] = {}
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial."""
        self._piece = piece_in(new_config)
        self._outcomes: Iterator[Outcome] | None = None
        return True

    def step(self) -> dict[str, Any]:
        """Learn a task, or a few short ones; report everything learned so far."""
        trial, until = self._piece
        if self._outcomes is None:
            key = trial.data
            if key not in self._loaded:
                self._loaded[key] = ray.get(self._data[key])
            self._outcomes = self._run(trial, self._loaded[key], self._checkpoints, until)
        start = last = time.monotonic()
        while True:
            outcome = next(self._outcomes)
            took_s, last = time.monotonic() - last, time.monotonic()
            # The next task is likely to take as long, and what was learned must not wait for it too long.
            paused = until is not None and outcome.learned >= until
            if outcome.status != RUNNING or paused or last - start + took_s > self._report_every_s:
                break
        return {
            "outcome": outcome,
            "tasks_learned": outcome.learned,
            "done": outcome.status != RUNNING or paused,
        }


class _Rows(tune.Callback):
    """Hands what Tune hears from trials to the recorder.

    A callback that raises ends the sweep at an arbitrary point, so a failure to record is kept and raised
    between steps, as an interruption is.
    """

    def __init__(self, recorder: Recorder, interruption: Interruption) -> None:
        self._recorder = recorder
        self._interruption = interruption
        self._failure: Exception | None = None

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Be nothing in Tune's own snapshots, from which nothing is ever resumed."""
        return tune.Callback, ()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        del iteration, trials, info
        self._record(trial, self._recorder.started)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        del iteration, trials, info
        self._record(trial, self._recorder.reported, result["outcome"])

    def waiting(self, trial: Any) -> None:
        """Record that *trial*, as Tune knows it, waits to start again."""
        self._record(trial, self._recorder.waiting)

    def given_up(self, trial: Any, cause: str) -> None:
        """Record that *trial*, as Tune knows it, is not started again."""
        self._record(trial, self._recorder.lost, cause)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        del iteration, trials, info
        self.check()

    def check(self) -> None:
        """Raise what has happened since the last time: an interruption, or a failure to record."""
        self._interruption.raise_if_requested()
        if failure := self._failure or self._recorder.writer.failure:
            raise failure

    def _record(self, tune_trial: Any, action: Callable[..., None], *arguments: Any) -> None:
        try:
            action(piece_in(tune_trial.config).trial, *arguments)
        except Exception as error:  # noqa: BLE001 - raised between steps
            self._failure = self._failure or error


def run_on_ray(
    work: Sequence[Trial] | Source,
    data: Data,
    recorder: Recorder,
    checkpoints: Checkpoints | None = None,
    *,
    interruption: Interruption | None = None,
    retries: int = 2,
    run: Run = outcomes_of,
    report_every_s: float = REPORT_EVERY_S,
) -> None:
    """Run *work* on the connected cluster, recording each task as it is learned.

    *run* is what a worker does with a trial; only measurements of everything else replace it. Tasks that take
    less than *report_every_s* seconds together are reported together.

    Raises:
        KeyboardInterrupt: the sweep was interrupted; what was recorded is safe.
        StoreError: rows could not be written for too long; what was written is safe.
        ResourceError: Ray can run none of them.
    """
    interruption = interruption or Interruption()
    trials = work if isinstance(work, Sequence) else work.trials
    rows = _Rows(recorder, interruption)
    references = {key: ray.put(list(data[key])) for key in {trial.data for trial in trials}}
    folders = [str(path.parent) for path in plug_ins(trials)]
    attempts = Attempts(retries, rows)
    count_memory_kills()
    # Tune reserves what so many waiting trials need, 200 of them by default, before the first one starts.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(16 + 2 * int(ray.cluster_resources().get("CPU", 0)))
    actor = tune.with_parameters(
        TrialActor,
        data=references,
        run=run,
        folders=folders,
        checkpoints=checkpoints,
        report_every_s=report_every_s,
    )
    rounds = _rounds(work, recorder) if isinstance(work, Sequence) else _rounds_of_a_source(work, recorder)
    with interruption.deferred():
        for some in _not_idle(rounds, recorder, most=retries + 2):
            _fit(actor, some, rows, attempts)


def _rounds(trials: Sequence[Trial], recorder: Recorder) -> Iterator[Round]:
    """All trials at once, or a thousand at a time where Tune's memory of them would fill the driver.

    Trials that Tune drops without an end, as when a process dies while it starts or takes up its next trial,
    are in the next round.
    """
    size = len(trials) if len(trials) <= MOST_AT_ONCE else ROUND
    left = list(trials)
    while left:
        words = [_words(Piece(trial)) for trial in left[:size]]
        yield {"trial": tune.grid_search(words)}, tune.TuneConfig(reuse_actors=True)
        left = [trial for trial in left if trial.id not in recorder.ended]
        if len(trials) > MOST_AT_ONCE:  # so that a driver that is killed is quick to see what is done
            recorder.writer.put("snapshot", recorder.store.statuses)


def _rounds_of_a_source(source: Source, recorder: Recorder) -> Iterator[Round]:
    """A thousand pieces at a time, with what the last round dropped."""
    while not source.finished:
        source.again()
        suggestions = Suggestions(source, recorder.stopped, lambda piece: {"trial": _words(piece)})
        yield {}, tune.TuneConfig(reuse_actors=True, search_alg=suggestions, num_samples=ROUND)


def _not_idle(rounds: Iterator[Round], recorder: Recorder, most: int) -> Iterator[Round]:
    """The *rounds*.

    Raises:
        ResourceError: so many of them in a row heard nothing of any trial.
    """
    idle = 0
    for each in rounds:
        before = recorder.heard
        yield each
        idle = idle + 1 if recorder.heard == before else 0
        if idle == most:
            raise ResourceError(
                f"Ray Tune gave up {idle} times before a trial ended; ray.log has its messages"
            )


def _fit(actor: Any, some: Round, rows: _Rows, scheduler: Attempts) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="clsweep-") as scratch:
            _tuner(actor, some, rows, scheduler, scratch).fit()
    except (RuntimeError, OSError, tune.TuneError):  # a slip of Tune's: what is left is for the next round
        logging.getLogger(__name__).exception("Ray Tune ended early")
    rows.check()


def _tuner(actor: Any, some: Round, rows: _Rows, scheduler: Attempts, scratch: str) -> tune.Tuner:
    space, config = some
    return tune.Tuner(
        tune.with_resources(actor, _request),  # type: ignore[arg-type]  # Tune takes a dict from it as well
        param_space=space,
        tune_config=replace(config, scheduler=scheduler),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=scratch,
            verbose=0,
            callbacks=[rows],
            # How often a trial may start again is the scheduler's to say.
            failure_config=tune.FailureConfig(max_failures=-1),
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
        ),
    )


def _words(piece: Piece) -> str:
    # One string, since Tune copies all configurations, deeply, for every trial.
    trial = piece.trial
    packed = base64.urlsafe_b64encode(pickle.dumps(tuple(piece))).decode()
    return f"{trial.id} {trial.resources.cpu} {trial.resources.gpu} {packed}"


def piece_in(config: Mapping[str, str]) -> Piece:
    """What is to run, from the configuration of a trial of Tune's."""
    return Piece(*pickle.loads(base64.urlsafe_b64decode(config["trial"].split()[3])))  # noqa: S301 - our own, from `_words`


def _request(config: dict[str, str]) -> dict[str, float]:
    # From the configuration alone: Tune pickles this function with the trainable and unpickles both twice a
    # trial, so what it held would be paid for again and again.
    _, cpu, gpu, _ = config["trial"].split()
    return {"cpu": float(cpu)} | ({"gpu": float(gpu)} if float(gpu) else {})
