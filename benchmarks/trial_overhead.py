"""What a trial costs beside its training: five empty steps through `run_on_ray`, against bare Ray Tune.

Ours reports an accuracy for each of five tasks after each step, and its rows are written to Parquet. Bare Ray
Tune has the same settings (warm actors, no loggers), a step that does nothing, and writes nothing. Both run
in turn on the same Ray. A trial's cost is the wall time between the end of an early trial and the end of the
last one, by the trials between: the start of the processes is left out. Ours ends when its row is on disk.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from machine import machine
from ray import tune

from cl.datasets import Dataset, load
from cl.registry import MLPSettings, TrainSettings
from cl.training import Score, TaskReport
from orchestrator.checkpoints import Checkpoints
from orchestrator.cluster import connected
from orchestrator.identity import StreamFacts, scenario_key
from orchestrator.on_ray import run_on_ray
from orchestrator.outcome import Outcome
from orchestrator.quiet import chatter_to
from orchestrator.recording import Recorder
from orchestrator.trial import Data
from orchestrator.writing import Writer
from results.schema import COMPLETE, RUNNING
from results.store import Store
from sweeps.trials import Resources, Scenario, Trial

TASKS = 5
WARM = 20
"""Trials that pass before the clock starts."""
TARGET_MS = 15.0


class Ends(tune.Callback):
    """Notes when the trials of bare Ray Tune end, in seconds."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Be nothing in Tune's snapshots."""
        return tune.Callback, ()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note the time."""
        del iteration, trials, trial, info
        self.times.append(time.time())


class Silent:
    """A watcher that shows nothing."""

    def started(self, trial: Trial) -> None:
        """Show nothing."""

    def reported(self, trial: Trial, outcome: Outcome) -> None:
        """Show nothing."""

    def waiting(self, trial: Trial) -> None:
        """Show nothing."""


class EmptySteps(tune.Trainable):
    """Five steps that do nothing."""

    def setup(self, config: dict[str, Any]) -> None:
        """Begin."""
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin again."""
        del new_config
        self._steps = 0
        return True

    def step(self) -> dict[str, Any]:
        """Count."""
        self._steps += 1
        return {"done": self._steps == TASKS}


def empty_outcomes(
    trial: Trial,
    data: Sequence[Dataset],
    checkpoints: Checkpoints | None = None,
    until: int | None = None,
) -> Iterator[Outcome]:
    """A trial's reports without the training."""
    del data, checkpoints, until
    reports = [TaskReport(-1, _scores(trial, -1))]
    for task in range(TASKS):
        reports.append(TaskReport(task, _scores(trial, task), steps=1, loss=0.5, parameters=1000))
        yield Outcome(tuple(reports), COMPLETE if task == TASKS - 1 else RUNNING)


def _scores(trial: Trial, after: int) -> tuple[Score, ...]:
    """Some accuracy on each task, none on those that a class-incremental model has no output for."""
    return tuple(
        Score(task, "test", (task + 1) / (after + trial.seed + 6) if task <= after else None, 1000)
        for task in range(TASKS)
    )


def trials_of(count: int) -> list[Trial]:
    """Trials that differ by their seed."""
    label = "class-il/split-digits"
    return [
        Trial(
            Scenario("class-il", "split", ("digits",), {}, label),
            "naive",
            {},
            seed,
            MLPSettings().resolved(),
            TrainSettings().resolved(),
            Resources(),
            "",
        )
        for seed in range(count)
    ]


def ms_per_trial(ends: Iterable[float], warm: int) -> float:
    """Milliseconds from one end to the next, the first *warm* trials left out."""
    times = sorted(ends)
    return (times[-1] - times[warm - 1]) / (len(times) - warm) * 1e3


def ours_ms(trials: Sequence[Trial], data: Data, recorder: Recorder, warm: int) -> float:
    """Milliseconds per trial through `run_on_ray`, until its rows are in Parquet."""
    run_on_ray(trials, data, recorder, run=empty_outcomes)
    recorder.writer.flush()
    parts = {f"{trial.id}.parquet" for trial in trials}
    written = [part for part in (recorder.store.root / "trials").entries() if part.name in parts]
    assert len(written) == len(trials)
    return ms_per_trial((part.modified_ns / 1e9 for part in written), warm)


def bare_ms(count: int, warm: int) -> float:
    """Milliseconds per trial in bare Ray Tune."""
    ends = Ends()
    with tempfile.TemporaryDirectory(prefix="clsweep-") as folder:
        tune.Tuner(
            tune.with_resources(EmptySteps, {"cpu": 1}),
            param_space={"trial": tune.grid_search(list(range(count)))},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(
                name="bare",
                storage_path=folder,
                verbose=0,
                callbacks=[ends],
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        ).fit()
    assert len(ends.times) == count
    return ms_per_trial(ends.times, warm)


def round_ms(trials: Sequence[Trial], data: Data, warm: int) -> float:
    """`ours_ms` in a run of its own, checking that nothing is missing of it."""
    with tempfile.TemporaryDirectory(prefix="clsweep-") as folder:
        store = Store(Path(folder))
        facts = {scenario_key(trials[0]): StreamFacts(TASKS, chance=0.1)}
        recorder = Recorder(store, Writer(), "overhead", facts, Silent())
        milliseconds = ours_ms(trials, data, recorder, warm)
        assert store.trials()["status"].to_pylist() == [COMPLETE] * len(trials)
        assert len(store.accuracy()) == len(trials) * (TASKS + 1) * TASKS
    return milliseconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--quick", action="store_true", help="a few trials: shows that the script runs")
    arguments = parser.parse_args()
    rounds, count, warm = (1, 6, 2) if arguments.quick else (arguments.rounds, arguments.trials, WARM)
    print(f"{machine()}; {rounds} rounds of {count} trials of {TASKS} empty steps", flush=True)
    trials = trials_of(count)
    data: Data = {("digits",): [load("digits")]}
    measured = []
    with tempfile.TemporaryDirectory(prefix="clsweep-") as folder:
        log = Path(folder) / "ray.log"
        with chatter_to(log) as console, connected(trials):
            for each in range(rounds):
                # Ours first: what it sets in the environment of Tune then holds for both.
                ours, bare = round_ms(trials, data, warm), bare_ms(count, warm)
                measured.append((bare, ours))
                console.print(f"round {each}: bare {bare:.1f} ms, ours {ours:.1f} ms, {ours - bare:+.1f} ms")
    bare, ours = (statistics.median(column) for column in zip(*measured, strict=True))
    difference = statistics.median(ours - bare for bare, ours in measured)
    missed = "" if difference <= TARGET_MS else "; MISSED"
    print(f"per trial: bare Ray Tune {bare:.1f} ms, ours {ours:.1f} ms")
    print(f"ours - bare: {difference:.1f} ms (target: at most {TARGET_MS:g}{missed})")


if __name__ == "__main__":
    main()
