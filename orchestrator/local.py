"""Runs trials one after another in this process: the twin of the Ray runner for tests and the debugger."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.checkpoints import Checkpoints
from orchestrator.outcome import outcomes_of
from orchestrator.recording import Recorder
from orchestrator.trial import Data
from sweeps.trials import Trial


def run_local(
    trials: Sequence[Trial],
    data: Data,
    recorder: Recorder,
    checkpoints: Checkpoints | None = None,
) -> None:
    """Run *trials* in order, recording each task as it is learned."""
    for trial in trials:
        recorder.started(trial)
        for outcome in outcomes_of(trial, data[trial.scenario.data], checkpoints):
            recorder.reported(trial, outcome)
            if recorder.writer.failure:
                raise recorder.writer.failure
