"""Trials on a real Ray: the numbers of a run in this process, through lost workers and wrong requests."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import ray

from cl.datasets import Dataset, content_digest
from orchestrator.local import run_local
from orchestrator.on_ray import ClusterError, connected, run_on_ray
from orchestrator.outcome import Outcome
from orchestrator.recording import Recorder
from orchestrator.sweep import Prepared, prepare
from results.store import Store
from sweeps.spec import load_spec
from sweeps.trials import Trial


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """One local Ray for all tests of this file, since each start takes seconds."""
    with connected([]):
        yield


def test_x(tmp_path):
    (tmp_path / "t.yaml").write_text("{seeds: 2, scenarios: [class-il/split-digits], methods: [naive, ewc], model: {hidden: [16]}, train: {iterations: 5}}")
    prepared = prepare(load_spec(str(tmp_path / "t.yaml")))
    import psutil
    class W:
        def started(self, trial): pass
        def reported(self, trial, outcome):
            print(trial.method, outcome.status, [p.cmdline() for p in psutil.Process().children(recursive=True) if p.name().startswith("ray::")])
    store = Store(tmp_path / "run")
    rec = Recorder(store, "t", prepared.tasks, W())
    run_on_ray(prepared.plan.trials, prepared.data, rec)
    print(store.trials().to_pylist())
    print(ray.get_runtime_context().gcs_address, os.environ.get("RAY_AUTH_MODE"))
    assert 0
