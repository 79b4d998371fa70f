"""A run in an object store: the same rows as in a folder, in few requests, and no secret anywhere."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pytest
from commands import clsweep, parts, spec

from results.storage import Folder, StoreError, masked, redacted
from results.store import Store, open_run

KEY = "AKIAPRIVATE:wJalrXUtnFEMI%2Fb"
PRIVATE = ("AKIAPRIVATE", "wJalrXUtnFEMI")


@pytest.fixture(autouse=True)
def _folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_small_file_is_written_with_one_request(s3):
    bucket = s3.bucket()
    folder = Folder.at(s3.uri(f"{bucket}/runs")) / "tiny"
    s3.requests.clear()
    folder.write("part.parquet", bytes(50_000))
    assert s3.requests == [f"PUT /{bucket}/runs/tiny/part.parquet?"]


def test_a_large_file_is_there_whole(s3):
    folder = Folder.at(s3.uri(f"{s3.bucket()}/runs"))
    content = bytes(range(256)) * 100_000
    folder.write("weights.pt", content)
    assert folder.read("weights.pt").to_pybytes() == content


@pytest.mark.parametrize("key", ["", KEY])
def test_a_bucket_that_does_not_exist_is_said_and_keys_are_not(s3, key):
    folder = Folder.at(s3.uri("no-such-bucket/runs", key))
    with pytest.raises(
        StoreError, match=r"^cannot write s3://no-such-bucket/runs/a: .*The specified bucket does not exist"
    ) as failed:
        folder.write("a", b"1")
    assert folder.entries() == []
    with pytest.raises(
        StoreError, match="no run at s3://no-such-bucket/tiny; runs in s3://no-such-bucket: none"
    ):
        open_run(s3.uri("no-such-bucket/tiny", key))
    assert not any(private in repr(failed.getrepr()) for private in PRIVATE)


def test_a_server_that_is_away_is_said_in_bounded_time_and_used_again_once_it_is_back(s3):
    folder = Folder.at(s3.uri(f"{s3.bucket()}/runs", KEY))
    folder.write("a", b"before")
    s3.stop()
    try:
        started = time.monotonic()
        with pytest.raises(StoreError, match=r"^cannot write s3://bucket-\w+/runs/a: ") as failed:
            folder.write("a", b"meanwhile")
        with pytest.raises(StoreError, match=r"^cannot read s3://bucket-\w+/runs: "):
            folder.entries()
        with pytest.raises(OSError, match="NETWORK_CONNECTION"):
            folder.read("a")
        assert time.monotonic() - started < 20
    finally:
        s3.start()
    assert not any(private in repr(failed.getrepr()) for private in PRIVATE)
    assert folder.read("a").to_pybytes() == b"before"
    folder.write("a", b"after")
    assert folder.read("a").to_pybytes() == b"after"


def test_a_part_replaced_by_a_longer_one_between_two_requests_is_read_whole(s3, monkeypatch):
    store = Store(s3.uri(f"{s3.bucket()}/tiny"))
    head = {"scenario": "s", "method": "naive", "seed": 0, "split": "test", "n_eval": 72, "eval_task": 0}
    short, long = ([{**head, "after_task": k, "accuracy": k / 900} for k in range(n)] for n in (3, 900))
    store.write_accuracy("t1", short)
    read, sizes = Folder.read, []

    def overtaken(folder, name):
        if name != "t1.parquet" or sizes:
            return read(folder, name)
        size = folder.entry(name).size
        store.write_accuracy("t1", long)
        sizes.append(size)
        return read(folder, name)[:size]

    monkeypatch.setattr(Folder, "read", overtaken)
    assert store.accuracy().num_rows == 900
    assert sizes
    assert store.damaged == {}


def everything_in(storage: str) -> bytes:
    """All objects of a bucket, names first."""
    files, path = pafs.FileSystem.from_uri(storage)
    found = files.get_file_info(pafs.FileSelector(path, recursive=True))
    names = [info.path for info in found if info.type == pafs.FileType.File]
    return "\n".join(names).encode() + b"".join(files.open_input_file(name).read() for name in names)


def test_a_sweep_into_an_object_store_gives_what_one_into_a_folder_gives(s3):
    here = clsweep("run", spec(), "--local")
    bucket = s3.bucket()
    storage, run = s3.uri(f"{bucket}/runs", KEY), s3.uri(f"{bucket}/runs/tiny", KEY)
    there = clsweep("run", "tiny.yaml", "--local", "--storage", storage, "--checkpoint-every", "0")
    assert (here.exit_code, there.exit_code) == (0, 0), there.output
    assert f"results in s3://{bucket}/runs/tiny\n" in there.output
    assert there.output.splitlines()[-8:] == here.output.splitlines()[-8:]

    store, local = Store(run), Store("runs/tiny")
    assert store.accuracy().equals(local.accuracy())
    assert [entry.name for entry in store.root.entries()] == [
        "accuracy",
        "checkpoints",
        "sweep.yaml",
        "tasks",
        "trials",
    ]
    assert (store.root / "checkpoints").folders() == [], "complete trials need none"
    assert store.spec() == Path("runs/tiny/sweep.yaml").read_text()
    files, path = pafs.FileSystem.from_uri(run)
    rows = ds.dataset(f"{path}/accuracy", format="parquet", filesystem=files).to_table()
    assert rows.num_rows == local.accuracy().num_rows
    assert len(parts()) == 24

    shown, again = clsweep("show", run), clsweep("run", "tiny.yaml", "--local", "--storage", storage)
    planned = clsweep("plan", "tiny.yaml", "--storage", storage)
    assert shown.output == clsweep("show", "runs/tiny").output
    assert "8 of them done before" in again.output
    assert planned.output == clsweep("plan", "tiny.yaml").output
    said = "".join(result.output for result in (there, shown, again, planned))
    assert not any(private in said for private in PRIVATE)
    kept = everything_in(s3.uri(f"{bucket}/runs"))
    assert not any(private.encode() in kept for private in PRIVATE)


def test_what_a_command_is_printed_with_has_no_keys_and_can_still_be_understood():
    assert masked("--storage") == "--storage"
    assert masked("s3://bucket/runs?region=eu-north-1") == "s3://bucket/runs?region=eu-north-1"
    assert masked("s3://AKIA1:a/b@bucket/runs") == "s3://***@bucket/runs"
    assert masked("abfs://c@a.dfs.core.windows.net/r?client_secret=x&tenant_id=y").endswith(
        "?client_secret=***&tenant_id=y"
    )
    assert redacted("s3://bucket/runs@home") == "s3://bucket/runs@home"
