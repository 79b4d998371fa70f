"""A sweep of ten thousand trials without their training: what the driver costs, and reading what it wrote.

The trials have five tasks and are those of `trial_overhead`: empty steps, an accuracy matrix each, rows in
Parquet. They run in rounds of a thousand, as `run_on_ray` divides a large sweep, each followed by as many in
bare Ray Tune; the driver's memory grows by what both leave. Then the sweep is planned, the run is resumed
with one more seed, and `clsweep show` prints it in a process of its own: each once without a snapshot, which
that leaves behind, and then through it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from machine import machine
from trial_overhead import TARGET_MS, TASKS, WARM, bare_ms, ours_ms

from orchestrator.cluster import connected
from orchestrator.identity import names_of
from orchestrator.on_ray import ROUND
from orchestrator.preparation import Prepared, prepare
from orchestrator.progress import Progress
from orchestrator.quiet import chatter_to
from orchestrator.recording import Recorder, missing
from orchestrator.writing import Writer
from results.schema import COMPLETE
from results.store import Store
from sweeps.plan import Plan, plan
from sweeps.spec import dump_spec, load_spec

ROOT = Path(__file__).parent.parent
SEEDS = 20
PER_METHOD = 2 * SEEDS
"""Trials of a method with its hyperparameters: two scenarios, every seed."""
ROWS = (TASKS + 1) * TASKS + TASKS + 1
"""Of a trial, in its three parts."""
TARGET_MB, TARGET_S = 50.0, 2.0
TIMES = 5
"""How often what takes a moment is repeated."""

SPEC = """
name: scale
seeds: {seeds}
scenarios: [class-il/split-digits, task-il/split-digits]
methods: [joint, {{ewc: {{lambda: {{grid: {grid}}}}}}}]
"""


def write_spec(file: Path, trials: int, *, seeds: int = SEEDS) -> str:
    """Write a sweep of about so many trials; return its file's name."""
    grid = [10 * step for step in range(1, max(2, trials // PER_METHOD))]
    file.write_text(SPEC.format(seeds=seeds, grid=grid))
    return str(file)


def resident_mb() -> float:
    """Memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def run(prepared: Prepared, store: Store, log: Path, warm: int) -> None:
    """Run the trials: the driver's time and memory."""
    trials = prepared.plan.trials
    store.write_spec(dump_spec(prepared.spec))
    progress = Progress({trial.id: 1.0 for trial in trials}, names_of(trials), {})
    recorder = Recorder(store, Writer(), prepared.spec.name, prepared.streams, progress)
    measured = []
    with chatter_to(log) as console, connected(trials):
        before = resident_mb()
        for start in range(0, len(trials), ROUND):
            some = trials[start : start + ROUND]
            ours, bare = ours_ms(some, prepared.data, recorder, warm), bare_ms(len(some), warm)
            measured.append((bare, ours))
            console.print(
                f"{start + len(some)} trials: bare {bare:.1f} ms, ours {ours:.1f} ms, {ours - bare:+.1f} ms; "
                f"{resident_mb() - before:.0f} MB more"
            )
        grown = resident_mb() - before
    bare, ours = (statistics.median(column) for column in zip(*measured, strict=True))
    difference = statistics.median(ours - bare for bare, ours in measured)
    print(f"per trial: bare Ray Tune {bare:.1f} ms, ours {ours:.1f} ms")
    result("rows", ROWS / ours * 1e3, unit="rows/s")
    result("ours - bare", difference, TARGET_MS, "ms")
    result("memory per thousand trials", grown / len(trials) * 1e3, TARGET_MB, "MB")


def read(more: Plan, store: Store) -> None:
    """Resume the run with the trials of *more*, and show it."""

    def decide() -> None:
        todo = missing(more.trials, Store(store.root).statuses())
        assert len(todo) == len(more.trials) // (SEEDS + 1)

    def show() -> None:
        command = [sys.executable, "-m", "cli", "show", str(store.root)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)

    for name, action in {"resume": decide, "show": show}.items():
        (store.root / "snapshot").remove_all()
        result(f"{name}, without a snapshot", seconds_of(action))
        result(f"{name}, through the snapshot", seconds_of(action, TIMES), TARGET_S)


def seconds_of(action: Callable[[], object], times: int = 1) -> float:
    """The median of so many times."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def result(what: str, value: float, target: float | None = None, unit: str = "s") -> None:
    """Print a figure beside its target."""
    missed = "; MISSED" if target and value > target else ""
    aim = f" (target: at most {target:g}{missed})" if target else ""
    print(f"{what}: {value:.2f} {unit}{aim}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000, help=f"in steps of {PER_METHOD}")
    parser.add_argument("--quick", action="store_true", help="a few trials: shows that the script runs")
    arguments = parser.parse_args()
    trials, warm = (0, 2) if arguments.quick else (arguments.trials, WARM)
    with tempfile.TemporaryDirectory(prefix="clsweep-") as name:
        folder = Path(name)
        spec = write_spec(folder / "scale.yaml", trials)
        prepared = prepare(load_spec(spec))
        count = len(prepared.plan.trials)
        print(f"{machine()}; {count} trials of {TASKS} empty steps, {count // SEEDS} cells", flush=True)
        store = Store(folder / "scale")
        run(prepared, store, folder / "ray.log", warm)
        assert store.trials()["status"].to_pylist() == [COMPLETE] * count
        assert len(store.accuracy()) == count * (TASKS + 1) * TASKS
        digests = {trial.scenario.data: trial.data_digest for trial in prepared.plan.trials}
        result("plan", seconds_of(lambda: plan(load_spec(spec), digests), TIMES))
        more = load_spec(write_spec(folder / "more.yaml", trials, seeds=SEEDS + 1))
        read(plan(more, digests), store)


if __name__ == "__main__":
    main()
