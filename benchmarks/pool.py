"""A bare pool of processes that runs trials: the least that anything running them in parallel costs.

A module of its own, since every spawned process imports it: it needs nothing but what a trial needs.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from pathlib import Path

from cl.datasets import Dataset, load
from cl.training import TaskReport
from orchestrator.trial import reports_of
from sweeps.trials import Trial

PROCESSES = 2

_loaded: dict[tuple[str, ...], Sequence[Dataset]] = {}
"""The data sets of a process of the pool."""


def run_in_pool(trials: Sequence[Trial], data_dir: Path | None) -> None:
    """Run *trials*, all over the same data, from spawning processes to the last report."""
    with multiprocessing.get_context("spawn").Pool(
        PROCESSES, initializer=_load, initargs=(trials[0].scenario.data, data_dir)
    ) as pool:
        reports = list(pool.imap_unordered(_run, trials))
        assert len(reports) == len(trials)


def _load(names: tuple[str, ...], data_dir: Path | None) -> None:
    _loaded[names] = [load(name, data_dir) for name in names]


def _run(trial: Trial) -> list[TaskReport]:
    return list(reports_of(trial, _loaded[trial.scenario.data]))
