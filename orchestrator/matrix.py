"""The accuracy matrix of a trial from its reports."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from orchestrator.outcome import Outcome, report_tasks


def matrix_of(outcome: Outcome) -> NDArray[np.float64]:
    """R[i, j], test accuracy on task i after training task j; NaN where there is none yet."""
    tasks = len(report_tasks(outcome.reports[0]))
    R = np.full((tasks, tasks), math.nan)
    for report in outcome.reports:
        for score in report.scores:
            if report.task >= 0 and score.split == "test" and score.accuracy is not None:
                R[score.task, report.task] = score.accuracy
    return R
