"""The chaos benchmark survives what it does, and would say so if it had not."""

from __future__ import annotations

import importlib
import os
import random
import re
import socket
import socketserver
import subprocess
import sys
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest
from commands import ROOT, clsweep, outside, spec, store

from results.storage import Folder, StoreError

KINDS = ("driver", "trial process", "raylet", "full disk", "S3 server cut off", "truncated part")


@pytest.fixture
def module(monkeypatch):
    """A module of the benchmark by its name."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module


@pytest.mark.timeout(600)
def test_sweeps_survive_a_fault_of_each_kind_in_the_short_form():
    command = [sys.executable, str(ROOT / "benchmarks" / "chaos.py"), "--short"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=outside())
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^\| ([\w ]+) \| (\d+) \| (\d+) \|$", done.stdout, flags=re.MULTILINE)
    survived = {kind: int(count) for kind, count, _ in rows}
    assert survived.pop("all") == sum(survived.values())
    assert list(survived) == list(KINDS)
    assert min(survived.values()) >= 1
    assert re.search(
        r"^to repeat it: python benchmarks/chaos.py --seed \d+ --short$", done.stdout, re.MULTILINE
    )
    assert "bit for bit" in done.stdout.splitlines()[-1]


@pytest.fixture
def differences(tmp_path, monkeypatch, module):
    """What a run on a disk and the same one undisturbed differ in; both are in the current folder."""
    monkeypatch.chdir(tmp_path)
    spec()
    for storage in ("runs", "undisturbed"):
        assert clsweep("run", "tiny.yaml", "--local", "--storage", storage).exit_code == 0
    run = module("chaos_run")
    part = run.Part("tiny", "2", ("naive",), tasks=3, units=16, iterations=5, faults={})

    def found() -> list[str]:
        chaos = run.Chaos(tmp_path, random.Random(0))  # noqa: S311 - nothing happens here
        place = SimpleNamespace(place=str(tmp_path / "runs"))
        module("chaos_compare").compare(chaos, part, place, store(storage="undisturbed"))
        return chaos.problems

    return found


def test_two_runs_of_a_sweep_are_the_same_but_for_their_timings(differences):
    assert differences() == []


def test_a_last_bit_a_row_too_many_and_a_damaged_part_are_found(differences, tmp_path):
    run = store()
    first, second, third = sorted(run.statuses())[:3]
    accuracy, tasks = (table.to_pylist() for table in (run.accuracy(), run.tasks()))
    rows = [row for row in accuracy if row["trial_id"] == first]
    run.write_accuracy(first, [*rows[:-1], rows[-1] | {"accuracy": rows[-1]["accuracy"] + 2**-53}])
    rows = [row for row in tasks if row["trial_id"] == second]
    run.write_tasks(second, [*rows, rows[0]])
    os.truncate(tmp_path / "runs" / "tiny" / "accuracy" / f"{third}.parquet", 100)
    lost = sum(row["trial_id"] == third for row in accuracy)
    found = differences()
    assert f"tiny, accuracy: {lost + 1} rows missing, 1 unexpected" in found
    assert "tiny, tasks: 0 rows missing, 1 unexpected" in found
    assert any(f"accuracy/{third}.parquet" in problem for problem in found)
    assert any(problem.startswith("clsweep check: exit code 1") for problem in found)


def test_few_faults_and_faults_between_tasks_are_no_proof(module):
    chaos, hit, event = module("chaos"), module("chaos_faults").Hit, module("chaos_trace").Event
    within, after = (event(1, 0.0, what, "trial", "naive", 0) for what in ("learning", "learned"))
    many = [hit(kind, "", 1.0, (within,)) for kind in KINDS for _ in range(4)]
    assert chaos.lacking(many, short=False) == []
    assert chaos.lacking(many[:-2], short=False) == ["only 2 of truncated part, not 3"]
    assert chaos.lacking(many[:-2], short=True) == []
    assert chaos.lacking([*many[::2], *(hit(each.kind, "", 1.0, (after,)) for each in many)], short=True) == [
        "only 12 of 36 faults in the middle of a task"
    ]


class Echo(socketserver.BaseRequestHandler):
    """Says what it hears."""

    def handle(self) -> None:
        """Go on until the line is cut."""
        with suppress(ConnectionResetError):
            while heard := self.request.recv(100):
                self.request.sendall(heard)


@pytest.fixture
def line(module):
    """A line to a server that says what it hears."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever).start()
        line = module("chaos_storage").Wire(server.server_address[1])
        yield line
        line.close()
        server.shutdown()


def answer(connection: socket.socket) -> bytes:
    connection.sendall(b"hello")
    return connection.recv(5)


def test_a_line_that_is_cut_resets_and_refuses_until_it_is_mended(line):
    place = ("127.0.0.1", line.port)
    with socket.create_connection(place, timeout=10) as connection:
        assert answer(connection) == b"hello"
        line.cut()
        with pytest.raises(ConnectionResetError):
            answer(connection)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place, timeout=10)
    line.mend()
    with socket.create_connection(place, timeout=10) as connection:
        assert answer(connection) == b"hello"


def test_where_nothing_can_be_mounted_a_stub_is_full_until_it_is_mended(module, tmp_path, monkeypatch):
    monkeypatch.setattr(Folder, "write", Folder.write)
    folder = Folder.at(tmp_path / "disk" / "runs")
    with module("chaos_storage").Disk(tmp_path / "disk", mount=False) as disk:
        module("chaos_driver").obey(disk.stub)
        folder.write("part", b"before")
        disk.fail()
        with pytest.raises(StoreError, match="No space left on device"):
            folder.write("part", b"after")
        assert folder.read("part").to_pybytes() == b"before"
        disk.mend()
        folder.write("part", b"after")
    assert folder.read("part").to_pybytes() == b"after"
