"""What a sweep costs beside its trials: its wall time against that of a bare pool of two processes.

Both run the same trials of about two seconds each. The pool spawns its processes, each imports what it needs
and loads the data, and hands its reports back; nothing is written. The sweep reads the data, plans, and goes
through `run_on_ray` on a Ray that has just started, so its processes too begin with their imports; its rows
are written to Parquet.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from machine import cores, machine
from pool import PROCESSES, pool_s

if __name__ == "__main__":  # the pool's processes import this script too and need not wait for Ray
    from orchestrator.on_ray import connected, run_on_ray
    from orchestrator.quiet import chatter_to
    from orchestrator.recording import Recorder
    from orchestrator.sweep import Prepared, prepare
    from orchestrator.trial import reports_of
    from results.schema import COMPLETE
    from results.store import Store
    from sweeps.spec import load_spec
    from sweeps.trials import Trial

TRIAL_S = 2.0
PROBE_STEPS = 100
TARGET = 0.85

SPEC = """
name: efficiency
seeds: {seeds}
scenarios: [class-il/split-{data}]
methods: [naive]
train: {{iterations: {iterations}}}
resources: {{cpu: 1}}
"""


class Silent:
    """A watcher that shows nothing."""

    def started(self, trial: Trial) -> None:
        """Show nothing."""

    def reported(self, trial: Trial, outcome: object) -> None:
        """Show nothing."""


def sweep_of(data: str, data_dir: Path | None, *, seeds: int, iterations: int) -> Prepared:
    """A sweep of one trial per seed, its data read."""
    with tempfile.TemporaryDirectory(prefix="clsweep-") as folder:
        spec = Path(folder) / "efficiency.yaml"
        spec.write_text(SPEC.format(seeds=seeds, data=data, iterations=iterations))
        return prepare(load_spec(str(spec)), data_dir)


def iterations_for(data: str, data_dir: Path | None) -> int:
    """Steps per task with which a trial takes `TRIAL_S` seconds on this machine."""
    probe = sweep_of(data, data_dir, seeds=2, iterations=PROBE_STEPS)
    for trial in probe.plan.trials:  # the first one warms up
        reports = list(reports_of(trial, probe.data[trial.scenario.data]))
    train_s = sum(report.train_s for report in reports)
    eval_s = sum(report.eval_s for report in reports)
    return max(1, round(PROBE_STEPS * (TRIAL_S - eval_s) / train_s))


def sweep_s(data: str, data_dir: Path | None, *, seeds: int, iterations: int) -> float:
    """Wall-clock seconds of the sweep, from reading its data, without Ray's own start."""
    with tempfile.TemporaryDirectory(prefix="clsweep-") as folder:
        store = Store(Path(folder))
        with chatter_to(store.paths.ray_log), connected([]):
            start = time.perf_counter()
            sweep = sweep_of(data, data_dir, seeds=seeds, iterations=iterations)
            recorder = Recorder(store, "efficiency", sweep.tasks, Silent())
            run_on_ray(sweep.plan.trials, sweep.data, recorder)
            seconds = time.perf_counter() - start
        assert store.trials()["status"].to_pylist() == [COMPLETE] * seeds
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--data-dir", type=Path, help="where Fashion-MNIST is, or is downloaded to")
    parser.add_argument("--quick", action="store_true", help="two short trials on digits: shows that it runs")
    arguments = parser.parse_args()
    data = "digits" if arguments.quick else "fashion-mnist"
    rounds, seeds = (1, 2) if arguments.quick else (arguments.rounds, arguments.trials)
    if cores() < PROCESSES:
        sys.exit(f"{PROCESSES} cores are needed")
    print(f"{machine()}; {rounds} rounds", flush=True)
    iterations = 2 if arguments.quick else iterations_for(data, arguments.data_dir)
    print(f"{seeds} trials of naive, class-il/split-{data}, {iterations} steps a task", flush=True)
    trials = sweep_of(data, arguments.data_dir, seeds=seeds, iterations=iterations).plan.trials
    ratios = []
    for each in range(rounds):
        sides = {
            "pool": lambda: pool_s(trials, arguments.data_dir),
            "sweep": lambda: sweep_s(data, arguments.data_dir, seeds=seeds, iterations=iterations),
        }
        # They take turns in who goes first, since a busy machine may be getting slower or faster.
        seconds = {name: sides[name]() for name in (sides if each % 2 == 0 else reversed(sides))}
        pool, ours = seconds["pool"], seconds["sweep"]
        ratios.append(pool / ours)
        print(
            f"round {each}: pool {pool:.1f} s, sweep {ours:.1f} s, pool/sweep {pool / ours:.3f}", flush=True
        )
    ratio = statistics.median(ratios)
    print(f"pool/sweep: {ratio:.3f} (target: at least {TARGET}{'' if ratio >= TARGET else '; MISSED'})")


if __name__ == "__main__":
    main()
