"""A sweep from its plan to its rows: what is missing runs, here or on Ray, and is recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch
from rich.console import Console

from orchestrator.checkpoints import Checkpoints
from orchestrator.errors import ResourceError
from orchestrator.identity import names_of, scenario_key
from orchestrator.interruption import Interruption, interruptible
from orchestrator.lease import held
from orchestrator.live import View, shown
from orchestrator.local import run_local
from orchestrator.options import Options
from orchestrator.pieces import Source
from orchestrator.preparation import Prepared
from orchestrator.progress import Progress, final_accuracy
from orchestrator.provenance import Provenance, by_a_search, by_the_spec, say_so
from orchestrator.quiet import chatter_to, ray_log
from orchestrator.recording import Before, Recorder
from orchestrator.trial import Data
from orchestrator.tuning import TunedSweep
from orchestrator.tuning_progress import TuningProgress
from orchestrator.work_tree import of_the_command
from orchestrator.writing import Writer
from results.arrays import string
from results.matrices import trial_matrices
from results.schema import COMPLETE, RUNNING, to_rows
from results.storage import Folder
from results.store import Store
from sweeps.plan import Plan
from sweeps.spec import dump_spec
from sweeps.trials import Trial

# What waits to be written when a person interrupts: `ray job stop` kills after three seconds.
LEAVE_WITHIN_S = 1.0


def _accuracy_before(
    before: pa.Table, accuracy: pa.Table, planned: Plan, todo: Sequence[Trial]
) -> dict[str, float | None]:
    """The final accuracy of the planned trials that earlier runs completed, from the rows of both tables."""
    ids = {trial.id for trial in planned.trials} - {trial.id for trial in todo}
    complete = before.filter(pc.equal(before["status"], COMPLETE))
    tasks = dict(zip(*(complete[name].to_pylist() for name in ("trial_id", "n_tasks")), strict=True))
    known = {trial_id: n_tasks for trial_id, n_tasks in tasks.items() if trial_id in ids}
    if not known:
        return {}
    matrices = trial_matrices(known, accuracy)
    return {trial_id: final_accuracy(matrix.R) for trial_id, matrix in matrices.items()}


def run_sweep(prepared: Prepared, trials: Sequence[Trial], store: Store, options: Options) -> int:
    """Run *trials* of the sweep *prepared*, showing progress; return how many failed.

    Raises:
        ResourceError: the cluster cannot be reached, or cannot run what was asked; this machine cannot.
        StoreError: rows cannot be written; what was recorded before is safe.
        KeyboardInterrupt: the sweep was interrupted; what was recorded is safe.
    """
    if not trials:
        store.write_spec(dump_spec(prepared.spec))
        return 0
    work = {trial.id: prepared.work(trial) for trial in trials}
    rows = store.trials()
    accuracy = store.accuracy()
    known = _accuracy_before(rows, accuracy, prepared.plan, trials)
    before = _before(rows, accuracy, store.tasks())
    names = names_of(prepared.plan.trials)
    progress = Progress(work, names, known, begun=before.keys(), tasks=partial(_n_tasks, prepared))
    provenance = by_the_spec(prepared.spec)
    return _run(prepared, trials, store, progress, options, before=before, provenance=provenance)


def run_tuned(prepared: Prepared, source: TunedSweep, store: Store, options: Options) -> int:
    """Search and report the studies of the sweep *prepared*, showing progress; return how many trials failed.

    Raises:
        ResourceError, StoreError, KeyboardInterrupt: as `run_sweep`.
    """
    provenance = by_a_search(source.courses)
    failed = 0
    if source.finished:
        store.write_spec(dump_spec(prepared.spec))
    else:
        before = _before(store.trials(), store.accuracy(), store.tasks())
        progress = TuningProgress(source, begun=before.keys(), tasks=partial(_n_tasks, prepared))
        failed = _run(prepared, source, store, progress, options, before=before, provenance=provenance)
    with held(store.root, notice=Console().print):
        say_so(store, source.known_trials(), provenance)
    return failed


def _run(
    prepared: Prepared,
    work: Sequence[Trial] | Source,
    store: Store,
    progress: View,
    options: Options,
    *,
    before: Mapping[str, Before],
    provenance: Provenance,
) -> int:
    trials = work if isinstance(work, Sequence) else work.trials
    command = _command(store.root)
    every_s = options.checkpoint_every_s
    checkpoints = None if every_s is None else Checkpoints(store.root / "checkpoints", every_s)
    writer = Writer(options.patience_s, progress.storage_trouble)
    if options.local:
        _check_gpu(trials)
    with (
        interruptible() as interruption,
        held(store.root, on_lost=writer.abandon, notice=Console().print),
        nullcontext((Console(), run_local, None))
        if options.local
        else _on_ray(trials, store.root, options, checkpoints, writer, interruption) as (
            console,
            run,
            in_use,
        ),
        shown(progress, console, in_use) as leave_view,
    ):
        interruption.last_words = leave_view
        store.write_spec(dump_spec(prepared.spec))
        recorder = Recorder(
            store,
            writer,
            prepared.spec.name,
            prepared.streams,
            progress,
            in_process=options.local,
            before=before,
            checkpoints=checkpoints,
            command=command,
            provenance=provenance,
        )
        try:
            run(work, prepared.data, recorder, checkpoints)
            writer.flush()
        except KeyboardInterrupt:
            leave_view()
            if undone := writer.leave(within_s=LEAVE_WITHIN_S):
                console.print(
                    f"warning: the last rows of {undone} trials could not be written; they run again"
                )
            raise
    return recorder.failed


def _command(root: Folder) -> dict[str, Any]:
    """What the rows of all trials that this command runs into *root* have in common."""
    started_at, code = datetime.now(UTC), of_the_command(root)
    return {"driver_started_at": started_at, "git_commit": code.commit, "git_dirty": code.dirty}


def _n_tasks(prepared: Prepared, trial: Trial) -> int:
    return prepared.streams[scenario_key(trial)].n_tasks


def _before(rows: pa.Table, accuracy: pa.Table, tasks: pa.Table) -> dict[str, Before]:
    """What earlier runs left of each trial in the three tables."""
    counts = tasks["trial_id"].value_counts().to_pylist()
    learned = {count["values"]: count["counts"] for count in counts}
    scored = set(accuracy["trial_id"].unique().to_pylist())
    attempts = zip(*(rows[name].to_pylist() for name in ("trial_id", "attempts")), strict=True)
    running = rows.filter(pc.equal(rows["status"], string(RUNNING)))
    unended = {row["trial_id"]: row for row in to_rows(running)}
    return {
        trial_id: Before(
            count, learned.get(trial_id, 0) + 1 if trial_id in scored else 0, unended.get(trial_id, {})
        )
        for trial_id, count in attempts
    }


Run = Callable[[Sequence[Trial] | Source, Data, Recorder, Checkpoints | None], None]


def _check_gpu(trials: Sequence[Trial]) -> None:
    if any(trial.resources.gpu for trial in trials) and not torch.cuda.is_available():
        raise ResourceError("resources: a trial asks for a GPU, but PyTorch finds none on this machine")


@contextmanager
def _on_ray(
    trials: Sequence[Trial],
    root: Folder,
    options: Options,
    checkpoints: Checkpoints | None,
    writer: Writer,
    interruption: Interruption,
) -> Iterator[tuple[Console, Run, Callable[[], str] | None]]:
    # `--local` must not need Ray.
    from orchestrator.cluster import connected  # noqa: PLC0415 - loads Ray to connect to it
    from orchestrator.live_cluster import in_use  # noqa: PLC0415 - asks Ray what is in use
    from orchestrator.liveness import watched  # noqa: PLC0415 - watches Ray's processes
    from orchestrator.on_ray import run_on_ray  # noqa: PLC0415 - its trials are Ray's actors

    storage = checkpoints.folder if checkpoints else None
    with chatter_to(ray_log(root)) as console, connected(trials, options.address, storage) as warnings:
        for warning in warnings:
            console.print(f"warning: {warning}", highlight=False, soft_wrap=True)
        with watched(partial(_end, console, root, writer, interruption)):
            yield console, partial(run_on_ray, interruption=interruption, retries=options.retries), in_use


def _end(console: Console, root: Folder, writer: Writer, interruption: Interruption, why: str) -> None:
    """End this process, whose main thread may hang in a call to Ray that nothing can interrupt."""
    writer.leave(within_s=LEAVE_WITHIN_S)
    interruption.last_words()
    console.print(
        f"clsweep: {why}. Everything finished is in {root}; the same command continues.",
        highlight=False,
        soft_wrap=True,
    )
    console.file.flush()
    os._exit(1)
