"""Where a process's chatter goes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import outside

from orchestrator.quiet import chatter_to, ray_log
from results.storage import Folder
from results.store import StoreError

CHATTY = """
import os, pathlib, sys
from orchestrator.quiet import chatter_to
print("before")
with chatter_to(pathlib.Path("new/ray.log")) as console:
    print("from Python")
    print("an error", file=sys.stderr)
    os.write(1, b"from C++\\n")
    os.write(2, b"and its errors\\n")
    console.print("for the person")
print("afterwards")
"""


def test_everything_goes_to_the_log_but_the_console(tmp_path):
    # A process of its own: pytest puts streams in place of sys.stdout that have no file descriptor.
    finished = subprocess.run(
        [sys.executable, "-c", CHATTY],
        cwd=tmp_path,
        env=outside(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (finished.stdout, finished.stderr) == ("before\nfor the person\nafterwards\n", "")
    logged = (tmp_path / "new" / "ray.log").read_text()
    assert sorted(logged.splitlines()) == ["an error", "and its errors", "from C++", "from Python"]


def test_the_log_of_an_earlier_run_is_kept(tmp_path):
    log = tmp_path / "ray.log"
    for word in ("first", "second"):
        with chatter_to(log):
            os.write(1, f"{word}\n".encode())
    assert log.read_text() == "first\nsecond\n"


def test_the_terminal_is_back_after_an_error(tmp_path, capfd):
    with pytest.raises(ZeroDivisionError), chatter_to(tmp_path / "ray.log"):
        raise ZeroDivisionError
    os.write(1, b"back\n")
    os.write(2, b"here too\n")
    assert capfd.readouterr() == ("back\n", "here too\n")


def test_a_log_that_cannot_be_written_is_named_before_anything_is_sent_there(tmp_path):
    (tmp_path / "file").write_text("")
    log = tmp_path / "file" / "ray.log"
    with pytest.raises(StoreError, match=rf"^cannot write {log}: "), chatter_to(log):
        pass


@pytest.mark.parametrize(
    ("run", "log"),
    [
        ("some where/x", "some where/x/ray.log"),
        ("s3://key:secret@bucket/sweeps/x?region=eu-north-1", "runs/x/ray.log"),
    ],
)
def test_the_log_lies_with_the_rows_or_on_this_machine_if_they_are_elsewhere(run, log):
    assert ray_log(Folder.at(run)) == Path(log)


def test_no_file_stays_open(tmp_path):
    def open_files():
        return {number for number in range(64) if _is_open(number)}

    before = open_files()
    with chatter_to(tmp_path / "ray.log"):
        pass
    assert open_files() == before


def _is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
