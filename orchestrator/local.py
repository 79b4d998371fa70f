"""Runs trials one after another in this process: the twin of the Ray runner for tests and the debugger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.checkpoints import Checkpoints
from orchestrator.outcome import outcomes_of
from orchestrator.pieces import Piece, Source
from orchestrator.recording import Recorder
from orchestrator.trial import Data
from sweeps.trials import Trial


def run_local(
    work: Sequence[Trial] | Source,
    data: Data,
    recorder: Recorder,
    checkpoints: Checkpoints | None = None,
) -> None:
    """Run *work* in order, recording each task as it is learned."""
    pieces = map(Piece, work) if isinstance(work, Sequence) else _pieces(work, recorder)
    for trial, until in pieces:
        recorder.started(trial)
        for outcome in outcomes_of(trial, data[trial.data], checkpoints, until):
            recorder.reported(trial, outcome)
            if recorder.writer.failure:
                raise recorder.writer.failure


def _pieces(source: Source, recorder: Recorder) -> Iterator[Piece]:
    """What *source* has to run, until it has nothing any more; one at a time, nothing is ever waited for."""
    while not source.finished:
        for trial in source.leaving():
            recorder.stopped(trial)
        if piece := source.next():
            yield piece
