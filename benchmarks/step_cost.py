"""What a step of each method costs, as a multiple of the matrix products that it cannot avoid.

One core, one thread, Split-Fashion-MNIST (class-il, or task-il where a method needs it), MLP 784-256-256,
batch 64. A task's time includes choosing its examples and what the method keeps afterwards. The products
alone are timed in turn with the tasks; a ratio is the median over rounds.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from pathlib import Path

import torch
from machine import bind_to_one_core, machine
from products import products_of, seconds_of
from rich.console import Console
from rich.table import Table
from strategies import BATCH, CLIP, HIDDEN, LR, MOMENTUM

from cl.datasets import Dataset, load
from cl.methods import make_method
from cl.registry import METHODS, MLPSettings, TrainSettings, model_name
from cl.streams import make_stream
from cl.training import TaskReport, learn

NAMES = [name for name, entry in METHODS.items() if not entry.fresh]
"""All methods but the references, which train fresh models."""


def run(data: Dataset, method: str, *, steps: int, seed: int) -> Iterator[TaskReport]:
    """Learn with *method*, *steps* steps a task."""
    entry = METHODS[method]
    kind = entry.kinds[-1]
    reports = learn(
        make_stream(kind, "split", {}, [data], seed=seed, val_share=0.0),
        make_method(method, {}),
        model=MLPSettings.model_validate(
            {"name": model_name("mlp", kind, entry), "hidden": (HIDDEN, HIDDEN)}
        ),
        train=TrainSettings(iterations=steps, batch_size=BATCH, lr=LR, momentum=MOMENTUM, clip_norm=CLIP),
        seed=seed,
    )
    next(reports)  # the untrained model's
    return reports


def measure(data: Dataset, *, tasks: int, steps: int, seed: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of a step, and of its products alone, by method: means over the tasks."""
    runs = {name: run(data, name, steps=steps, seed=seed) for name in NAMES}
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in NAMES}
    for task in range(tasks):
        for name, reports in runs.items():
            report = next(reports)
            floor = seconds_of(products_of(name, task, data.x_train[0].size))
            spent[name].append((1e3 * report.train_s / report.steps, 1e3 * floor))
    return {
        name: (statistics.mean(step for step, _ in laps), statistics.mean(floor for _, floor in laps))
        for name, laps in spent.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data-dir", type=Path, help="where Fashion-MNIST is, or is downloaded to")
    parser.add_argument("--quick", action="store_true", help="a few steps on digits: shows that it runs")
    arguments = parser.parse_args()
    rounds, tasks, steps = (1, 2, 3) if arguments.quick else (arguments.rounds, 5, 188)
    data = load("digits") if arguments.quick else load("fashion-mnist", arguments.data_dir)
    print(f"{machine()}; one core, one thread; medians of {rounds} rounds", flush=True)
    bind_to_one_core()
    torch.set_num_threads(1)
    measured = [measure(data, tasks=tasks, steps=steps, seed=seed) for seed in range(rounds)]
    table = Table(box=None)
    for column in ("method", "step, ms", "products, ms", "step/products"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for name in NAMES:
        step, floor = (statistics.median(round_[name][i] for round_ in measured) for i in (0, 1))
        ratio = statistics.median(round_[name][0] / round_[name][1] for round_ in measured)
        table.add_row(name, f"{step:.2f}", f"{floor:.2f}", f"{ratio:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
