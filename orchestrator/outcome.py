"""What a trial has to say after each step: its reports so far, and how it ended if it has."""

from __future__ import annotations

import math
import socket
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cl.datasets import Dataset
from cl.learner import Diverged
from cl.training import TaskReport
from orchestrator.checkpoints import Checkpoints
from orchestrator.environment import cpu_model, gpu_model, packages
from orchestrator.trial import Progress, course_of
from results.schema import COMPLETE, DIVERGED, FAILED, RUNNING, diagnostic_columns
from sweeps.trials import Trial


# Tune spells every result out, for a debug message that nobody reads.
@dataclass(frozen=True, repr=False)
class Outcome:
    """A trial's state after a step.

    Attributes:
        reports: everything reported so far, so that a lost or repeated outcome does no harm.
        status: ``running``, ``complete``, ``failed`` or ``diverged``.
        cause: in one line, why it failed or diverged.
        error: the whole traceback of a failure.
        host, cpu_model, gpu_model: where it ran; without a GPU, or where it is unknown, `gpu_model` is None.
        packages: with what, versions by name as a JSON object.
        peak_memory_bytes: largest resident memory of the process during the trial, None where unknown.
        checkpoint: whether something is saved from which it can go on.
        trouble: why the last checkpoint could not be written.
    """

    reports: tuple[TaskReport, ...]
    status: str
    cause: str | None = None
    error: str | None = None
    host: str = ""
    cpu_model: str = ""
    gpu_model: str | None = None
    packages: str = "{}"
    peak_memory_bytes: int | None = None
    checkpoint: bool = False
    trouble: str | None = None

    @property
    def n_tasks(self) -> int:
        """Number of tasks of the stream."""
        return self.reports[0].n_tasks

    @property
    def learned(self) -> int:
        """Tasks learned so far."""
        return max(0, len(self.reports) - 1)

    def matrix(self, split: str = "test") -> NDArray[np.float64]:
        """R[i, j], accuracy on task i after training task j; NaN where there is none yet."""
        R = np.full((self.n_tasks, self.n_tasks), math.nan)
        for report in self.reports:
            for score in report.scores:
                if report.task >= 0 and score.split == split and score.accuracy is not None:
                    R[score.task, report.task] = score.accuracy
        return R


def outcomes_of(
    trial: Trial,
    data: Sequence[Dataset],
    checkpoints: Checkpoints | None = None,
    until: int | None = None,
) -> Iterator[Outcome]:
    """Run *trial*, yielding an outcome per task; the last is not ``running``. Never raises `Exception`.

    With *checkpoints* it goes on after the task that was saved last, and its outcomes begin there. After
    *until* tasks it pauses, and its last outcome is ``running``.
    """
    _reset_peak_memory()
    last = Progress((), checkpoint=False)
    try:
        for last in course_of(trial, data, checkpoints, until):
            report = last.reports[-1]
            diagnostic_columns(report.diagnostics)  # a method's slip fails its trial here, not the driver
            if report.task >= 0:
                yield _outcome(trial, last, COMPLETE if report.task == report.n_tasks - 1 else RUNNING)
    except Diverged as result:
        yield _outcome(trial, last, DIVERGED, str(result))
    except Exception as error:  # noqa: BLE001 - whatever a method raises is recorded as the trial's failure
        yield _outcome(trial, last, FAILED, _cause(error), traceback.format_exc())


def _outcome(
    trial: Trial, last: Progress, status: str, cause: str | None = None, error: str | None = None
) -> Outcome:
    return Outcome(
        last.reports,
        status,
        cause,
        error,
        host=socket.gethostname(),
        cpu_model=cpu_model(),
        gpu_model=gpu_model(trial.resources.device_type),
        packages=packages(),
        peak_memory_bytes=_peak_memory_bytes(),
        checkpoint=last.checkpoint,
        trouble=last.trouble,
    )


def _cause(error: Exception) -> str:
    first = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _reset_peak_memory() -> None:
    """Let Linux measure the peak anew, since a warm process outlives its trials."""
    clear = Path("/proc/self/clear_refs")
    try:
        clear.write_text("5")
    except OSError:
        return


def _peak_memory_bytes() -> int | None:
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None
