"""A trial's checkpoint is whole or absent, runs no code when it is loaded, and is never worth a crash."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import outside

from cl.training import Score, TaskReport
from orchestrator.checkpoints import FORMAT, Checkpoints, Saved
from results.storage import Folder, StoreError


def report(task: int, accuracy: float | None = 0.1 + 0.2, **values: object) -> TaskReport:
    return TaskReport(task, (Score(0, "test", accuracy, 10), Score(1, "test", None, 10)), **values)


def saved(tasks: int, weight: float = 0.5) -> Saved:
    """A trial that has learned so many tasks."""
    reports = tuple(report(task, loss=1 / 3) for task in range(-1, tasks))
    trainer = {"of": "Naive", "method": {"seen": tasks}, "learner": {"theta": torch.full((3,), weight)}}
    return Saved(reports, trainer)


def file_of(content: bytes, task: int = 0) -> str:
    return f"{task:06d}-{hashlib.blake2b(content, digest_size=16).hexdigest()}.pt"


def put(folder: Path, content: bytes, task: int) -> None:
    """A file that is named as a checkpoint is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file_of(content, task)).write_bytes(content)


def test_what_was_saved_is_what_is_loaded(place):
    checkpoints = Checkpoints(Folder.at(place))
    assert checkpoints.latest("t1") is None
    checkpoints.save("t1", saved(2))
    latest = checkpoints.latest("t1")
    assert latest is not None
    assert latest.reports == saved(2).reports
    assert latest.trainer["learner"]["theta"].tolist() == [0.5] * 3
    assert {name: latest.trainer[name] for name in ("of", "method")} == {"of": "Naive", "method": {"seen": 2}}
    assert checkpoints.latest("t2") is None


def test_a_later_task_replaces_an_earlier_and_is_never_replaced_by_it(place):
    checkpoints = Checkpoints(Folder.at(place))
    for tasks in (1, 3, 2):
        checkpoints.save("t1", saved(tasks))
        assert len(checkpoints.latest("t1").reports) == 1 + max(tasks, 3 if tasks == 2 else 0)
    checkpoints.save("t1", saved(4))
    assert [entry.name[:6] for entry in (Folder.at(place) / "t1").entries()] == ["000003"]


def test_what_is_forgotten_is_gone_and_nothing_else_is(place):
    checkpoints = Checkpoints(Folder.at(place))
    for trial_id in ("t1", "t2"):
        checkpoints.save(trial_id, saved(1))
    (Folder.at(place) / "t1").write(".hidden.tmp", b"left by a process that was killed")
    checkpoints.forget("t1")
    checkpoints.forget("never saved")
    assert checkpoints.latest("t1") is None
    assert Folder.at(place).folders() == ["t2"]
    assert checkpoints.latest("t2") is not None


def test_every_number_of_a_report_comes_back_bit_for_bit(tmp_path):
    numbers = [0.1 + 0.2, 5e-324, 1 / 3, math.pi * 1e300, -0.0]
    diagnostics = {
        "drift": np.float64(0.1),
        "slope": np.float32(0.1),
        "count": np.int64(7),
        "tensor": torch.tensor(0.25),
        "memory_by_task": [1, 2],
    }
    reports = (*(report(k, number) for k, number in enumerate(numbers, start=-1)), report(4, loss=math.nan))
    reports = (*reports[:-1], TaskReport(4, (), loss=math.nan, diagnostics=diagnostics))
    checkpoints = Checkpoints(Folder.at(tmp_path))
    checkpoints.save("t1", Saved(reports, {}))
    latest = checkpoints.latest("t1")
    assert [each.scores[0].accuracy.hex() for each in latest.reports[:-1]] == [x.hex() for x in numbers]
    assert math.isnan(latest.reports[-1].loss)
    assert latest.reports[-1].diagnostics == {
        "drift": 0.1,
        "slope": float(np.float32(0.1)),
        "count": 7,
        "tensor": 0.25,
        "memory_by_task": [1, 2],
    }


def test_a_state_that_could_not_be_read_back_is_refused_when_it_is_saved(tmp_path):
    checkpoints = Checkpoints(Folder.at(tmp_path))
    with pytest.raises(StoreError, match=r"no checkpoint: the state of Mine holds .*numpy.*; only tensors"):
        checkpoints.save("t1", Saved((report(-1), report(0)), {"of": "Mine", "method": np.zeros(3)}))
    with pytest.raises(StoreError, match=r"no checkpoint: the state of Mine cannot be written: .*lambda"):
        checkpoints.save("t1", Saved((report(-1), report(0)), {"of": "Mine", "method": lambda: 5}))
    assert checkpoints.latest("t1") is None


def test_a_file_cut_short_is_not_taken_for_a_checkpoint(tmp_path):
    checkpoints = Checkpoints(Folder.at(tmp_path))
    checkpoints.save("t1", saved(1))
    first = next((tmp_path / "t1").iterdir())
    kept = first.read_bytes()
    checkpoints.save("t1", saved(2))
    first.write_bytes(kept)
    last = max((tmp_path / "t1").iterdir())
    whole = last.read_bytes()
    for size in (0, 1, 100, len(whole) - 1):
        last.write_bytes(whole[:size])
        assert len(checkpoints.latest("t1").reports) == 2, "the one before"
    first.unlink()
    assert checkpoints.latest("t1") is None


def test_a_file_that_is_not_what_its_name_says_is_not_taken_for_a_checkpoint(tmp_path):
    checkpoints = Checkpoints(Folder.at(tmp_path))
    checkpoints.save("t1", saved(1))
    file = next((tmp_path / "t1").iterdir())
    file.rename(file.with_name(file_of(b"something else")))
    assert checkpoints.latest("t1") is None


class Ran:
    """What runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.path),))


def saved_by_torch(state: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


STATE = {"format": FORMAT, "reports": "[]", "trainer": {}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a checkpoint",
        b"PK\x03\x04" + bytes(500),
        b"\x80\x02}q\x00.",
        saved_by_torch(5),
        saved_by_torch({}),
        saved_by_torch([STATE]),
        saved_by_torch(STATE | {"format": FORMAT + 1}),
        saved_by_torch({name: STATE[name] for name in ("format", "trainer")}),
        saved_by_torch(STATE | {"reports": "{"}),
        saved_by_torch(STATE | {"reports": json.dumps([{"task": 1}])}),
        saved_by_torch(STATE | {"reports": json.dumps([{"task": 1, "scores": [], "of_the_future": 1}])}),
    ],
)
def test_a_file_that_another_version_or_nobody_wrote_is_no_checkpoint(tmp_path, content):
    checkpoints = Checkpoints(Folder.at(tmp_path))
    put(tmp_path / "t1", content, task=9)
    assert checkpoints.latest("t1") is None
    checkpoints.save("t1", saved(1))
    assert len(checkpoints.latest("t1").reports) == 2


def test_loading_runs_no_code(tmp_path):
    mark = tmp_path / "mark"
    for content in (saved_by_torch(STATE | {"trainer": Ran(mark)}), saved_by_torch(Ran(mark))):
        put(tmp_path / "t1", content, task=9)
        torch.load(io.BytesIO(content), weights_only=False)
        assert mark.is_dir(), "it would"
        mark.rmdir()
    assert Checkpoints(Folder.at(tmp_path)).latest("t1") is None
    assert not mark.exists()


def test_files_of_other_names_are_left_alone(tmp_path):
    checkpoints = Checkpoints(Folder.at(tmp_path))
    checkpoints.save("t1", saved(1))
    for name in ("notes.txt", "mine.pt", "-00001-x.pt", ".000009-x.pt.tmp"):
        (tmp_path / "t1" / name).write_text("x")
    checkpoints.save("t1", saved(2))
    assert len(checkpoints.latest("t1").reports) == 3
    assert len(list((tmp_path / "t1").iterdir())) == 5


def test_a_checkpoint_is_due_after_so_many_seconds(tmp_path, monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    always, sometimes = Checkpoints(Folder.at(tmp_path), 0), Checkpoints(Folder.at(tmp_path), 10)
    assert always.due()
    assert not sometimes.due()
    now += 9.9
    assert not sometimes.due()
    now += 0.1
    assert sometimes.due()
    sometimes.save("t1", saved(1))
    assert not sometimes.due()
    assert always.due()
    now += 10
    assert sometimes.due()
    sometimes.begin()
    assert not sometimes.due(), "another trial's clock"


def test_one_that_cannot_be_written_is_said_and_the_one_before_stays(tmp_path, monkeypatch):
    checkpoints = Checkpoints(Folder.at(tmp_path))
    checkpoints.save("t1", saved(1))

    def disk_full(*_: object) -> None:
        raise OSError(28, "as a full disk does")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(StoreError, match="No space left on device"):
        checkpoints.save("t1", saved(2))
    assert len(checkpoints.latest("t1").reports) == 2
    assert len(list((tmp_path / "t1").iterdir())) == 1


def test_an_earlier_one_that_cannot_be_removed_is_no_failure(tmp_path, monkeypatch):
    checkpoints = Checkpoints(Folder.at(tmp_path))
    checkpoints.save("t1", saved(1))

    def refused(*_: object) -> None:
        raise StoreError("cannot remove")

    monkeypatch.setattr(Folder, "remove", refused)
    checkpoints.save("t1", saved(2))
    assert len(checkpoints.latest("t1").reports) == 3


def test_storage_that_cannot_be_reached_has_no_checkpoints(tmp_path):
    (tmp_path / "checkpoints").write_text("a file in the way")
    assert Checkpoints(Folder.at(tmp_path / "checkpoints")).latest("t1") is None


SAVES = """
import sys
import test_orchestrator_checkpoints as this
from orchestrator.checkpoints import Checkpoints
from results.storage import Folder
checkpoints = Checkpoints(Folder.at(sys.argv[1]), 0)
for tasks in range(1, 16):
    checkpoints.save("t1", this.saved(tasks))
    assert len(checkpoints.latest("t1").reports) >= tasks + 1
"""


def test_two_processes_that_run_the_same_trial_do_each_other_no_harm(tmp_path):
    path = os.pathsep.join([str(Path(__file__).parent), outside()["PYTHONPATH"]])
    both = [
        subprocess.Popen([sys.executable, "-c", SAVES, str(tmp_path)], env=outside({"PYTHONPATH": path}))
        for _ in range(2)
    ]
    assert [process.wait() for process in both] == [0, 0]
    assert len(Checkpoints(Folder.at(tmp_path)).latest("t1").reports) == 16
    assert len(list((tmp_path / "t1").iterdir())) == 1
