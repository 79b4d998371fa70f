"""One trial, from its description to its reports: what a worker runs, and what `--local` runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from cl.building import labels_of
from cl.datasets import Dataset
from cl.methods import make_method
from cl.registry import METHODS, TrainSettings, model_settings
from cl.streams import make_stream
from cl.training import TaskReport, learn
from sweeps.trials import Trial


def reports_of(trial: Trial, data: Sequence[Dataset]) -> Iterator[TaskReport]:
    """Run *trial* on *data*, yielding the untrained model's report and one per task.

    Sets this process's torch thread count: with one thread the numbers are the same bit for bit wherever
    the trial runs on the same kind of processor.
    """
    torch.set_num_threads(trial.resources.threads)
    train = TrainSettings.model_validate(trial.train)
    scenario = trial.scenario
    model = model_settings(trial.model, scenario.kind, METHODS[trial.method])
    stream = make_stream(
        labels_of(model.name, scenario.kind),
        scenario.stream,
        scenario.settings,
        data,
        seed=trial.seed,
        val_share=train.val_share,
    )
    return learn(
        stream,
        make_method(trial.method, trial.hyperparameters),
        model=model,
        train=train,
        seed=trial.seed,
        device=trial.resources.device_type,
    )
