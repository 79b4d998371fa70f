"""How long a sweep should take: from timings of earlier trials, or from a short run of the real loop."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice

import numpy as np

from cl.datasets import Dataset
from cl.registry import TrainSettings, method_entry, plugins
from cl.trainer import planned_steps
from orchestrator.identity import ScenarioKey, StreamFacts, columns_of, scenario_key
from orchestrator.trial import Data, reports_of
from sweeps.trials import Trial

CALIBRATION_STEPS = 30
RAY_START_S = 8.0
"""Starting Ray and the first workers, which import torch; seen on two cores, part of any first estimate."""

_ALIKE = ("scenario", "scenario_settings", "method", "model", "train")
"""Trials that agree in these columns should take about the same time."""


@dataclass(frozen=True)
class Estimate:
    """Expected seconds of training, and how many trials they were measured on."""

    seconds: float
    measured: int
    """Trials whose time comes from earlier trials rather than from the calibration."""
    parallel: int
    """Trials that run at the same time."""

    @property
    def wall_s(self) -> float:
        """Expected wall-clock seconds of the sweep."""
        return RAY_START_S + self.seconds / self.parallel if self.seconds else 0.0


def steps_of(trial: Trial, data: Sequence[Dataset], tasks: int) -> int:
    """Optimiser steps that *trial* takes over its *tasks*, task sizes taken as equal."""
    train = TrainSettings.model_validate(trial.train)
    examples = sum(len(part.y_train) for part in data)
    if trial.scenario.stream == "explicit":
        examples //= tasks
    elif trial.scenario.stream == "split":
        examples = examples * int(trial.scenario.settings["classes_per_task"]) // _classes(data[0])
    examples = round(examples * (1 - train.val_share))
    seen = range(1, tasks + 1) if method_entry(trial.method).cumulative else [1] * tasks
    return sum(planned_steps(train, examples * k, k) for k in seen)


@cache
def _classes(data: Dataset) -> int:
    return len(np.unique(data.y_train))


def work_of(trial: Trial, data: Sequence[Dataset], tasks: int) -> float:
    """How much work *trial* is, in steps of plain fine-tuning: good enough to share out the time left."""
    settings = method_entry(trial.method).settings.model_validate(plugins.own(trial.hyperparameters))
    return steps_of(trial, data, tasks) * settings.work


def estimate(
    trials: Sequence[Trial],
    data: Data,
    streams: Mapping[ScenarioKey, StreamFacts],
    timings: Iterable[Mapping[str, object]],
) -> Estimate:
    """Estimate *trials* from *timings* (rows of the trials table) where they fit, else by calibration."""
    known: defaultdict[Hashable, list[float]] = defaultdict(list)
    for row in timings:
        if row["status"] == "complete":
            key = tuple(row[name] for name in _ALIKE)
            known[key].append(float(str(row["train_s"])) + float(str(row["eval_s"])))
    calibrated: dict[Hashable, float] = {}
    seconds, measured = 0.0, 0
    for trial in trials:
        values = columns_of(trial)
        key = tuple(values[name] for name in _ALIKE)
        if key in known:
            seconds += sum(known[key]) / len(known[key])
            measured += 1
            continue
        if key not in calibrated:
            calibrated[key] = _calibrate(trial, data[trial.data], streams[scenario_key(trial)].n_tasks)
        seconds += calibrated[key]
    return Estimate(seconds, measured, _parallel(trials))


def _calibrate(trial: Trial, data: Sequence[Dataset], tasks: int) -> float:
    """Seconds that *trial* should take, from a few real steps on its first two tasks."""
    short = replace(trial, train=trial.train | {"epochs": None, "iterations": CALIBRATION_STEPS})
    try:
        first, *_, last = islice(reports_of(short, data), 3)
    except Exception:  # noqa: BLE001 - diverged or failed: the sweep will record it, and it ends as fast there
        return 0.0
    per_step = last.train_s / max(last.steps, 1)
    return per_step * steps_of(trial, data, tasks) + first.eval_s * (tasks + 1)


def _parallel(trials: Sequence[Trial]) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    largest = max((trial.resources.cpu for trial in trials), default=1.0)
    return max(1, min(int(cores / largest) if largest else cores, len(trials)))
