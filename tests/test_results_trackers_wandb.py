"""W&B's offline runs, read back by W&B's own commands; and that neither it nor MLflow asks the network."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tracked import ANEW, COMPLETE, DIVERGED, LATER, RUNNING, START

from results.storage import StoreError
from results.trackers.mlflow_store import write_mlflow
from results.trackers.wandb_offline import write_wandb

FOLDER = "wandb/offline-run-20260101_120000-aaaa"


def wandb(*arguments: str, folder: Path) -> str:
    """What W&B's own command prints."""
    own = folder.with_name("of-wandb")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "wandb"), *arguments],
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_MODE": "offline",
            **dict.fromkeys(("HOME", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"), str(own)),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout


def records(folder: Path, run: str = FOLDER) -> list[dict[str, Any]]:
    """What is in a run's file."""
    lines = wandb("leet", "inspect", "--json", run, folder=folder).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def summary(folder: Path, run: str = FOLDER) -> dict[str, Any]:
    """What W&B makes of a run's file."""
    text = wandb("leet", "inspect", "--summary", "--json", run, folder=folder)
    found: dict[str, Any] = json.loads(text[text.index("{") :])
    return found


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both trials."""
    folder = tmp_path_factory.mktemp("exported") / "out"
    assert write_wandb([COMPLETE, DIVERGED], folder)[1:] == (2, 0, 0)
    return folder


def test_a_run_is_its_trial(exported):
    found = summary(exported)
    assert (found["run_id"], found["project"], found["name"]) == ("aaaa", "digits", COMPLETE.name)
    assert found["tags"] == ["class-il/split-digits", "ewc", "complete"]
    assert found["config"] == {**COMPLETE.params, "clsweep": COMPLETE.tags}
    assert (found["state"], found["exit_code"]) == ("finished", 0)
    assert COMPLETE.final.items() <= found["summary"].items()
    (run,) = (record["run"] for record in records(exported) if record["type"] == "run")
    assert (run["run_group"], run["job_type"], run["host"]) == (COMPLETE.group, "ewc", "node|7")


def test_every_value_is_there_once_with_its_step_and_time(exported):
    history = [record["history"]["item"] for record in records(exported) if record["type"] == "history"]
    own = ("accuracy/task_0", "accuracy/task_1", "task/loss", "_step", "_timestamp")
    assert [[item[name] for name in own] for item in history] == [
        [0.75, 0.125, 0.25, 0, START.timestamp() + 2],
        [0.5, 1.0, 0.25, 1, START.timestamp() + 4],
    ]


def test_a_trial_that_diverged_is_a_run_that_failed_and_says_why(exported):
    found = summary(exported, "wandb/offline-run-20260101_120000-bbbb")
    assert (found["state"], found["exit_code"]) == ("failed", 1)
    assert found["tags"][-1] == "diverged"
    assert found["config"]["clsweep"]["error_cause"] == "the loss is inf"


def test_wandb_sync_would_upload_every_run_once(exported):
    lines = wandb("sync", "--dry-run", folder=exported).splitlines()
    assert [line.removeprefix("wandb:").strip() for line in lines] == [
        "Would sync 2 run(s):",
        f"{FOLDER}/run-aaaa.wandb",
        "wandb/offline-run-20260101_120000-bbbb/run-bbbb.wandb",
    ]


def test_nothing_of_this_process_and_machine_is_in_a_run(exported):
    text = json.dumps(records(exported))
    assert socket.gethostname() not in text.replace("node|7", "")
    assert str(Path.cwd()) not in text
    kinds = {record["type"] for record in records(exported)}
    assert kinds <= {"header", "run", "telemetry", "summary", "history", "exit"}


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file's content and time by its path."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_only_what_changed_is_written_anew_and_has_to_be_uploaded_again(tmp_path):
    write_wandb([RUNNING, DIVERGED], tmp_path)
    first = files(tmp_path)
    assert sorted(first) == [
        f"{FOLDER}/clsweep.json",
        f"{FOLDER}/run-aaaa.wandb",
        "wandb/offline-run-20260101_120000-bbbb/clsweep.json",
        "wandb/offline-run-20260101_120000-bbbb/run-bbbb.wandb",
    ]
    for path in first:
        if path.endswith(".wandb"):  # as `wandb sync` marks what it has uploaded
            (tmp_path / f"{path}.synced").touch()
    marked = files(tmp_path)
    assert write_wandb([RUNNING, DIVERGED], tmp_path)[1:] == (0, 0, 2)
    assert files(tmp_path) == marked
    assert write_wandb([COMPLETE, DIVERGED], tmp_path)[1:] == (0, 1, 1)
    after = files(tmp_path)
    assert set(marked) - set(after) == {f"{FOLDER}/run-aaaa.wandb.synced"}
    assert {path for path in after if after[path] != marked[path]} == {
        f"{FOLDER}/clsweep.json",
        f"{FOLDER}/run-aaaa.wandb",
    }
    assert summary(tmp_path)["step"] == 1
    assert write_wandb([ANEW], tmp_path)[1:] == (0, 1, 0)
    assert summary(tmp_path)["summary"]["_timestamp"] == LATER.timestamp() + 4
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 2


def test_a_run_that_somebody_damaged_is_written_anew(tmp_path):
    write_wandb([COMPLETE], tmp_path)
    (tmp_path / FOLDER / "clsweep.json").unlink()
    (tmp_path / FOLDER / "run-aaaa.wandb").write_bytes(b"")
    assert write_wandb([COMPLETE], tmp_path)[1:] == (0, 1, 0)
    assert summary(tmp_path)["state"] == "finished"


def test_an_export_leaves_no_process_and_says_nothing(tmp_path, capfd):
    write_wandb([COMPLETE], tmp_path)
    assert capfd.readouterr() == ("", "")
    own = [
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/environ")
        if str(tmp_path) in environment_of(path)
    ]
    assert own == []
    assert [path.name for path in tmp_path.iterdir()] == ["wandb"]


def environment_of(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:  # it has ended, or is not ours
        return ""


def test_what_wandb_cannot_write_is_told_in_one_line(tmp_path):
    (tmp_path / "wandb").write_text("a file in the way")
    with pytest.raises(StoreError, match=r"cannot write .*: FileExistsError: .*wandb"):
        write_wandb([COMPLETE], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["wandb"]


@contextmanager
def listener() -> Iterator[tuple[str, list[object]]]:
    """A proxy's address, and everything that asks it for something."""
    asked: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, address = server.accept()
                except OSError:  # closed, as the test is over
                    return
                asked.append(address)
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("write", [write_wandb, write_mlflow])
def test_nothing_is_sent_even_where_the_user_has_asked_for_it(write, tmp_path, monkeypatch):
    with listener() as (proxy, asked):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        # Under test MLflow would be silent by itself.
        for name in ("CI", "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "DO_NOT_TRACK"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("WANDB_MODE", "online")
        monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
        monkeypatch.setenv("WANDB_BASE_URL", "http://example.org")
        monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://example.org")
        write([COMPLETE], tmp_path)
    assert asked == []
