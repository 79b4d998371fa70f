"""What the processes of a sweep were doing, from the notes of `chaos_driver`: a file per process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Event:
    """A note of a process."""

    process: int
    time: float
    what: str
    """``learning``: it began a task; ``learned``: it ended one; ``trouble``: it could not save it;
    ``failed`` or ``diverged``: the trial ended so."""
    trial: str
    method: str
    task: int

    def told(self, now: float) -> str:
        """It in words, *now* being when something happened."""
        if self.what == "learning":
            return f"task {self.task} of {self.method} {self.trial}, {now - self.time:.1f} s after it began"
        return f"after task {self.task} of {self.method} {self.trial}"


@dataclass(frozen=True)
class Traces:
    """The notes of all processes."""

    folder: Path

    def events(self, process: int | str = "*") -> Iterator[Event]:
        """All notes, or those of one process."""
        for path in self.folder.glob(str(process)):
            for line in path.read_text(encoding="utf-8").splitlines():
                when, what, trial, method, task = line.split()
                yield Event(int(path.name), float(when), what, trial, method, int(task))

    def learning(self) -> list[Event]:
        """What the processes that live are in the middle of."""
        last = {event.process: event for event in self.events()}
        return [event for event in last.values() if event.what == "learning" and lives(event.process)]

    def last(self, process: int) -> Event:
        """The last words of a process."""
        return list(self.events(process))[-1]

    def learned(self) -> int:
        """How many tasks have been learned, each counted once."""
        return len({(event.trial, event.task) for event in self.events() if event.what == "learned"})

    def troubled(self, since: float) -> bool:
        """Whether a trial could not be saved since then."""
        return any(event.what == "trouble" and event.time > since for event in self.events())


def lives(process: int) -> bool:
    """Whether it runs; one that is dead and not yet buried does not."""
    state = _stat(process)
    return bool(state) and state[0] not in "ZX"


def started_in(folder: Path) -> list[int]:
    """The processes whose environment names *folder*, as that of everything it starts does."""
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if _names(path, folder)]


def _names(environment: Path, folder: Path) -> bool:
    try:
        return str(folder).encode() in environment.read_bytes()
    except OSError:  # it has ended, or is somebody else's
        return False


def parent(process: int) -> int:
    """The process that started it; 0 if it is gone."""
    state = _stat(process)
    return int(state[1]) if state else 0


def _stat(process: int) -> list[str]:
    try:  # its name, in brackets, may hold anything
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []
