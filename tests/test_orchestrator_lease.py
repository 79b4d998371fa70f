"""One driver per run: a second is refused, a dead one's lease is taken over, one taken for dead learns it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from commands import outside, wait_until

from orchestrator import lease
from orchestrator.lease import NAME, Held, held, holder
from results.storage import Folder, StoreError


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Everything that takes seconds takes a hundredth of them."""
    for name in ("RENEW_EVERY_S", "STALE_AFTER_S", "WATCH_S"):
        monkeypatch.setattr(lease, name, getattr(lease, name) / 100)


def written(folder: Folder) -> dict[str, object]:
    content: dict[str, object] = json.loads(folder.read(NAME).to_pybytes())
    return content


def leave(folder: Folder, **changes: object) -> None:
    """The lease of a driver of another machine, or as *changes* say."""
    now = {"holder": "h", "host": "far", "machine": "far 1", "process": 7, "renewed_ms": 1}
    folder.write(NAME, json.dumps(now | changes).encode())


def here(process: int, silent_s: float = 0.0) -> dict[str, object]:
    """A driver of this machine."""
    renewed_ms = int((time.time() - silent_s) * 1000)
    return {"machine": lease._machine(), "host": "here", "process": process, "renewed_ms": renewed_ms}


def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_the_driver_is_named_while_the_block_lasts_and_nothing_is_left_of_it(place):
    folder = Folder.at(place)
    assert holder(folder) is None
    with held(folder) as hold:
        found = holder(folder)
        assert found is not None
        assert (found.host, found.process) == (socket.gethostname(), os.getpid())
        assert hold.lost is None
    assert holder(folder) is None
    assert folder.entries() == []
    assert folder.is_local is False or os.listdir(place) == []
    assert [thread.name for thread in threading.enumerate() if thread.name == "clsweep-lease"] == []


def test_a_second_driver_is_refused_with_host_and_process_of_the_first(place):
    folder = Folder.at(place)
    with held(folder):
        refused = rf"^{folder}: another driver is running this sweep, process {os.getpid()} on \S+$"
        with pytest.raises(Held, match=refused), held(folder):
            pass
        assert holder(folder) is not None, "the first still drives it"
    with held(folder):
        pass


def test_an_interrupted_driver_gives_the_lease_back(tmp_path):
    with pytest.raises(KeyboardInterrupt), held(Folder.at(tmp_path)):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_a_lease_is_renewed(place):
    folder = Folder.at(place)
    with held(folder):
        first = written(folder)["renewed_ms"]
        wait_until(lambda: written(folder)["renewed_ms"] > first)


DRIVES = """
import sys, time
from orchestrator import lease
from results.storage import Folder
lease.RENEW_EVERY_S = 0.05
with lease.held(Folder.at(sys.argv[1])):
    print("driving", flush=True)
    time.sleep(100)
"""


def driver(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVES, str(folder)], env=outside(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "driving\n"
    return process


def test_a_killed_driver_of_this_machine_is_replaced_at_once(tmp_path):
    with driver(tmp_path) as first:
        with (
            pytest.raises(Held, match=f"process {first.pid} on {socket.gethostname()}"),
            held(Folder.at(tmp_path)),
        ):
            pass
        first.kill()
        first.wait()
        with held(Folder.at(tmp_path), notice=pytest.fail):
            assert written(Folder.at(tmp_path))["process"] == os.getpid()


def test_a_process_that_has_the_number_of_a_dead_driver_does_not_hold_the_run(tmp_path):
    folder = Folder.at(tmp_path)
    leave(folder, **here(os.getppid()))
    with pytest.raises(Held, match=f"process {os.getppid()} on here"), held(folder):
        pass
    leave(folder, **here(os.getppid(), silent_s=lease.STALE_AFTER_S + 0.1))
    assert holder(folder) is None
    with held(folder, notice=pytest.fail):
        pass


def test_a_process_number_means_nothing_on_another_machine(tmp_path):
    folder = Folder.at(tmp_path)
    leave(folder, process=gone(), host=socket.gethostname())
    said: list[str] = []
    with held(folder, notice=said.append):
        assert written(folder)["holder"] != "h"
    assert len(said) == 1
    assert said[0].endswith(f"on {socket.gethostname()} still runs this sweep")


@pytest.mark.parametrize("renewed_ms", [0, 10**15], ids=["its clock is late", "its clock is early"])
def test_a_silent_driver_of_another_machine_is_replaced_whatever_its_clock_says(place, renewed_ms):
    folder = Folder.at(place)
    leave(folder, renewed_ms=renewed_ms)
    started = time.monotonic()
    with held(folder):
        assert time.monotonic() - started >= lease.WATCH_S
        assert written(folder)["process"] == os.getpid()


@pytest.mark.parametrize("renewed_ms", [0, 10**15], ids=["its clock is late", "its clock is early"])
def test_a_living_driver_of_another_machine_is_not_replaced_whatever_its_clock_says(tmp_path, renewed_ms):
    folder = Folder.at(tmp_path)
    leave(folder, renewed_ms=renewed_ms)
    with (
        pytest.raises(Held, match="process 7 on far"),
        held(folder, notice=lambda _: leave(folder, renewed_ms=renewed_ms + 1)),
    ):
        pass
    assert written(folder)["holder"] == "h"


def test_a_driver_that_ends_while_it_is_watched_is_replaced(tmp_path):
    folder = Folder.at(tmp_path)
    leave(folder)
    with held(folder, notice=lambda _: folder.remove(NAME)):
        pass


def test_of_many_that_come_at_once_one_drives(tmp_path):
    folder = Folder.at(tmp_path)
    leave(folder, **here(gone()))
    gate, end, refused, holds = threading.Barrier(8), threading.Event(), [], []

    def come() -> None:
        gate.wait()
        try:
            with held(folder) as hold:
                holds.append(hold)
                end.wait()
        except Held as error:
            refused.append(error)

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(refused) + len(holds) == 8)
    end.set()
    for thread in threads:
        thread.join()
    assert (len(holds), len(refused)) == (1, 7)
    assert holds[0].lost is None
    assert os.listdir(tmp_path) == []


def test_a_lock_that_its_owner_has_removed_keeps_nobody_out(tmp_path):
    path = str(tmp_path / "lock")
    first = lease._locked(path)
    got: list[int] = []
    waiting = threading.Thread(target=lambda: got.append(lease._locked(path)))
    waiting.start()
    wait_until(lambda: open_files(path) == 2)
    os.remove(path)
    os.close(first)
    waiting.join()
    assert os.path.samestat(os.fstat(got[0]), os.stat(path)), "else another could lock the new file as well"
    os.close(got[0])


def open_files(path: str) -> int:
    """How often this process has that file open."""
    links = (os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())
    return sum(link == path for link in links)


def test_a_driver_that_was_taken_for_dead_learns_it_and_does_not_drive_the_other_out(place):
    folder = Folder.at(place)
    told: list[StoreError] = []
    with held(folder, on_lost=told.append) as hold:
        leave(folder, process=8, host="other")
        wait_until(lambda: hold.lost is not None)
        assert told == [hold.lost]
        assert str(hold.lost).startswith(f"{folder}: process 8 on other has taken this sweep over")
        assert isinstance(hold.lost, StoreError)
    assert written(folder)["process"] == 8


def test_a_suspended_driver_is_replaced_and_stops_once_it_wakes(tmp_path):
    with driver(tmp_path) as first:
        first.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: holder(Folder.at(tmp_path)) is None)
            with held(Folder.at(tmp_path)) as hold:
                first.send_signal(signal.SIGCONT)
                seen = written(Folder.at(tmp_path))["renewed_ms"]
                wait_until(lambda: written(Folder.at(tmp_path))["renewed_ms"] != seen)
                assert written(Folder.at(tmp_path))["process"] == os.getpid()
                assert hold.lost is None
        finally:
            first.kill()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"5", b"\xff", b'{"holder": "h"}', b'{"pid": 1, "host": "h"}'],
)
def test_a_lease_that_nobody_could_have_written_is_none(tmp_path, content):
    folder = Folder.at(tmp_path)
    folder.write(NAME, content)
    assert holder(folder) is None
    with held(folder, notice=pytest.fail):
        assert written(folder)["process"] == os.getpid()
    leave(folder, process="seven")
    with held(folder, notice=pytest.fail):
        pass


def test_a_lease_that_somebody_deletes_is_written_again(tmp_path):
    folder = Folder.at(tmp_path)
    with held(folder) as hold:
        folder.remove(NAME)
        wait_until(lambda: folder.has(NAME))
        assert hold.lost is None


def test_storage_that_fails_for_a_while_does_not_lose_the_lease(tmp_path, monkeypatch):
    folder = Folder.at(tmp_path)
    failures = []
    write = Folder.write

    def fails(*arguments: object) -> None:
        failures.append(arguments)
        raise StoreError("no room")

    with held(folder) as hold:
        monkeypatch.setattr(Folder, "write", fails)
        wait_until(lambda: len(failures) > 2)
        before = written(folder)
        monkeypatch.setattr(Folder, "write", write)
        wait_until(lambda: written(folder) != before)
        assert hold.lost is None
    assert os.listdir(tmp_path) == []


def test_a_run_that_cannot_be_written_cannot_be_driven(tmp_path):
    (tmp_path / "run").write_text("a file in the way")
    with (
        pytest.raises(StoreError, match=r"cannot write \S+/run/driver\.json: "),
        held(Folder.at(tmp_path / "run")),
    ):
        pass


def test_ending_does_not_wait_for_storage_that_is_gone(s3):
    folder = Folder.at(s3.uri(f"{s3.bucket()}/run"))
    with held(folder) as hold:
        s3.stop()
        try:
            wait_until(lambda: not hold._reachable)
            started = time.monotonic()
            hold.let_go()
            assert time.monotonic() - started < 2
        finally:
            s3.start()
