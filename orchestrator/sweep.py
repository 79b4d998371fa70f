"""A sweep from its plan to its rows: what is missing runs, here or on Ray, and is recorded."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import torch
from rich.console import Console

from cl.datasets import DataError, Dataset, load
from cl.registry import PARAMETER_BUDGET, MLPSettings
from cl.registry.capacity import pnn_parameters
from cl.streams import Stream
from orchestrator.checkpoints import Checkpoints
from orchestrator.errors import PrepareError, ResourceError
from orchestrator.estimate import work_of
from orchestrator.identity import ScenarioKey, as_json, names_of, scenario_key
from orchestrator.interruption import Interruption, interruptible
from orchestrator.lease import held
from orchestrator.local import run_local
from orchestrator.progress import Progress, final_accuracy, shown
from orchestrator.quiet import chatter_to, ray_log
from orchestrator.recording import Before, Recorder
from orchestrator.trial import check_method, check_model, model_of, stream_of
from orchestrator.writing import PATIENCE_S, Writer
from results.matrices import trial_matrices
from results.schema import COMPLETE
from results.storage import Folder
from results.store import Store
from sweeps.plan import Plan, data_names, plan
from sweeps.spec import Spec, dump_spec
from sweeps.trials import Trial

Data = Mapping[tuple[str, ...], Sequence[Dataset]]

# What waits to be written when a person interrupts: `ray job stop` kills after three seconds.
LEAVE_WITHIN_S = 1.0


@dataclass(frozen=True)
class Prepared:
    """A spec with its data read: everything that is needed to run it or to say what would run."""

    spec: Spec
    plan: Plan
    data: Data
    tasks: Mapping[ScenarioKey, int]
    """Number of tasks of each scenario."""

    def work(self, trial: Trial) -> float:
        """How much work *trial* is, in steps of plain fine-tuning."""
        return work_of(trial, self.data[trial.scenario.data], self.tasks[scenario_key(trial)])


def prepare(spec: Spec, data_dir: Path | None = None) -> Prepared:
    """Read the data that *spec* names, plan its trials, and make sure every stream and model can be made.

    Raises:
        PrepareError: nothing of it can run; data is missing or damaged, cannot be divided or turned as a
            scenario asks, or does not suit a model.
    """
    data = _read(spec, data_dir)
    digests = {names: "+".join(part.digest for part in parts) for names, parts in data.items()}
    planned = plan(spec, digests)
    if not planned.trials:
        raise PrepareError("\n  ".join([f"nothing of {spec.name} can run:", *planned.exclusions]))
    tasks, warnings = _checked(spec.name, planned, data)
    return Prepared(spec, replace(planned, warnings=(*planned.warnings, *warnings)), data, tasks)


def _read(spec: Spec, data_dir: Path | None) -> Data:
    """The data of every scenario, each data set read once."""
    needed = sorted(data_names(spec))
    loaded: dict[str, Dataset] = {}
    problems = []
    for name in dict.fromkeys(name for names in needed for name in names):
        try:
            loaded[name] = load(name, data_dir)
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise PrepareError("\n".join(problems))
    return {names: [loaded[name] for name in names] for names in needed}


def _checked(name: str, planned: Plan, data: Data) -> tuple[dict[ScenarioKey, int], list[str]]:
    """Make every scenario's stream once for every model, so that what cannot be made is known now.

    Returns:
        The number of tasks of each scenario, and what there is to warn of.
    """
    counts: dict[ScenarioKey, int] = {}
    warnings: list[str] = []
    problems: list[str] = []
    for trials in _alike(planned.trials):
        trial = trials[0]
        try:
            stream = stream_of(trial, data[trial.scenario.data])
            check_model(trial, stream)
        except ValueError as error:
            problems.append(f"{trial.scenario.label}: {error}")
        except Exception as error:  # a plug-in may raise anything
            if not trial.plug_ins:
                raise
            problems.append(f"{trial.scenario.label}: {type(error).__name__}: {error}")
        else:
            counts[scenario_key(trial)] = stream.n_tasks
            warnings += _growth(trial, stream)
            problems += _unfit(trials, stream)
    if different := list(dict.fromkeys(problems)):
        several = [f"{name} has {len(different)} problems:"] if len(different) > 1 else []
        raise PrepareError("\n  ".join([*several, *different]))
    return counts, list(dict.fromkeys(warnings))


def _alike(trials: Sequence[Trial]) -> Iterable[list[Trial]]:
    """The trials of the first seed by scenario and model, which may be another one for a method."""
    alike = defaultdict[tuple[ScenarioKey, str, str], list[Trial]](list)
    for trial in trials:
        if trial.seed == trials[0].seed:
            alike[scenario_key(trial), as_json(trial.model), model_of(trial).name].append(trial)
    return alike.values()


def _unfit(trials: Sequence[Trial], stream: Stream) -> Iterator[str]:
    """What is wrong with the methods that are to learn *stream*."""
    for trial in trials:
        try:
            check_method(trial, sum(stream.outputs))
        except ValueError as error:
            yield f"{trial.scenario.label}: {error}"


def _growth(trial: Trial, stream: Stream) -> Iterator[str]:
    """A warning where a progressive network outgrows its budget."""
    model = model_of(trial)
    if model.name != "ProgressiveNeuralNet" or not isinstance(model, MLPSettings):
        return
    parameters = pnn_parameters(stream.features, model.hidden, stream.outputs)[-1]
    if parameters > PARAMETER_BUDGET:
        yield (
            f"{trial.scenario.label}: {trial.method} will have {parameters:,} parameters after the last of "
            f"{stream.n_tasks} tasks, more than {PARAMETER_BUDGET:,}; packnet keeps one network's size"
        )


def _accuracy_before(
    before: pa.Table, accuracy: pa.Table, planned: Plan, todo: Sequence[Trial]
) -> dict[str, float | None]:
    """The final accuracy of the planned trials that earlier runs completed, from the rows of both tables."""
    ids = {trial.id for trial in planned.trials} - {trial.id for trial in todo}
    tasks = {row["trial_id"]: row["n_tasks"] for row in before.to_pylist() if row["status"] == COMPLETE}
    known = {trial_id: n_tasks for trial_id, n_tasks in tasks.items() if trial_id in ids}
    if not known:
        return {}
    matrices = trial_matrices(known, accuracy)
    return {trial_id: final_accuracy(matrix.R) for trial_id, matrix in matrices.items()}


def run_sweep(
    prepared: Prepared,
    trials: Sequence[Trial],
    store: Store,
    *,
    local: bool,
    address: str | None,
    retries: int,
    checkpoint_every_s: float | None = 10.0,
    patience_s: float = PATIENCE_S,
) -> int:
    """Run *trials*, showing progress; return how many failed.

    Args:
        prepared: the sweep.
        trials: what is to run of it.
        store: where the rows go.
        local: in this process, without Ray.
        address: the Ray cluster to join; None for one of this machine's own.
        retries: how often a trial whose process died starts again.
        checkpoint_every_s: seconds between a trial's checkpoints; None for none.
        patience_s: seconds to go on trying when the storage fails.

    Raises:
        ResourceError: the cluster cannot be reached, or cannot run what was asked; this machine cannot.
        StoreError: rows cannot be written; what was recorded before is safe.
        KeyboardInterrupt: the sweep was interrupted; what was recorded is safe.
    """
    if not trials:
        store.write_spec(dump_spec(prepared.spec))
        return 0
    work = {trial.id: prepared.work(trial) for trial in trials}
    rows = store.trials().select(["trial_id", "n_tasks", "status", "attempts"])
    accuracy = store.accuracy()
    known = _accuracy_before(rows, accuracy, prepared.plan, trials)
    progress = Progress(work, names_of(prepared.plan.trials), known)
    every_s = checkpoint_every_s
    checkpoints = None if every_s is None else Checkpoints(store.root / "checkpoints", every_s)
    writer = Writer(patience_s, progress.storage_trouble)
    if local:
        _check_gpu(trials)
    with (
        interruptible() as interruption,
        held(store.root, on_lost=writer.abandon, notice=Console().print),
        nullcontext((Console(), run_local))
        if local
        else _on_ray(
            trials, store.root, address, checkpoints, writer, interruption=interruption, retries=retries
        ) as (console, run),
        shown(progress, console) as watcher,
    ):
        interruption.last_words = partial(console.show_cursor, True)
        store.write_spec(dump_spec(prepared.spec))
        recorder = Recorder(
            store,
            writer,
            prepared.spec.name,
            prepared.tasks,
            watcher,
            in_process=local,
            before=_before(rows, accuracy, store.tasks(), trials),
            checkpoints=checkpoints,
        )
        try:
            run(trials, prepared.data, recorder, checkpoints)
            writer.flush()
        except KeyboardInterrupt:
            if undone := writer.leave(within_s=LEAVE_WITHIN_S):
                console.print(
                    f"warning: the last rows of {undone} trials could not be written; they run again"
                )
            raise
    return recorder.failed


def _before(
    rows: pa.Table, accuracy: pa.Table, tasks: pa.Table, trials: Sequence[Trial]
) -> dict[str, Before]:
    """What earlier runs left of *trials* in the three tables."""
    todo = {trial.id for trial in trials}
    started = {row["trial_id"]: row["attempts"] for row in rows.to_pylist() if row["trial_id"] in todo}
    if not started:
        return {}
    counts = tasks["trial_id"].value_counts().to_pylist()
    learned = {count["values"]: count["counts"] for count in counts}
    scored = set(accuracy["trial_id"].unique().to_pylist())
    return {
        trial_id: Before(attempts, learned.get(trial_id, 0) + 1 if trial_id in scored else 0)
        for trial_id, attempts in started.items()
    }


Run = Callable[[Sequence[Trial], Data, Recorder, Checkpoints | None], None]


def _check_gpu(trials: Sequence[Trial]) -> None:
    if any(trial.resources.gpu for trial in trials) and not torch.cuda.is_available():
        raise ResourceError("resources: a trial asks for a GPU, but PyTorch finds none on this machine")


@contextmanager
def _on_ray(
    trials: Sequence[Trial],
    root: Folder,
    address: str | None,
    checkpoints: Checkpoints | None,
    writer: Writer,
    *,
    interruption: Interruption,
    retries: int,
) -> Iterator[tuple[Console, Run]]:
    # `--local` must not need Ray.
    from orchestrator.cluster import connected  # noqa: PLC0415
    from orchestrator.liveness import watched  # noqa: PLC0415
    from orchestrator.on_ray import run_on_ray  # noqa: PLC0415

    storage = checkpoints.folder if checkpoints else None
    with chatter_to(ray_log(root)) as console, connected(trials, address, storage) as warnings:
        for warning in warnings:
            console.print(f"warning: {warning}", highlight=False, soft_wrap=True)
        with watched(partial(_end, console, root, writer)):
            yield console, partial(run_on_ray, interruption=interruption, retries=retries)


def _end(console: Console, root: Folder, writer: Writer, why: str) -> None:
    """End this process, whose main thread may hang in a call to Ray that nothing can interrupt."""
    writer.leave(within_s=LEAVE_WITHIN_S)
    console.show_cursor(True)
    console.print(
        f"clsweep: {why}. Everything finished is in {root}; the same command continues.",
        highlight=False,
        soft_wrap=True,
    )
    console.file.flush()
    os._exit(1)
