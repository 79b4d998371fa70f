"""A file appears whole or not at all, on any file system, and nothing of a URI's secrets is shown."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
from commands import outside, wait_until

from results.storage import Folder, StoreError, is_uri, redacted

PRIVATE = "wJalrXUtnFEMI"


def test_what_was_written_is_read(place):
    folder = Folder.at(place)
    folder.write("a.bin", b"one")
    folder.write("b.bin", pa.py_buffer(b""))
    assert folder.read("a.bin").to_pybytes() == b"one"
    assert folder.read("b.bin").to_pybytes() == b""
    with pytest.raises(FileNotFoundError):
        folder.read("c.bin")


@pytest.mark.parametrize("longer", [b"another", b"", b"x" * 12_000_000])
def test_a_file_that_is_there_is_replaced(place, longer):
    folder = Folder.at(place)
    folder.write("a", b"first")
    folder.write("a", longer)
    assert folder.read("a").to_pybytes() == longer
    assert [entry.name for entry in folder.entries()] == ["a"]


def test_a_folder_lists_what_it_holds_by_name_and_hides_what_is_hidden(place):
    folder = Folder.at(place)
    for name in ("c.parquet", ".hidden", "a.parquet", "b.parquet"):
        folder.write(name, b"12345")
    for name in ("z", "y", ".cache"):
        (folder / name).write("f", b"1")
    files = [entry for entry in folder.entries() if entry.name.endswith(".parquet")]
    assert [(entry.name, entry.size) for entry in files] == [
        ("a.parquet", 5),
        ("b.parquet", 5),
        ("c.parquet", 5),
    ]
    assert folder.folders() == ["y", "z"]
    assert folder.entry("b.parquet") in files
    assert abs(files[0].modified_ns / 1e9 - time.time()) < 100


def test_a_folder_that_does_not_exist_is_empty_and_nothing_can_be_removed_from_it(place):
    folder = Folder.at(place) / "new"
    assert (folder.entries(), folder.folders(), folder.entry("a")) == ([], [], None)
    assert not folder.has("a")
    folder.remove("a")
    folder.remove_all()
    assert not Folder.at(place).has("new")


def test_what_is_removed_is_gone(place):
    folder = Folder.at(place)
    for name in ("a", "b", ".c"):
        (folder / "within").write(name, b"1")
    (folder / "within").remove("a")
    assert [entry.name for entry in (folder / "within").entries()] == ["b"]
    assert folder.has("within")
    (folder / "within").remove_all()
    assert not folder.has("within")


def test_a_folder_can_be_used_by_another_process(place):
    folder = Folder.at(place)
    folder.write("a", b"here")
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).read('a').to_pybytes().decode())"
    other = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(folder),
        env=outside(),
        capture_output=True,
        check=True,
    )
    assert other.stdout == b"here\n"


@pytest.mark.parametrize(
    ("place", "parent"),
    [("runs/tiny", "runs"), ("runs", "."), ("/a/b", "/a"), ("file:///a/b", "file:///a"), ("./x/", ".")],
)
def test_the_parent_of_a_folder_has_it_in_it(place, parent):
    folder = Folder.at(place)
    assert str(folder.parent) == parent
    name = folder.path.rpartition("/")[2]
    assert (folder.parent / name).path == folder.path


@pytest.mark.parametrize("root", ["/a", "file:///a"])
def test_nothing_is_above_the_root(root):
    assert Folder.at(root).parent == Folder.at(root)


KEEPS_WRITING = """
import sys
from results.storage import Folder
folder, sizes = Folder.at(sys.argv[1]), [20_000, 300_000, 5]
k = 0
while True:
    k += 1
    folder.write("part.parquet", bytes([k % 256]) * sizes[k % 3])
"""


def whole(content: bytes) -> bool:
    """Whether that is what one of the writes wrote."""
    return len(content) in {20_000, 300_000, 5} and content == content[:1] * len(content)


def test_readers_never_see_half_a_file_however_often_its_writer_is_killed(tmp_path):
    folder = Folder.at(tmp_path)
    folder.write("part.parquet", bytes(5))
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", KEEPS_WRITING, str(tmp_path)], env=outside(), stdout=subprocess.DEVNULL
        )
        seen = set()
        deadline = time.monotonic() + 60
        while len(seen) < 6 and time.monotonic() < deadline:
            content = folder.read("part.parquet").to_pybytes()
            assert whole(content)
            seen.add((content[0], len(content)))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert len(seen) == 6, "the writer did not write"
        assert whole(folder.read("part.parquet").to_pybytes())
        assert [entry.name for entry in folder.entries()] == ["part.parquet"]
    left = {name for name in os.listdir(tmp_path) if name != "part.parquet"}
    assert all(name.startswith(".") and name.endswith(".tmp") for name in left)


DISK_FULL = """
import resource, sys
from results.storage import Folder, StoreError
folder = Folder.at(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    folder.write("part.parquet", b"x" * 5000)
except StoreError as error:
    print(error)
"""


def test_a_file_for_which_there_is_no_room_leaves_the_old_one_and_nothing_else(tmp_path):
    Folder.at(tmp_path).write("part.parquet", b"old")
    tried = subprocess.run(
        [sys.executable, "-c", DISK_FULL, str(tmp_path)],
        env=outside(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert tried.stdout == f"cannot write {tmp_path}/part.parquet: File too large\n"
    assert os.listdir(tmp_path) == ["part.parquet"]
    assert (tmp_path / "part.parquet").read_bytes() == b"old"


def test_what_only_the_last_sync_finds_out_is_a_failure_too(tmp_path, monkeypatch):
    Folder.at(tmp_path).write("part.parquet", b"old")

    def quota(_: int) -> None:
        raise OSError(122, "as a file server says when it is asked to keep what it took")

    monkeypatch.setattr(os, "fsync", quota)
    with pytest.raises(StoreError, match=r"cannot write \S+/part\.parquet: Disk quota exceeded$"):
        Folder.at(tmp_path).write("part.parquet", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


FORBIDDEN = """
import os, sys
from results.storage import Folder, StoreError
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
folder = Folder.at(sys.argv[1])
for attempt in ('folder.write("a", b"1")', '(folder / "in").entries()', 'folder.remove("old")'):
    try:
        print(eval(attempt))
    except StoreError as error:
        print(error)
"""


def test_what_is_not_permitted_is_one_line_that_names_the_file(tmp_path):
    folder = tmp_path / "mine"
    (folder / "in").mkdir(parents=True)
    (folder / "old").touch()
    folder.chmod(0o555)
    (folder / "in").chmod(0)
    try:
        tried = subprocess.run(
            [sys.executable, "-c", FORBIDDEN, str(folder)],
            env=outside(),
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        folder.chmod(0o755)
    assert tried.stdout.splitlines() == [
        f"cannot write {folder}/a: Permission denied",
        f"cannot read {folder}/in: Permission denied",
        f"cannot remove {folder}/old: Permission denied",
    ]


def test_a_file_where_a_folder_should_be_is_said(tmp_path):
    (tmp_path / "runs").touch()
    with pytest.raises(StoreError, match=r"cannot write \S+/runs/tiny/a: Not a directory"):
        (Folder.at(tmp_path / "runs") / "tiny").write("a", b"1")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("foo://bar/runs", "foo://bar/runs: no such kind of storage; there are paths, s3://, gs://, "),
        ("S3://bucket/runs", "S3://bucket/runs: no such kind of storage"),
        ("s3://", "s3://: no bucket or folder is named"),
        ("s3:///runs", "s3:///runs: Missing bucket name in S3 URI"),
        ("s3://bucket/runs?regio=x", "s3://bucket/runs: Unexpected query parameter in S3 URI: 'regio'"),
        ("file://elsewhere/runs", "file://elsewhere/runs: not a valid URI"),
        (f"s3://AKIA1:{PRIVATE}@/runs", "s3:///runs: Missing bucket name"),
        (f"foo://AKIA1:{PRIVATE}@bucket/runs?token={PRIVATE}", "foo://bucket/runs: no such kind of storage"),
        (
            f"s3://AKIA1:a/b{PRIVATE}@bucket/runs",
            "s3://bucket/runs: not a valid URI; in keys and passwords, / is ",
        ),
        (f"s3://AKIA1:%{PRIVATE}@bucket/runs", "s3://bucket/runs: not a valid URI"),
        (f"s3://AKIA1:a?b{PRIVATE}@bucket/runs", "s3://bucket/runs: not a valid URI"),
        (f"s3://AKIA1:a#b{PRIVATE}@bucket/runs", "s3://bucket/runs: not a valid URI"),
        (f"s3://AKIA1:a@b{PRIVATE}@bucket/runs", "s3://bucket/runs: "),
        (f"gs://{PRIVATE}@bucket/runs", "gs://bucket/runs: "),
    ],
)
def test_a_uri_that_is_no_good_is_refused_without_its_secrets(uri, message):
    with pytest.raises(StoreError) as refused:
        Folder.at(uri)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)
    shown = repr(refused.getrepr(style="long", showlocals=False)) + str(refused.value.__cause__)
    assert PRIVATE not in shown
    assert PRIVATE not in redacted(uri)


@pytest.mark.parametrize("key", [f"AKIA1:{PRIVATE}", f"AKIA1:%2F{PRIVATE}%2B"])
def test_nothing_shows_the_keys_of_a_folder(key):
    folder = Folder.at(f"s3://{key}@bucket/runs?region=eu-north-1&endpoint_override=127.0.0.1:1&scheme=http")
    within = folder / "tiny"
    assert str(within) == "s3://bucket/runs/tiny"
    assert within.path == "bucket/runs/tiny"
    for shown in (str(within), repr(within), f"{within!s}", repr(within.parent), repr(vars(within)["files"])):
        assert PRIVATE not in shown
        assert "AKIA1" not in shown
    assert pickle.loads(pickle.dumps(within)) == within  # noqa: S301 - our own


def test_a_path_is_no_uri_and_is_shown_as_it_is():
    assert [is_uri(place) for place in ("runs", "/a/b", "C:/runs", "a:b/c", "http:/x")] == [False] * 5
    assert redacted("runs?a=b@c") == "runs?a=b@c"
    assert [str(Folder.at(place)) for place in ("runs/", "./runs", "")] == ["runs", "runs", "."]
    assert Folder.at(Path("runs")).path == str(Path.cwd() / "runs")


def test_nothing_is_left_of_a_write_that_was_interrupted(tmp_path, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Folder.at(tmp_path / "new").write("a", b"1")
    assert list((tmp_path / "new").iterdir()) == []


def test_two_writers_of_one_file_leave_one_of_both(tmp_path):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", KEEPS_WRITING, str(tmp_path)], env=outside(), stdout=subprocess.DEVNULL
        )
        for _ in range(2)
    ]
    folder = Folder.at(tmp_path)
    try:
        wait_until(lambda: folder.has("part.parquet"))
        for _ in range(200):
            assert whole(folder.read("part.parquet").to_pybytes())
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
