"""One trial, from its description to its reports: what a worker runs, and what `--local` runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import torch

from cl.building import labels_of, make_model
from cl.datasets import Dataset
from cl.methods import Method, make_method
from cl.registry import ModelSettings, TrainSettings, method_entry, model_entry, model_name, plugins
from cl.streams import Stream, make_stream
from cl.trainer import Trainer
from cl.training import TaskReport, learn_task, make_trainer, score_untrained
from orchestrator.checkpoints import Checkpoints, Saved
from results.storage import StoreError
from sweeps.trials import Trial

Data = Mapping[tuple[str, ...], Sequence[Dataset]]
"""What trials learn from: the data sets of each scenario, by their names."""


@dataclass(frozen=True)
class Progress:
    """What a trial has to say once it has learned a task."""

    reports: tuple[TaskReport, ...]
    """The untrained model's and one per task so far."""
    checkpoint: bool
    """Whether it has a checkpoint."""
    trouble: str | None = None
    """Why the last one could not be written."""


def course_of(
    trial: Trial,
    data: Sequence[Dataset],
    checkpoints: Checkpoints | None = None,
    until: int | None = None,
) -> Iterator[Progress]:
    """Run *trial* on *data*, from its last checkpoint on if there is one.

    Yields whenever the model has been scored: untrained, and after every task. After *until* tasks it pauses:
    its state is saved, and another call goes on from there.

    Sets this process's torch thread count: with one thread the numbers are the same bit for bit wherever
    the trial runs on the same kind of processor.
    """
    torch.set_num_threads(trial.resources.threads)
    for name, digest in trial.plug_ins.items():
        if plugins.source_digest(name) != digest:
            raise ValueError(f"the source of {name} on this machine is not that of the plan")
    stream = stream_of(trial, data)
    trainer, reports = _resumed(trial, stream, checkpoints)
    kept = bool(reports)
    if not reports:
        reports = [score_untrained(trainer, stream)]
        yield Progress(tuple(reports), checkpoint=False)
    elif until is not None and len(reports) > until:  # it paused here, and nobody heard of it
        yield Progress(tuple(reports), checkpoint=True)
    if checkpoints:
        checkpoints.begin()
    for task in range(len(reports) - 1, min(until or stream.n_tasks, stream.n_tasks)):
        reports.append(learn_task(trainer, stream, task))
        trouble = None
        pauses = task + 1 == until
        if checkpoints and task < stream.n_tasks - 1 and (pauses or checkpoints.due()):
            try:
                checkpoints.save(trial.id, Saved(tuple(reports), trainer.state()))
                kept = True
            except StoreError as error:  # the rows are what counts, and they go another way
                trouble = str(error)
        yield Progress(tuple(reports), kept, trouble)


def reports_of(trial: Trial, data: Sequence[Dataset]) -> Iterator[TaskReport]:
    """Run *trial* on *data*, yielding the untrained model's report and one per task."""
    return (progress.reports[-1] for progress in course_of(trial, data))


def _resumed(
    trial: Trial, stream: Stream, checkpoints: Checkpoints | None
) -> tuple[Trainer, list[TaskReport]]:
    """A trainer where the trial's last checkpoint left it, and its reports; a new one without any."""
    saved = checkpoints.latest(trial.id, trial.resources.device_type) if checkpoints else None
    if saved:
        trainer = _trainer_of(trial, stream)
        with suppress(Exception):  # left by another version: the trial starts over
            trainer.load_state(saved.trainer)
            return trainer, list(saved.reports)
    return _trainer_of(trial, stream), []


def _trainer_of(trial: Trial, stream: Stream) -> Trainer:
    return make_trainer(
        stream,
        method_of(trial),
        model=model_of(trial),
        train=TrainSettings.model_validate(trial.train),
        seed=trial.seed,
        device=trial.resources.device_type,
    )


def method_of(trial: Trial) -> Method:
    """The method of *trial*, before its first task."""
    return make_method(trial.method, plugins.own(trial.hyperparameters))


def model_of(trial: Trial) -> ModelSettings:
    """The settings of the model that *trial* trains, by its own name."""
    name = model_name(trial.model["name"], trial.scenario.kind, method_entry(trial.method))
    values = {**plugins.own(trial.model), "name": name}
    return model_entry(name).settings.model_validate(values)


def stream_of(trial: Trial, data: Sequence[Dataset]) -> Stream:
    """The stream of *trial* over *data*, with the labels that its model learns.

    Raises:
        StreamError: this data cannot be divided or turned as the scenario asks.
    """
    scenario = trial.scenario
    return make_stream(
        labels_of(model_of(trial).name, scenario.kind),
        scenario.stream,
        plugins.own(scenario.settings),
        data,
        seed=trial.seed,
        val_share=trial.train["val_share"],
    )


def check_model(trial: Trial, stream: Stream) -> None:
    """Raise what making the model of *trial* for *stream* would raise; perceptrons take any data.

    Raises:
        ValueError: the model cannot work on this data.
    """
    settings = model_of(trial)
    model = plugins.implementation(model_entry(settings.name).implementation)
    if hasattr(model, "check"):
        model.check(settings, stream)
    elif plugins.is_plug_in(settings.name):
        with _named(settings.name):
            make_model(settings, stream)


def check_method(trial: Trial, outputs: int) -> None:
    """Raise what making the method of *trial* for tasks that bring so many *outputs* in all would raise.

    Raises:
        ValueError: the method cannot be made, or cannot learn so many outputs with these hyperparameters.
    """
    with _named(trial.method):
        entry = method_entry(trial.method)
        entry.settings.model_validate(plugins.own(trial.hyperparameters)).check(outputs)
        if plugins.is_plug_in(trial.method):
            method_of(trial)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Let what goes wrong say that it is *name*'s; a plug-in may raise anything."""
    try:
        yield
    except Exception as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"{name}: {kind}{error}") from error
