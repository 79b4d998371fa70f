"""Trials and what they report, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cl.registry import METHODS, MLPSettings, SplitSettings, TrainSettings
from cl.training import Score, TaskReport
from orchestrator.identity import ScenarioKey, StreamFacts
from orchestrator.outcome import Outcome
from orchestrator.recording import Recorder, Watcher
from orchestrator.writing import Writer
from results.store import Store
from sweeps.trials import Resources, Scenario, Trial


def trial(
    method: str = "naive",
    seed: int = 0,
    *,
    label: str = "class-il/split-digits",
    stream: str = "split",
    tasks: int = 2,
    resources: Resources | None = None,
    hyperparameters: dict[str, object] | None = None,
    **train: object,
) -> Trial:
    """A trial on the digits; *train* overrides training settings."""
    return Trial(
        scenario=Scenario(
            label.partition("/")[0], stream, ("digits",), SplitSettings(tasks=tasks).resolved(), label
        ),
        method=method,
        hyperparameters=METHODS[method].settings.model_validate(hyperparameters or {}).resolved(),
        seed=seed,
        model=MLPSettings(hidden=(16,)).resolved(),
        train=TrainSettings.model_validate(train).resolved(),
        resources=resources or Resources(),
        data_digest="d1g175",
    )


def report(task: int, *accuracies: float | None, **values: object) -> TaskReport:
    """The report after *task* with the test accuracy on each task, of 10 examples each."""
    scores = tuple(Score(i, "test", accuracy, 10) for i, accuracy in enumerate(accuracies))
    return TaskReport(task, scores, **values)


def outcome(*columns: Sequence[float | None], status: str = "running", **values: object) -> Outcome:
    """An outcome whose reports are *columns* of the accuracy matrix, the untrained model's first."""
    reports = tuple(report(task, *accuracies) for task, accuracies in enumerate(columns, start=-1))
    return Outcome(reports, status, **values)


def recorder(
    store: Store,
    streams: Mapping[ScenarioKey, StreamFacts | int],
    watcher: Watcher | None = None,
    **options: object,
) -> Recorder:
    """A recorder with a writer of its own, which does not wait for storage that fails.

    *streams* may give the number of tasks alone.
    """
    facts = {
        key: StreamFacts(each, chance=0.5) if isinstance(each, int) else each for key, each in streams.items()
    }
    return Recorder(store, Writer(patience_s=0), "tiny", facts, watcher or Watching(), **options)


class Watching:
    """A watcher that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def started(self, trial: Trial) -> None:
        """Remember the start."""
        self.told.append((trial.id, "started"))

    def reported(self, trial: Trial, outcome: Outcome) -> None:
        """Remember the status."""
        self.told.append((trial.id, outcome.status))

    def waiting(self, trial: Trial) -> None:
        """Remember that it waits."""
        self.told.append((trial.id, "waiting"))
