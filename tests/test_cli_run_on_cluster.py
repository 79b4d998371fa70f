"""A sweep on several nodes that share only an object store: spread, losing a node, stopped as a job."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
from commands import clsweep, outside, process, spec, wait_until
from object_storage import ObjectStorage
from raylets import Raylets, raylets

from results.store import Store, StoreError, open_run

SWEEP = """
name: tiny
seeds: 3
scenarios: [{kind: class-il, stream: split-digits, tasks: 4}]
methods: [naive, ewc, gem: {memory_per_task: 20}, replay: {buffer_size: 50}]
model: {hidden: [16]}
train: {iterations: 2000}
"""


@pytest.fixture(scope="module")
def cluster():
    with pytest.MonkeyPatch.context() as patched:
        for name, value in ObjectStorage.ENVIRONMENT.items():  # the nodes have the keys, as by a role
            patched.setenv(name, value)
        with raylets(dashboard=True) as cluster:
            yield cluster


@pytest.fixture
def nodes(cluster):
    """Two nodes of one CPU each."""
    both = [cluster.add(), cluster.add()]
    yield both
    for node in both:
        cluster.kill(node)


@pytest.fixture
def storage(s3, tmp_path, monkeypatch):
    """An empty place in the object store; the current folder is empty too."""
    monkeypatch.chdir(tmp_path)
    return s3.uri(f"{s3.bucket()}/{uuid4().hex}")


def run_in(storage: str, name: str = "tiny") -> str:
    place, _, options = storage.partition("?")
    return f"{place}/{name}?{options}"


def statuses(storage: str) -> Counter[str]:
    try:
        return Counter(open_run(run_in(storage)).statuses().values())
    except StoreError:
        return Counter()


def test_trials_spread_over_nodes_and_those_of_a_lost_node_go_on_elsewhere(
    cluster: Raylets, nodes: list[str], storage: str
) -> None:
    command = ("run", spec(SWEEP), "--address", cluster.address, "--storage", storage, "--retries", "0")
    with process(*command, "--checkpoint-every", "0") as running:
        wait_until(lambda: running.poll() is not None or statuses(storage)["complete"] >= 4)
        cluster.kill(nodes[0])
        nodes[0] = cluster.add()
        out, err = running.communicate(timeout=200)
    assert running.returncode == 0, out + err
    rows = open_run(run_in(storage)).trials().to_pylist()
    assert Counter(row["status"] for row in rows) == {"complete": 12}
    assert max(row["attempts"] for row in rows) == 2, (
        "one was on the node, and a lost node is no failure of its own"
    )
    by_start = sorted((row["started_at"], row["ended_at"]) for row in rows)
    assert any(start < ended for (_, ended), (start, _) in pairwise(by_start)), "one CPU each: two at a time"
    assert "the cluster asks for no token" in out
    assert clsweep("run", "tiny.yaml", "--local", "--storage", "here").exit_code == 0
    assert open_run(run_in(storage)).accuracy().equals(Store("here/tiny").accuracy()), "bit for bit"
    assert sorted(path.name for path in Path("runs").rglob("*")) == ["ray.log", "tiny"], "nothing but a log"


def test_storage_that_the_nodes_do_not_share_is_refused_unless_trials_may_start_over(
    cluster: Raylets, nodes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert nodes
    monkeypatch.chdir(tmp_path)
    # A path that is another folder to every process, as a local path is to every machine.
    short = spec(SWEEP.replace("iterations: 2000", "iterations: 2"))
    command = ("run", short, "--address", cluster.address, "--storage", "/proc/self/cwd/own")
    with process(*command) as refused:
        out, err = refused.communicate(timeout=100)
    assert refused.returncode == 2, out
    assert "not every machine of the cluster can use /proc/self/cwd/own/tiny/checkpoints" in err
    assert err.count("it does not see what other machines write there") == 2, "one line per node"
    assert "--no-checkpoints if a trial that is interrupted may start over" in err
    assert "Traceback" not in out + err
    with process(*command, "--no-checkpoints") as accepted:
        out, err = accepted.communicate(timeout=100)
    assert accepted.returncode == 0, out + err
    assert Counter(Store("own/tiny").statuses().values()) == {"complete": 12}
    assert not list(Path("own/tiny/checkpoints").glob("*"))


def test_a_job_that_is_stopped_keeps_what_is_finished_and_the_next_one_continues(
    cluster: Raylets, nodes: list[str], storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert nodes
    monkeypatch.setattr("sys.path", [*sys.path])
    from ray.job_submission import JobStatus, JobSubmissionClient  # noqa: PLC0415 - takes a second

    Path("job").mkdir()
    spec(SWEEP, "job/tiny.yaml")
    client = JobSubmissionClient(cluster.jobs)
    entrypoint = f"{sys.executable} -m cli run tiny.yaml --address auto --storage '{storage}'"
    environment = {"PYTHONPATH": outside()["PYTHONPATH"], **ObjectStorage.ENVIRONMENT}

    def submitted() -> str:
        runtime = {"working_dir": "job", "env_vars": environment}
        job: str = client.submit_job(entrypoint=entrypoint, runtime_env=runtime)
        return job

    first = submitted()
    wait_until(lambda: statuses(storage)["complete"] >= 1 or client.get_job_status(first).is_terminal())
    start = time.monotonic()
    client.stop_job(first)
    wait_until(lambda: client.get_job_status(first).is_terminal())
    assert time.monotonic() - start < 5, "Ray kills a job that takes longer than three seconds"
    log = client.get_job_logs(first)
    assert client.get_job_status(first) == JobStatus.STOPPED, log
    assert "Interrupted. Everything finished is in s3://" in log
    stopped = statuses(storage)
    assert 1 <= stopped["complete"] < 12, log

    second = submitted()
    wait_until(lambda: client.get_job_status(second).is_terminal())
    log = client.get_job_logs(second)
    assert client.get_job_status(second) == JobStatus.SUCCEEDED, log
    assert f"12 trials, {stopped['complete']} of them done before" in log
    assert statuses(storage) == {"complete": 12}
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in log
