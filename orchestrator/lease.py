"""One driver per run: a lease that its holder renews, and that anybody may take over once it is stale."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from uuid import uuid4

from results.storage import Folder, StoreError, reason

NAME = "driver.json"
RENEW_EVERY_S = 5.0
# A driver of this machine is believed to live for so long, if there is a process of its number.
STALE_AFTER_S = 30.0
# One of another machine is watched for so long: it renews its lease meanwhile, or is dead. Clocks of two
# machines are never compared for that.
WATCH_S = 15.0
# The last renewal may hang in a storage that does not answer; whoever interrupted does not wait for it.
_LEAVE_WITHIN_S = 1.0


class Held(StoreError):  # noqa: N818 - reads as what happened
    """Another driver works on the run."""


@dataclass(frozen=True)
class Lease:
    """Who drives a run, as it is written in the run's folder."""

    holder: str
    """A random name of this driver."""
    host: str
    machine: str
    """Where its process number means something: a running system, and a container in it."""
    process: int
    renewed_ms: int
    """Milliseconds since 1970, by the holder's clock."""

    @property
    def silent_s(self) -> float:
        """Seconds since it was renewed, as far as the holder's clock agrees with this machine's."""
        return max(0.0, time.time() - self.renewed_ms / 1000)


class Hold:
    """A lease that is held: renewed from a thread of its own until it is let go.

    Attributes:
        lost: why the holder must stop, once another driver has taken the run over; None until then.
    """

    def __init__(self, folder: Folder, mine: Lease, on_lost: Callable[[StoreError], None] | None) -> None:
        self.lost: StoreError | None = None
        self._folder = folder
        self._mine = mine
        self._on_lost = on_lost
        self._reachable = True
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="clsweep-lease", daemon=True)
        self._keeper.start()

    def let_go(self) -> None:
        """Remove the lease, unless it is lost or the storage does not answer."""
        self._ended.set()
        self._keeper.join(_LEAVE_WITHIN_S)
        if self.lost or not self._reachable or self._keeper.is_alive():
            return
        with suppress(StoreError):
            if (last := _read(self._folder)) and last.holder == self._mine.holder:
                self._folder.remove(NAME)

    def _keep(self) -> None:
        while not self._ended.wait(RENEW_EVERY_S):
            try:
                # Whoever slept through his time finds another holder here, and must not drive him out.
                if (now := _read(self._folder)) and now.holder != self._mine.holder:
                    self.lost = _taken_over(self._folder, now)
                    if self._on_lost:
                        self._on_lost(self.lost)
                    return
                _write(self._folder, self._mine)
                self._reachable = True
            except StoreError:  # the rows have a patience of their own; until then, nobody else may come
                self._reachable = False


@contextmanager
def held(
    folder: Folder,
    *,
    on_lost: Callable[[StoreError], None] | None = None,
    notice: Callable[[str], None] | None = None,
) -> Iterator[Hold]:
    """Be the one driver of the run in *folder* until the block ends.

    A driver that was suspended, or cut off from the storage, may be taken for dead. It learns so once it is
    back and must stop; what both wrote meanwhile are the same rows.

    On an object store, which cannot say who was first, this is advisory: two drivers that start in the same
    moment may both go on until one finds the other.

    Args:
        folder: the run's.
        on_lost: is told, from a thread of its own, that another driver has taken over.
        notice: is told why taking the lease takes a while.

    Raises:
        Held: another driver is alive.
        StoreError: the lease cannot be read or written.
    """
    mine = Lease(uuid4().hex, socket.gethostname(), _machine(), os.getpid(), 0)
    _take(folder, mine, notice)
    hold = Hold(folder, mine, on_lost)
    try:
        yield hold
    finally:
        hold.let_go()


def holder(folder: Folder) -> Lease | None:
    """Who seems to drive the run in *folder* now; None if nobody does.

    Raises:
        StoreError: the lease cannot be read.
    """
    lease = _read(folder)
    return None if lease is None or _dead(lease) or lease.silent_s > STALE_AFTER_S else lease


def _take(folder: Folder, mine: Lease, notice: Callable[[str], None] | None) -> None:
    silent: Lease | None = None
    while True:
        with _alone(folder):
            now = _read(folder)
            if now is None or now == silent or _dead(now):
                _write(folder, mine)
                break
        if silent or now.machine == mine.machine:
            raise _refused(folder, now)
        if notice:
            notice(f"waiting to see whether process {now.process} on {now.host} still runs this sweep")
        _watch(folder, now)
        silent = now
    # Without a lock whoever wrote last holds it: of two that found nobody, one finds the other here.
    if (now := _read(folder)) and now.holder != mine.holder:
        raise _refused(folder, now)


def _watch(folder: Folder, lease: Lease) -> None:
    """Return once *lease* has not been renewed for long enough; raise `Held` if it is."""
    end = time.monotonic() + WATCH_S
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, RENEW_EVERY_S / 5))
        now = _read(folder)
        if now is None:  # it has ended
            return
        if now != lease:
            raise _refused(folder, now)


def _dead(lease: Lease) -> bool:
    """Whether its driver is known to have ended: a process of this machine that is gone, or long silent.

    A number may have been given to another process meanwhile; that one does not renew the lease.
    """
    return lease.machine == _machine() and (not _runs(lease.process) or lease.silent_s > STALE_AFTER_S)


def _refused(folder: Folder, by: Lease) -> Held:
    return Held(f"{folder}: another driver is running this sweep, process {by.process} on {by.host}")


def _taken_over(folder: Folder, by: Lease) -> Held:
    return Held(
        f"{folder}: process {by.process} on {by.host} has taken this sweep over, since nothing was heard of "
        f"this one for a while"
    )


@contextmanager
def _alone(folder: Folder) -> Iterator[None]:
    """Keep others out while the lease is looked at and taken, where the file system has locks."""
    if not folder.is_local:
        yield
        return
    path = f"{folder.path}/.{NAME}.lock"
    try:
        os.makedirs(folder.path, exist_ok=True)
        lock = _locked(path)
    except OSError as error:
        raise StoreError(f"cannot write {folder}/{NAME}: {reason(error)}") from error
    try:
        yield
    finally:
        with suppress(OSError):
            os.remove(path)
        os.close(lock)


def _locked(path: str) -> int:
    """A file at *path*, open and locked."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        with suppress(OSError):  # no locks here: advisory, as on an object store
            fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), os.stat(path)):
                return lock
        os.close(lock)  # who had it before has removed it: it keeps nobody out any more


def _write(folder: Folder, lease: Lease) -> None:
    folder.write(NAME, json.dumps(asdict(lease) | {"renewed_ms": time.time_ns() // 1_000_000}).encode())


def _read(folder: Folder) -> Lease | None:
    try:
        lease = Lease(**json.loads(folder.read(NAME).to_pybytes()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"cannot read {folder}/{NAME}: {reason(error)}") from error
    except (ValueError, TypeError):  # not one of ours
        return None
    return lease if isinstance(lease.process, int) and isinstance(lease.renewed_ms, int) else None


@cache
def _machine() -> str:
    # Nodes may share a host's name, and containers a host's name and its numbers of processes.
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True
