"""What a sweep costs beside its trials: its wall time against that of a bare pool of two processes.

Both run the same trials, of about one, three and ten seconds each. The pool spawns its processes, each
imports what it needs and loads the data, and hands its reports back; nothing is written. The sweep reads the
data, plans, and goes through `run_on_ray` on a Ray that has just started, so its processes too begin with
their imports; its rows are written to Parquet. The two take turns of some seconds, in which the other one
stands still: from one minute to the next a machine's speed varies by more than what is to be measured.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from machine import cores, machine
from pool import PROCESSES, run_in_pool

if __name__ == "__main__":  # the pool's processes import this script too and need not wait for Ray
    from trial_overhead import Silent
    from turns import await_turn, end_turn, seconds_in_turns

    from orchestrator.checkpoints import Checkpoints
    from orchestrator.cluster import connected
    from orchestrator.on_ray import run_on_ray
    from orchestrator.preparation import Prepared, prepare
    from orchestrator.quiet import chatter_to, ray_log
    from orchestrator.recording import Recorder
    from orchestrator.trial import reports_of
    from orchestrator.writing import Writer
    from results.schema import COMPLETE
    from results.store import Store
    from sweeps.spec import load_spec

PROBE_STEPS = 100
TARGETS = {1.0: 0.85, 3.0: 0.93, 10.0: 0.97}
"""By the seconds that a trial takes."""

SPEC = """
name: efficiency
seeds: {seeds}
scenarios: [class-il/split-{data}]
methods: [naive]
train: {{iterations: {iterations}}}
resources: {{cpu: 1}}
"""


def sweep_of(data: str, data_dir: Path | None, *, seeds: int, iterations: int) -> Prepared:
    """A sweep of one trial per seed, its data read."""
    with tempfile.TemporaryDirectory(prefix="clsweep-") as folder:
        spec = Path(folder) / "efficiency.yaml"
        spec.write_text(SPEC.format(seeds=seeds, data=data, iterations=iterations))
        return prepare(load_spec(str(spec)), data_dir)


def count_for(trial_s: float) -> int:
    """How many trials of that length make a round: a hundred, or three minutes of them."""
    return min(100, PROCESSES * max(1, round(180 / trial_s)))


def iterations_for(data: str, data_dir: Path | None, trial_s: float) -> int:
    """Steps per task with which a trial takes *trial_s* seconds on this machine."""
    probe = sweep_of(data, data_dir, seeds=2, iterations=PROBE_STEPS)
    for trial in probe.plan.trials:  # the first one warms up
        reports = list(reports_of(trial, probe.data[trial.data]))
    train_s = sum(report.train_s for report in reports)
    eval_s = sum(report.eval_s for report in reports)
    return max(1, round(PROBE_STEPS * (trial_s - eval_s) / train_s))


def sweep_once(data: str, data_dir: Path | None, *, seeds: int, iterations: int) -> None:
    """The sweep, measured from reading its data, without Ray's own start."""
    with tempfile.TemporaryDirectory(prefix="clsweep-") as folder:
        store = Store(Path(folder))
        with chatter_to(ray_log(store.root)) as console, connected([]):
            await_turn(console.file)
            sweep = sweep_of(data, data_dir, seeds=seeds, iterations=iterations)
            recorder = Recorder(store, Writer(), "efficiency", sweep.streams, Silent())
            run_on_ray(sweep.plan.trials, sweep.data, recorder, Checkpoints(store.root / "checkpoints"))
            recorder.writer.flush()
            end_turn(console.file)
        assert store.trials()["status"].to_pylist() == [COMPLETE] * seeds


def pool_once(data: str, data_dir: Path | None, *, seeds: int, iterations: int) -> None:
    """The pool, measured from spawning its processes to its last report."""
    trials = sweep_of(data, data_dir, seeds=seeds, iterations=iterations).plan.trials
    await_turn(sys.stdout)
    run_in_pool(trials, data_dir)
    end_turn(sys.stdout)


def ratio(data: str, data_dir: Path | None, *, trial_s: float, rounds: int, quick: bool) -> float:
    """The pool's seconds over the sweep's, the median of *rounds*, each printed."""
    seeds = 2 if quick else count_for(trial_s)
    iterations = 2 if quick else iterations_for(data, data_dir, trial_s)
    print(
        f"{seeds} trials of about {trial_s:g} s: naive, class-il/split-{data}, {iterations} steps a task",
        flush=True,
    )
    values = ["--of", data, str(seeds), str(iterations)]
    values += ["--data-dir", str(data_dir)] if data_dir else []
    sides = {side: [sys.executable, __file__, "--side", side, *values] for side in ("pool", "sweep")}
    ratios = []
    for each in range(rounds):
        seconds = seconds_in_turns(sides)
        pool, ours = seconds["pool"], seconds["sweep"]
        ratios.append(pool / ours)
        print(
            f"round {each}: pool {pool:.1f} s, sweep {ours:.1f} s, pool/sweep {pool / ours:.3f}", flush=True
        )
    return statistics.median(ratios)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, nargs="+", default=[*TARGETS], help="how long a trial takes")
    parser.add_argument("--data-dir", type=Path, help="where Fashion-MNIST is, or is downloaded to")
    parser.add_argument("--quick", action="store_true", help="two short trials on digits: shows that it runs")
    parser.add_argument("--side", choices=["pool", "sweep"], help=argparse.SUPPRESS)
    parser.add_argument("--of", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        data, seeds, iterations = arguments.of
        run_once = pool_once if arguments.side == "pool" else sweep_once
        run_once(data, arguments.data_dir, seeds=int(seeds), iterations=int(iterations))
        return
    quick = arguments.quick
    if cores() < PROCESSES:
        sys.exit(f"{PROCESSES} cores are needed")
    rounds, lengths = (1, [1.0]) if quick else (arguments.rounds, arguments.seconds)
    print(f"{machine()}; {rounds} rounds", flush=True)
    data = "digits" if quick else "fashion-mnist"
    ratios = {
        trial_s: ratio(data, arguments.data_dir, trial_s=trial_s, rounds=rounds, quick=quick)
        for trial_s in lengths
    }
    for trial_s, median in ratios.items():
        aim = TARGETS.get(trial_s)
        missed = "; MISSED" if aim and median < aim else ""
        target = f" (target: at least {aim}{missed})" if aim else ""
        print(f"pool/sweep, trials of {trial_s:g} s: {median:.3f}{target}")


if __name__ == "__main__":
    main()
