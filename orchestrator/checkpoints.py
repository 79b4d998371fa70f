"""What a trial needs to go on at its next task, here or on another machine: whole or absent, safe to load."""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import torch
from torch.serialization import get_unsafe_globals_in_checkpoint

from cl.training import Score, TaskReport
from results.storage import Folder, StoreError, reason

FORMAT = 1
"""Raised when the layout of a checkpoint changes; others are not read."""


@dataclass(frozen=True)
class Saved:
    """A trial between two tasks."""

    reports: tuple[TaskReport, ...]
    """From the untrained model's on."""
    trainer: dict[str, Any]
    """As `cl.trainer.Trainer.state` gave it."""


class Checkpoints:
    """The checkpoints of a run's trials, a folder each.

    A file's name says which task it was taken after and what its content hashes to. So a file that is cut
    short is told from a whole one, and two processes that happen to run the same trial, which write the same
    bits, do not harm each other: nothing is ever replaced by anything else.

    Args:
        folder: where they are; every machine that runs trials must see it.
        every_s: seconds after which the next end of a task is worth saving; 0 saves every one.
    """

    def __init__(self, folder: Folder, every_s: float = 10.0) -> None:
        self.folder = folder
        self.every_s = every_s
        self._last = time.monotonic()

    def begin(self) -> None:
        """Start the clock of a trial."""
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether so much time has passed that saving is worth it."""
        return time.monotonic() - self._last >= self.every_s

    def save(self, trial_id: str, saved: Saved) -> None:
        """Write the trial's checkpoint, then remove its earlier ones.

        Raises:
            StoreError: it cannot be written, or holds what cannot be read back safely; the earlier ones are
                still there.
        """
        content = _written(saved)
        folder, task = self.folder / trial_id, len(saved.reports) - 2
        folder.write(f"{task:06d}-{_digest(content)}.pt", content)
        self._last = time.monotonic()
        with suppress(StoreError):  # earlier ones are in nobody's way
            for name, of_task in _names(folder).items():
                if of_task < task:
                    folder.remove(name)

    def latest(self, trial_id: str, device: str = "cpu") -> Saved | None:
        """The trial's last checkpoint that is whole; None if there is none, or none can be reached."""
        folder = self.folder / trial_id
        with suppress(StoreError):
            for name in reversed(_names(folder)):
                try:
                    content = folder.read(name)
                except OSError:
                    continue
                if _digest(content) == name[_DIGEST] and (saved := _loaded(content, device)):
                    return saved
        return None

    def forget(self, trial_id: str) -> None:
        """Remove all that is saved of a trial that has ended.

        Raises:
            StoreError: it cannot be removed.
        """
        (self.folder / trial_id).remove_all()


_DIGEST = slice(7, -3)


def _names(folder: Folder) -> dict[str, int]:
    """The checkpoints in *folder*, in order, each with the task that it was taken after."""
    names = [entry.name for entry in folder.entries()]
    return {name: int(name[:6]) for name in names if re.fullmatch(r"\d{6}-[0-9a-f]{32}\.pt", name)}


def _written(saved: Saved) -> bytes:
    buffer, of = io.BytesIO(), saved.trainer.get("of", "the method")
    try:
        # As JSON, which gives every float back bit for bit: numbers of NumPy's types would not be loaded.
        reports = json.dumps([asdict(each) for each in saved.reports], default=_number)
        torch.save({"format": FORMAT, "reports": reports, "trainer": saved.trainer}, buffer)
    except Exception as error:  # a plug-in's state may hold anything
        raise StoreError(f"no checkpoint: the state of {of} cannot be written: {reason(error)}") from error
    buffer.seek(0)
    if unsafe := get_unsafe_globals_in_checkpoint(buffer):
        raise StoreError(
            f"no checkpoint: the state of {of} holds {', '.join(sorted(unsafe))}; "
            "only tensors, numbers, texts, lists and mappings can be read back safely"
        )
    return buffer.getvalue()


def _loaded(content: pa.Buffer, device: str) -> Saved | None:
    """What *content* holds; None if this version did not write it."""
    try:
        # Weights only: what is read back is tensors and plain values, and runs no code.
        state = torch.load(io.BytesIO(content), weights_only=True, map_location=device)
        if state["format"] != FORMAT:
            return None
        return Saved(tuple(map(_report, json.loads(state["reports"]))), state["trainer"])
    except Exception:  # noqa: BLE001 - torch may raise anything about a file that is no checkpoint of ours
        return None


def _digest(content: bytes | pa.Buffer) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _report(values: dict[str, Any]) -> TaskReport:
    scores = tuple(Score(**score) for score in values["scores"])
    return TaskReport(**{**values, "scores": scores})


def _number(value: Any) -> float:
    """A plain number for one of NumPy's or PyTorch's."""
    number: float = value.item()
    return number
