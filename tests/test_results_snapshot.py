"""A snapshot changes how fast a table is read, never what is read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results import snapshot, store
from results.schema import ACCURACY
from results.storage import Entry, Folder
from results.store import Store

IDS = [f"t{k}" for k in range(6)]


def rows(value: float, count: int = 3) -> list[dict[str, object]]:
    head = {"scenario": "s", "method": "naive", "seed": 0, "split": "test", "n_eval": 72, "eval_task": 0}
    return [{**head, "after_task": k, "accuracy": value} for k in range(count)]


@pytest.fixture
def small(monkeypatch):
    """A snapshot is worth it from the first part on."""
    monkeypatch.setattr(store, "SNAPSHOT_AFTER", 1)


def aged(root: Path, seconds: float = 100) -> None:
    """Let everything that is there have been written some time ago, in the order in which it was."""
    for path in root.rglob("*"):
        stat = path.stat()
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - int(seconds * 1e9)))


def held(root: Path, table: str = "accuracy") -> set[str]:
    """The trials that the snapshot stands for now."""
    folder = Folder.at(root)
    entries = {entry.name.removesuffix(".parquet"): entry for entry in (folder / table).entries()}
    return snapshot.recall(folder / "snapshot", store._SCHEMAS[table], entries, ["trial_id"])[1]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(IDS), st.integers(0, 3), st.integers(0, 9)),
        st.tuples(st.just("damage"), st.sampled_from(IDS)),
        st.tuples(st.just("delete"), st.sampled_from(IDS)),
        st.tuples(st.just("read")),
        st.tuples(st.just("columns")),
        st.tuples(st.just("time passes"), st.sampled_from([0.001, 1.5, 5.0])),
        st.tuples(st.just("drop snapshot")),
        st.tuples(st.just("hurt snapshot"), st.integers(0, 10_000)),
    ),
    max_size=25,
)


def act(root: Path, step: tuple[Any, ...]) -> None:
    kind, *values = step
    part = root / "accuracy" / f"{values[0] if values else ''}.parquet"
    whole = root / "snapshot" / "accuracy.snapshot"
    if kind == "write":
        Store(root).write_accuracy(values[0], rows(values[2] / 10, values[1]))
    elif kind == "damage" and part.exists():
        part.write_bytes(part.read_bytes()[:-7])
    elif kind == "delete":
        part.unlink(missing_ok=True)
    elif kind == "read":
        Store(root).accuracy()
    elif kind == "columns":
        Store(root)._read("accuracy", ["trial_id"])
    elif kind == "time passes":
        aged(root, values[0])
    elif kind == "drop snapshot":
        whole.unlink(missing_ok=True)
    elif kind == "hurt snapshot" and whole.exists():
        content = bytearray(whole.read_bytes())
        content[values[0] % len(content)] ^= 1
        whole.write_bytes(content)


@given(STEPS)
@settings(deadline=None, max_examples=60)
def test_tables_are_those_of_the_parts_whatever_happened_before(steps):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "SNAPSHOT_AFTER", 2)
        root = Path(folder) / "run"
        for step in steps:
            act(root, step)
        found = Store(root).accuracy()
        (root / "snapshot" / "accuracy.snapshot").unlink(missing_ok=True)
        assert found.equals(Store(root).accuracy())


@pytest.mark.usefixtures("small")
def test_what_a_snapshot_holds_is_not_read_again(tmp_path, monkeypatch):
    run = Store(tmp_path)
    for trial_id in IDS:
        run.write_accuracy(trial_id, rows(0.5))
    aged(tmp_path)
    run.write_accuracy("t0", rows(0.75))
    expected = run.accuracy()
    assert held(tmp_path) == set(IDS) - {"t0"}

    read = []
    monkeypatch.setattr(
        store, "_part", lambda _folder, schema, name: read.append(name) or schema.empty_table()
    )
    assert run.accuracy().num_rows == len(expected) - 3
    assert read == ["t0.parquet"]


@pytest.mark.usefixtures("small")
def test_a_part_written_again_later_is_read_again_even_if_its_size_is_the_same(tmp_path):
    run = Store(tmp_path)
    part = tmp_path / "accuracy" / "t0.parquet"
    run.write_accuracy("t0", rows(0.25))
    aged(tmp_path)
    run.write_accuracy("t1", rows(0.5))
    run.accuracy()
    assert held(tmp_path) == {"t0"}
    size = part.stat().st_size
    run.write_accuracy("t0", rows(0.75))
    assert part.stat().st_size == size
    assert set(run.accuracy()["accuracy"].to_pylist()) == {0.5, 0.75}


@pytest.mark.usefixtures("small")
def test_a_part_written_again_at_the_same_time_and_size_is_not_missed(tmp_path):
    run = Store(tmp_path)
    part = tmp_path / "accuracy" / "t1.parquet"
    run.write_accuracy("t0", rows(0.5))
    run.write_accuracy("t1", rows(0.25))
    # Seconds are all that an object store and some file systems tell.
    second = part.stat().st_mtime_ns // 10**9 * 10**9
    for path in (tmp_path / "accuracy").iterdir():
        os.utime(path, ns=(second, second))
    assert set(run.accuracy()["accuracy"].to_pylist()) == {0.5, 0.25}
    before = part.stat()
    run.write_accuracy("t1", rows(0.75))
    os.utime(part, ns=(second, second))
    assert part.stat().st_size == before.st_size
    assert set(run.accuracy()["accuracy"].to_pylist()) == {0.5, 0.75}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("skew_s", [-1e6, 1e6])
def test_the_clock_of_this_machine_does_not_matter(tmp_path, skew_s):
    run = Store(tmp_path)
    run.write_accuracy("t0", rows(0.5))
    aged(tmp_path, 10)
    run.write_accuracy("t1", rows(0.5))
    aged(tmp_path, skew_s)
    run.accuracy()
    assert held(tmp_path) == {"t0"}


def test_only_what_was_old_when_it_was_listed_is_kept(tmp_path):
    folder = Folder.at(tmp_path)
    made = pa.Table.from_pylist(
        [{"trial_id": name, **row} for name in ("old", "young") for row in rows(0.5, 1)], schema=ACCURACY
    )
    listed = {"old": Entry("old.parquet", 9, 10**9), "young": Entry("young.parquet", 9, 2 * 10**9)}

    def kept(since_ns: int) -> set[str]:
        snapshot.keep(folder, ACCURACY, listed, made, since_ns)
        return snapshot.recall(folder, ACCURACY, listed, ["trial_id"])[1]

    assert kept(0) == set(), "the newest part is all that is known of the storage's clock"
    assert kept(3 * 10**9) == set(), "a part of this second may be written again in it"
    assert kept(3 * 10**9 + 1) == {"old"}
    assert kept(5 * 10**9) == {"old", "young"}


@pytest.mark.usefixtures("small")
def test_a_run_that_has_come_to_rest_is_read_from_its_snapshot_alone(tmp_path):
    run = Store(tmp_path)
    for trial_id in IDS:
        run.write_accuracy(trial_id, rows(0.5))
    run.accuracy()
    assert held(tmp_path) == set(), "all of it is new"
    for path in (tmp_path / "accuracy").iterdir():
        os.utime(path, ns=(0, path.stat().st_mtime_ns - 10 * 10**9))
    run.accuracy()
    run.accuracy()
    assert held(tmp_path) == set(IDS)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("content", [b"", b"PAR1", b"x" * 5000])
def test_a_damaged_snapshot_is_ignored_and_replaced(tmp_path, content):
    run = Store(tmp_path)
    run.write_accuracy("t0", rows(0.5))
    run.write_accuracy("t1", rows(0.5))
    aged(tmp_path)
    run.write_accuracy("t2", rows(0.5))
    expected = run.accuracy()
    (tmp_path / "snapshot" / "accuracy.snapshot").write_bytes(content)
    assert run.accuracy().equals(expected)
    assert held(tmp_path) == {"t0", "t1"}


@pytest.mark.usefixtures("small")
def test_a_snapshot_of_which_a_bit_has_changed_is_ignored(tmp_path):
    run = Store(tmp_path)
    for k in range(20):
        run.write_accuracy(f"t{k}", rows(1 / (k + 1)))
    aged(tmp_path)
    run.write_accuracy("t99", rows(0.5))
    expected = run.accuracy()
    assert len(held(tmp_path)) == 20
    file = tmp_path / "snapshot" / "accuracy.snapshot"
    whole = file.read_bytes()
    for place in range(0, len(whole), len(whole) // 40):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        assert held(tmp_path) == set()
        assert run.accuracy().equals(expected)


@pytest.mark.usefixtures("small")
def test_a_damaged_part_is_not_in_a_snapshot_and_is_named_every_time(tmp_path):
    for trial_id in ("t0", "t1"):
        Store(tmp_path).write_accuracy(trial_id, rows(0.5))
    (tmp_path / "accuracy" / "t1.parquet").write_bytes(b"PAR1")
    aged(tmp_path)
    Store(tmp_path).write_accuracy("t2", rows(0.5))
    for _ in range(2):
        run = Store(tmp_path)
        assert run.accuracy()["trial_id"].unique().to_pylist() == ["t0", "t2"]
        assert list(run.damaged) == [f"{tmp_path}/accuracy/t1.parquet"]
    assert held(tmp_path) == {"t0"}


@pytest.mark.usefixtures("small")
def test_a_snapshot_that_cannot_be_written_is_no_error(tmp_path):
    run = Store(tmp_path)
    run.write_accuracy("t0", rows(0.5))
    (tmp_path / "snapshot").write_text("a file in its way, as when the folder may only be read")
    aged(tmp_path)
    run.write_accuracy("t1", rows(0.5))
    assert run.accuracy().num_rows == 6


@pytest.mark.usefixtures("small")
def test_other_readers_of_the_folder_do_not_take_a_snapshot_for_a_part(tmp_path):
    run = Store(tmp_path)
    run.write_accuracy("t0", rows(0.5))
    aged(tmp_path)
    run.write_accuracy("t1", rows(0.5))
    run.accuracy()
    assert held(tmp_path) == {"t0"}
    assert {path.parent.name for path in tmp_path.rglob("*.parquet")} == {"accuracy"}


@pytest.mark.usefixtures("small")
def test_an_object_store_is_read_through_a_snapshot_too(s3, monkeypatch):
    run = Store(s3.uri(f"{s3.bucket()}/tiny"))
    run.write_accuracy("t0", rows(0.5))
    run.write_accuracy("t1", rows(0.25))
    entries = (run.root / "accuracy").entries()
    # The server tells whole seconds, so what was just written has not settled.
    assert all(entry.modified_ns % 10**9 == 0 for entry in entries)
    expected = run.accuracy()
    assert snapshot.recall(run.root / "snapshot", ACCURACY, {"t0": entries[0]}, ["trial_id"])[1] == set()
    monkeypatch.setattr(snapshot, "SETTLED_S", -1.0)
    run.accuracy()
    s3.requests.clear()
    assert run.accuracy().equals(expected)
    assert [request for request in s3.requests if "/accuracy/t" in request] == []
    run.write_accuracy("t1", rows(0.125, 2))
    assert run.accuracy()["accuracy"].to_pylist() == [0.5] * 3 + [0.125] * 2
