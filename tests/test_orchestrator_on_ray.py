"""Trials on a real Ray: the numbers of a run in this process, lost workers, signals and wrong requests."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from pathlib import Path

import pytest
import ray
from commands import TINY, process, spec, store, wait_until
from made import Watching, recorder
from ray._common.usage.usage_lib import usage_stats_enabled

from cl.datasets import content_digest
from cl.registry import METHODS
from cl.training import Score, TaskReport
from orchestrator import on_ray
from orchestrator.checkpoints import Checkpoints
from orchestrator.cluster import connected
from orchestrator.errors import ResourceError
from orchestrator.local import run_local
from orchestrator.on_ray import run_on_ray
from orchestrator.outcome import Outcome
from orchestrator.preparation import prepare
from results.schema import COMPLETE
from results.storage import Folder
from results.store import Store
from sweeps.spec import load_spec

EVERY_METHOD_AND_KIND = f"""
name: all
seeds: 1
scenarios:
  - {{kind: task-il, stream: split-digits, tasks: 3}}
  - {{kind: domain-il, stream: permuted-digits, tasks: 3}}
  - {{kind: class-il, stream: rotated-digits, tasks: 3, normalize: true}}
methods: [{", ".join(METHODS)}]
model: {{hidden: [16]}}
train: {{iterations: 10, lr: 0.1, val_share: 0.1}}
"""

# Every ending: a loss that is not finite, and a method that raises.
EVERY_ENDING = """
name: endings
seeds: 1
scenarios: [{kind: class-il, stream: split-digits, tasks: 3}]
methods: [naive, "mine:Breaks"]
model: {hidden: [16]}
train: {iterations: 10, clip_norm: null, lr: {grid: [0.1, 1.0e30]}}
"""


BREAKS = '''
from cl.methods import Method


class Breaks(Method):
    """Break at once."""

    def begin_task(self, learner, data):
        raise MemoryError("no room")
'''


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """One local Ray for all tests of this file, since each start takes seconds; its address."""
    with connected([]):
        yield ray.get_runtime_context().gcs_address


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(text, watcher=None, retries=2, name="on-ray", report_every_s=0.0):
    """Run a sweep on the cluster, each trial saved and reported after every task; its store and recorder."""
    prepared = prepare(load_spec(spec(text)))
    checkpoints = Checkpoints(Folder.at("checkpoints"), every_s=0)
    recording = recorder(Store(name), prepared.streams, watcher)
    run_on_ray(
        prepared.plan.trials,
        prepared.data,
        recording,
        checkpoints,
        retries=retries,
        report_every_s=report_every_s,
    )
    recording.writer.flush()
    return prepared, recording


def run_here(prepared):
    """The store of the same sweep, run in this process and undisturbed."""
    recording = recorder(Store("here"), prepared.streams, in_process=True)
    run_local(prepared.plan.trials, prepared.data, recording)
    recording.writer.flush()
    return recording.store


def children(ask):
    """The processes of this Ray, each with what it answers, without those that end meanwhile."""
    import psutil  # noqa: PLC0415 - comes with Ray and can be imported once Ray is

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one too
            yield child, ask(child)


def workers():
    """The processes of this Ray in which trials run."""
    return (
        child for child, name in children(lambda child: child.name()) if name.startswith("ray::TrialActor")
    )


def test_a_sweep_on_ray_equals_the_same_in_this_process_bit_for_bit(monkeypatch):
    put, references = ray.put, []
    monkeypatch.setattr(ray, "put", lambda value: references.append(put(value)) or references[-1])
    prepared, on_ray = run(EVERY_METHOD_AND_KIND)
    here = run_here(prepared)
    trials = 3 * len(METHODS) - 4  # pnn and packnet need task ids, which two kinds do not have
    assert Counter(on_ray.store.statuses().values()) == {"complete": trials}
    assert on_ray.store.accuracy().num_rows == trials * 2 * 3 * 4, "test and validation, T (T + 1)"
    assert on_ray.store.accuracy().equals(here.accuracy())
    losses = [(row["trial_id"], row["task"], row["loss"]) for row in here.tasks().to_pylist()]
    assert [(r["trial_id"], r["task"], r["loss"]) for r in on_ray.store.tasks().to_pylist()] == losses

    [[digits]] = prepared.data.values()
    shared = [part for value in ray.get(references) if isinstance(value, list) for part in value]
    assert [content_digest(part) for part in shared] == [digits.digest], "put once, and not written to"


def test_short_tasks_are_reported_together_and_no_row_is_missing():
    watching = Watching()
    prepared, recording = run(TINY, watching, report_every_s=600)
    assert Counter(word for _, word in watching.told) == {"started": 8, "complete": 8}
    here = run_here(prepared)
    assert recording.store.accuracy().equals(here.accuracy())
    assert recording.store.tasks()["task"].to_pylist() == here.tasks()["task"].to_pylist()


class Killing(Watching):
    """Kills the worker of certain trials, by seed, as often as told, each time they have learned a task."""

    def __init__(self, times):
        super().__init__()
        self.times = dict(times)
        self.begun_with = {}
        """By seed, the tasks learned in the first report after each start."""

    def started(self, trial):
        """Expect the first report."""
        super().started(trial)
        self.begun_with.setdefault(trial.seed, []).append(None)

    def reported(self, trial, outcome):
        """Kill the workers if it is time."""
        super().reported(trial, outcome)
        if self.begun_with[trial.seed][-1] is None:
            self.begun_with[trial.seed][-1] = len(outcome.reports) - 1
        if outcome.status == "running" and self.times.get(trial.seed, 0):
            self.times[trial.seed] -= 1
            for worker in workers():
                worker.kill()


def one_at_a_time():
    """A sweep of naive whose trials take all CPUs each, so that the worker that is killed is its own."""
    cpus = ray.cluster_resources()["CPU"]
    return TINY.replace("seeds: 2", "seeds: 3").replace(
        "methods: [naive, joint, ewc, replay: {buffer_size: 50}]",
        f"methods: [naive]\nresources: {{cpu: {cpus}}}",
    )


def matrix(store, seed):
    return [row for row in store.accuracy().to_pylist() if row["seed"] == seed]


def test_a_trial_whose_worker_is_killed_goes_on_at_its_next_task_and_beyond_its_retries_has_failed():
    killing = Killing({0: 2, 1: 99})
    prepared, recording = run(one_at_a_time(), killing, retries=2)
    rows = {row["seed"]: row for row in recording.store.trials().to_pylist()}
    assert {seed: (row["status"], row["attempts"]) for seed, row in rows.items()} == {
        0: ("complete", 3),
        1: ("complete", 3),
        2: ("complete", 1),
    }, "three tasks, of which two can be followed by a loss"
    assert killing.begun_with == {0: [1, 2, 3], 1: [1, 2, 3], 2: [1]}, "no task is learned twice"
    here = run_here(prepared)
    assert recording.store.accuracy().equals(here.accuracy()), "each row once, and as if nothing had happened"


def test_a_trial_whose_worker_dies_more_often_than_is_retried_has_failed_and_the_sweep_goes_on():
    prepared, recording = run(one_at_a_time(), Killing({1: 99}), retries=1)
    rows = {row["seed"]: row for row in recording.store.trials().to_pylist()}
    assert {seed: (row["status"], row["attempts"]) for seed, row in rows.items()} == {
        0: ("complete", 1),
        1: ("failed", 2),
        2: ("complete", 1),
    }
    assert recording.failed == 1
    assert rows[1]["error_cause"] == "the trial's process died"
    assert "worker process has died" in rows[1]["error"]
    here = run_here(prepared)
    assert matrix(recording.store, 1) == matrix(here, 1)[:9], "up to the second task"


def test_a_trial_that_waits_for_its_next_process_is_not_counted_as_running():
    killing = Killing({0: 1})
    run(one_at_a_time(), killing)
    [first, *_] = killing.told
    told = [word for trial_id, word in killing.told if trial_id == first[0]]
    assert told == ["started", "running", "waiting", "started", "running", "complete"]


def test_short_trials_run_side_by_side_though_the_second_process_starts_slowly(tmp_path, monkeypatch):
    prepared = prepare(load_spec(spec(), ["seeds=5"]))
    pids = tmp_path / "pids"
    pids.mkdir()

    class Slow(on_ray.TrialActor):
        """Only the first process is quick to start."""

        def setup(self, config, **given):
            try:
                os.close(os.open(tmp_path / "first", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                time.sleep(2)
            super().setup(config, **given)

    def sleeping(trial, data, checkpoints, until):
        del trial, data, checkpoints, until
        (pids / str(os.getpid())).touch()
        time.sleep(0.2)
        scores = tuple(Score(task, "test", 0.5, 10) for task in range(3))
        yield Outcome((TaskReport(-1, scores), TaskReport(0, scores)), COMPLETE)

    monkeypatch.setattr(on_ray, "TrialActor", Slow)
    recording = recorder(Store("slow"), prepared.streams)
    run_on_ray(prepared.plan.trials, prepared.data, recording, run=sleeping)
    assert len(list(pids.iterdir())) > 1


def test_every_port_of_a_local_ray_is_reachable_from_this_machine_only():
    listening = [
        connection.laddr.ip
        for _, connections in children(lambda child: child.net_connections("inet"))
        for connection in connections
        if connection.status == "LISTEN"
    ]
    assert len(listening) >= 4
    assert {ip.removeprefix("::ffff:") for ip in listening} <= {"127.0.0.1", "::1"}


def test_a_local_ray_runs_nothing_that_only_looks_for_what_is_never_there():
    commands = [" ".join(command) for _, command in children(lambda child: child.cmdline())]
    assert any("gcs_server" in command for command in commands)
    for name in ("dashboard/dashboard.py", "autoscaler/_private/monitor.py", "log_monitor.py"):
        assert not any(name in command for command in commands), name


def test_a_local_ray_does_not_report_its_use():
    assert not usage_stats_enabled()


def test_rays_token_can_be_read_by_its_owner_only():
    assert (Path.home() / ".ray/auth_token").stat().st_mode & 0o077 == 0


def test_a_command_joins_the_cluster_and_records_every_ending(cluster):
    Path("mine.py").write_text(BREAKS)
    command = ("run", spec(EVERY_ENDING), "--address", cluster, "--allow-plugins")
    with process(*command, RAY_AUTH_MODE="token") as running:
        joined = False
        while running.poll() is None:
            joined = joined or any(workers())
            time.sleep(0.05)
        out, err = running.stdout.read(), running.stderr.read()
    assert running.returncode == 1, err
    assert joined, "its trials ran in workers of this Ray"
    assert ray.is_initialized()
    rows = store("endings").trials().to_pylist()
    assert Counter(row["status"] for row in rows) == {"complete": 1, "diverged": 1, "failed": 2}
    assert {row["attempts"] for row in rows} == {1}, "an exception is recorded at once and not retried"
    assert {dict(row["packages"])["ray"] for row in rows} == {ray.__version__}, "as its workers said"
    assert len({row["driver_started_at"] for row in rows} - {None}) == 1
    assert "2 trials failed: MemoryError: no room" in out
    assert "4/4 trials, 0 running, 2 failed, 1 diverged" in out
    assert "\x1b" not in out


def test_a_termination_signal_keeps_what_is_finished_and_says_how_to_continue(cluster):
    slow = TINY.replace("iterations: 5", "iterations: 300")
    running = process("run", spec(slow), "--address", cluster, RAY_AUTH_MODE="token")
    wait_until(lambda: "complete" in store().statuses().values())
    running.terminate()
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert f"the same command continues:\n  clsweep run tiny.yaml --address {cluster}" in out
    assert "Traceback" not in out + err
    statuses = Counter(store().statuses().values())
    assert 1 <= statuses["complete"] < 8
    assert store().accuracy().num_rows >= 12 * statuses["complete"]
    wait_until(lambda: not any(workers()))


def test_rows_that_cannot_be_written_end_the_sweep_with_their_place(cluster):
    slow = spec(TINY.replace("iterations: 5", "iterations: 300"))
    running = process("run", slow, "--address", cluster, "--patience", "1", RAY_AUTH_MODE="token")
    wait_until(lambda: "complete" in store().statuses().values())
    Path("runs/tiny/accuracy").rename("elsewhere")
    Path("runs/tiny/accuracy").write_text("a file where a folder should be")
    out, err = running.communicate(timeout=100)
    assert running.returncode == 1, err
    assert "clsweep: cannot write runs/tiny/accuracy/" in err
    assert "Every trial that was reported as done is safe; the same command continues." in err
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", r"no Ray cluster at '127.0.0.1:1': .*refused"),
    ],
)
def test_a_cluster_that_cannot_be_joined_is_refused_at_once(address, message):
    start = time.monotonic()
    with pytest.raises(ResourceError, match=message), connected([], address):
        pass
    assert time.monotonic() - start < 5


def test_a_cluster_that_wants_a_token_is_refused_with_the_way_to_give_it(cluster, monkeypatch):
    def unauthenticated(**_):
        raise ConnectionError(f"Failed to connect to Ray cluster at {cluster}")

    monkeypatch.setattr(ray, "init", unauthenticated)
    monkeypatch.delenv("RAY_AUTH_MODE")
    with pytest.raises(ResourceError, match="set RAY_AUTH_MODE=token"), connected([], cluster):
        pass


def test_a_request_that_no_node_can_serve_is_refused_with_what_there_is(cluster):
    asking = process("run", spec(), "--address", cluster, "--set", "resources.gpu=8", RAY_AUTH_MODE="token")
    out, err = asking.communicate(timeout=60)
    assert asking.returncode == 2, out
    largest = max(node["Resources"]["CPU"] for node in ray.nodes())
    assert f"asks for cpu 1 and gpu 8, but the largest node has cpu {largest:g} and gpu " in err
    assert "Traceback" not in out + err
    assert store().statuses() == {}
