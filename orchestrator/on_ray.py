"""Runs trials on Ray Tune: one trial each, one `step` per task, in processes that stay warm."""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

# Tune reads these when it is imported. Our store is the only log; nothing resumes from Tune's own
# experiment state, so it is snapshot rarely; and Ctrl-C is ours to handle.
os.environ |= {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "86400",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

import ray
from ray import tune

from cl.datasets import Dataset
from cl.registry import plugins
from orchestrator.errors import ResourceError
from orchestrator.outcome import Outcome, outcomes_of
from orchestrator.recording import Recorder
from results.schema import RUNNING
from sweeps.trials import Trial

Run = Callable[[Trial, Sequence[Dataset]], Iterator[Outcome]]

CODE = Path(__file__).parent.parent

Data = Mapping[tuple[str, ...], Sequence[Dataset]]


class TrialActor(tune.Trainable):  # type: ignore[misc]
    """A warm process that runs one trial after another.

    `setup` and `reset_config` only assign, since spare actors run them too; the first `step` builds.
    """

    def setup(
        self,
        config: dict[str, Any],
        trials: Mapping[str, Trial],
        data: Mapping[Any, Any],
        run: Run,
        folders: Sequence[str],
    ) -> None:
        """Take the first trial; *data* maps names to references in the object store.

        Plug-ins are found in *folders* where the machine has them.
        """
        plugins.search(folders)
        self._trials = trials
        self._run = run
        self._data = data
        self._loaded: dict[Any, Any] = {}
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial."""
        self._trial = self._trials[new_config["trial"]["id"]]
        self._outcomes: Iterator[Outcome] | None = None
        return True

    def step(self) -> dict[str, Any]:
        """Learn one task; report everything learned so far."""
        if self._outcomes is None:
            key = self._trial.scenario.data
            if key not in self._loaded:
                self._loaded[key] = ray.get(self._data[key])
            self._outcomes = self._run(self._trial, self._loaded[key])
        outcome = next(self._outcomes)
        return {
            "outcome": outcome,
            "tasks_learned": len(outcome.reports) - 1,
            "done": outcome.status != RUNNING,
        }


class _Rows(tune.Callback):  # type: ignore[misc]
    """Hands what Tune hears from trials to the recorder.

    A callback that raises ends the sweep at an arbitrary point, so a failure to record is kept and raised
    between steps, as an interruption is.
    """

    def __init__(self, trials: Mapping[str, Trial], recorder: Recorder) -> None:
        self._trials = trials
        self._recorder = recorder
        self.stop: BaseException | None = None

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Be nothing in Tune's own snapshots, from which nothing is ever resumed."""
        return tune.Callback, ()

    def _record(self, tune_trial: Any, action: Any, *arguments: Any) -> None:
        self._try(action, self._trials[tune_trial.config["trial"]["id"]], *arguments)

    def _try(self, action: Any, *arguments: Any) -> None:
        try:
            action(*arguments)
        except Exception as error:  # noqa: BLE001 - raised between steps
            self.stop = self.stop or error

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        del iteration, trials, info
        self._record(trial, self._recorder.started)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        del iteration, trials, info
        self._record(trial, self._recorder.reported, result["outcome"])

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        del iteration, trials, info
        cause = "the trial's process died"
        if trial.error_file and os.path.exists(trial.error_file):
            with open(trial.error_file, encoding="utf-8", errors="replace") as file:
                cause = file.read()
        self._record(trial, self._recorder.lost, cause)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        del iteration, trials, info
        self._try(self._recorder.write_waiting)
        if self.stop:
            raise self.stop


@contextmanager
def connected(trials: Sequence[Trial], address: str | None = None) -> Iterator[None]:
    """Join the Ray cluster at *address*, or start a quiet local Ray on this machine's cores, for *trials*.

    Raises:
        ResourceError: there is no such cluster, or a trial asks for more than any node of it has.
    """
    if address is not None and address.startswith("ray://"):
        raise ResourceError(
            f"--address {address}: Ray Client is not supported, since rows would be written on the cluster's "
            "head node; run clsweep on a node of the cluster with --address auto"
        )
    try:
        _require_listener(address)
        # Other machines get the plug-ins that are not installed; this one has them.
        code = [str(path) for path in _plug_ins(trials) if address and not _INSTALLED & set(path.parts)]
        # Workers import from the folder in which Ray is started; the user's may hold a `cl` of its own.
        with chdir(CODE):
            ray.init(
                address=address or "local",  # None would join whatever RAY_ADDRESS names
                include_dashboard=False if address is None else None,
                logging_level=logging.ERROR,
                log_to_driver=False,
                _node_ip_address="127.0.0.1" if address is None else None,
                runtime_env={"py_modules": code} if code else None,
            )
    except (OSError, ValueError, RuntimeError) as error:
        where = "a local Ray could not be started" if address is None else f"no Ray cluster at {address!r}"
        hint = ""
        if type(error) is ConnectionError and "RAY_AUTH_MODE" not in os.environ:
            # Ray itself sends its token only to clusters that it finds by itself.
            hint = "; if it asks for a token, as Ray's default is, set RAY_AUTH_MODE=token"
        raise ResourceError(f"{where}: {str(error).strip().splitlines()[0]}{hint}") from error
    try:
        _require(trials)
        yield
    finally:
        ray.shutdown()


_INSTALLED = {"site-packages", "dist-packages"}


def _plug_ins(trials: Sequence[Trial]) -> list[Path]:
    """The files and packages of the plug-ins that *trials* name, each once."""
    names = dict.fromkeys(name for trial in trials for name in trial.plug_ins)
    return list(dict.fromkeys(plugins.location(name) for name in names))


def _require_listener(address: str | None) -> None:
    """Fail at once where nobody listens; Ray itself would try again for many minutes."""
    host, separator, port = (address or "").rpartition(":")
    if separator and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


def run_on_ray(
    trials: Sequence[Trial], data: Data, recorder: Recorder, *, retries: int = 2, run: Run = outcomes_of
) -> None:
    """Run *trials* on the connected cluster, recording each task as it is learned.

    *run* is what a worker does with a trial; only measurements of everything else replace it.

    Raises:
        KeyboardInterrupt: the sweep was interrupted; what was recorded is safe.
    """
    by_id = {trial.id: trial for trial in trials}
    rows = _Rows(by_id, recorder)
    references = {key: ray.put(list(data[key])) for key in {trial.scenario.data for trial in trials}}
    folders = [str(path.parent) for path in _plug_ins(trials)]
    actor = tune.with_resources(
        tune.with_parameters(TrialActor, trials=by_id, data=references, run=run, folders=folders),
        _request,
    )
    with tempfile.TemporaryDirectory(prefix="clsweep-") as scratch, _interruptible(rows):
        tuner = tune.Tuner(
            actor,
            param_space={"trial": tune.grid_search([_config(trial) for trial in trials])},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=scratch,
                verbose=0,
                callbacks=[rows],
                failure_config=tune.FailureConfig(max_failures=retries),
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        )
        try:
            tuner.fit()
        finally:
            recorder.write_waiting(for_s=0.0)
        if rows.stop:
            raise rows.stop


def _config(trial: Trial) -> dict[str, Any]:
    return {"id": trial.id, "cpu": trial.resources.cpu, "gpu": trial.resources.gpu}


def _request(config: dict[str, dict[str, Any]]) -> dict[str, float]:
    # From the configuration alone: Tune pickles this function with the trainable and unpickles both twice a
    # trial, so what it held would be paid for again and again.
    trial = config["trial"]
    return {"cpu": trial["cpu"]} | ({"gpu": trial["gpu"]} if trial["gpu"] else {})


def _require(trials: Sequence[Trial]) -> None:
    """Refuse what no node can ever run; Tune would wait for it for ever."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    for resources in sorted({trial.resources for trial in trials}, key=repr):
        needs = {"CPU": resources.cpu, "GPU": resources.gpu}
        if not any(all(node.get(name, 0) >= amount for name, amount in needs.items()) for node in nodes):
            largest = {name: max(node.get(name, 0) for node in nodes) for name in needs}
            raise ResourceError(
                f"resources: a trial asks for cpu {resources.cpu:g} and gpu {resources.gpu:g}, but the "
                f"largest node has cpu {largest['CPU']:g} and gpu {largest['GPU']:g}"
            )


@contextmanager
def _interruptible(rows: _Rows) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into a `KeyboardInterrupt` between two steps of Tune's loop.

    Raising in the handler itself would surface anywhere, also inside Ray's own code. A second signal ends
    the process at once.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        rows.stop = KeyboardInterrupt()
        signal.signal(number, signal.SIG_DFL)

    # Ray installs a SIGTERM handler of its own when it starts, so ours come after.
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
