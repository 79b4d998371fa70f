"""Training steps per second against a tutorial's loop and a bare loop, and the physical floor of a step.

All run on one core with one thread, one task at a time in turn, so that a noisy machine disturbs all of them
alike; a ratio is the median over rounds. A lap's time is everything that training on the task needs: choosing
its examples, batches, steps, and what the method keeps afterwards.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from baselines import Images, Lap, bare, tutorial, write_torchvision
from machine import bind_to_one_core, machine
from numpy.typing import NDArray
from products import products_of, seconds_of
from strategies import (
    ALPHA,
    BATCH,
    BETA,
    BUFFER,
    CLIP,
    EWC,
    FISHER_SAMPLES,
    GEM,
    HIDDEN,
    LAMBDA,
    LR,
    MARGIN,
    MEMORY_PER_TASK,
    MOMENTUM,
    SI,
    SI_C,
    SI_XI,
    DERpp,
    Naive,
    Replay,
    Strategy,
)

from cl.datasets import Dataset, load
from cl.methods import make_method
from cl.registry import MLPSettings, TrainSettings
from cl.streams import make_stream
from cl.training import learn

STRATEGIES: Mapping[str, type[Strategy]] = {
    "naive": Naive,
    "ewc": EWC,
    "si": SI,
    "replay": Replay,
    "derpp": DERpp,
    "gem": GEM,
}
# The Fisher of the true labels, since that is what one backward pass per example gives.
HYPERPARAMETERS: Mapping[str, dict[str, object]] = {
    "naive": {},
    "ewc": {"lambda": LAMBDA, "fisher": "empirical", "fisher_samples": FISHER_SAMPLES},
    "si": {"c": SI_C, "xi": SI_XI},
    "replay": {"ratio": 0.5, "buffer_size": BUFFER},
    "derpp": {"alpha": ALPHA, "beta": BETA, "buffer_size": BUFFER},
    "gem": {"memory_per_task": MEMORY_PER_TASK, "margin": MARGIN},
}
TUTORIAL_TARGETS = {"naive": 4.0, "ewc": 4.0, "si": 4.0, "replay": 4.0, "derpp": 4.0, "gem": 2.0}
BARE_TARGET = 0.95


def ours(data: Dataset, method: str, *, steps: int, seed: int) -> Iterator[Lap]:
    """Learn with clsweep's loop, *steps* steps a task."""
    train = TrainSettings(iterations=steps, batch_size=BATCH, lr=LR, momentum=MOMENTUM, clip_norm=CLIP)
    stream = make_stream("class-il", "split", {}, [data], seed=seed, val_share=0.0)
    reports = learn(
        stream,
        make_method(method, HYPERPARAMETERS[method]),
        model=MLPSettings(hidden=(HIDDEN, HIDDEN)),
        train=train,
        seed=seed,
    )
    next(reports)  # the untrained model's
    for report in reports:
        seen = report.scores[: report.task + 1]
        yield Lap(report.steps, report.train_s, tuple(score.accuracy or 0.0 for score in seen))


Round = dict[tuple[str, str], list[Lap]]
"""By who learned and with which method: the laps."""


def measure(data: Dataset, folder: Path, *, tasks: int, steps: int, seed: int) -> tuple[Round, float]:
    """Let all learn task after task, in turn; return their laps and the floor's seconds per step."""
    train, test = (
        _images(x, y, data.scale) for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test))
    )
    runs = {}
    for method, strategy in STRATEGIES.items():
        runs["ours", method] = ours(data, method, steps=steps, seed=seed)
        if method == "naive":
            runs["bare", method] = bare(train, test, tasks=tasks, steps=steps, seed=seed)
        runs["tutorial", method] = tutorial(folder, test, strategy(), tasks=tasks, steps=steps, seed=seed)
    laps: Round = {key: [] for key in runs}
    floors = []
    for _ in range(tasks):
        for key in list(runs) if seed % 2 == 0 else reversed(runs):
            laps[key].append(next(runs[key]))
        floors.append(seconds_of(products_of("naive", 0, train[0].shape[1])))
    return laps, statistics.median(floors)


def _images(x: NDArray[Any], y: NDArray[np.int64], scale: float) -> Images:
    return torch.from_numpy(x.reshape(len(x), -1) * np.float32(scale)), torch.from_numpy(y.copy())


def seconds_per_step(laps: Sequence[Lap]) -> float:
    """Mean over a round's laps."""
    return sum(lap.seconds for lap in laps) / sum(lap.steps for lap in laps)


def report(rounds: Sequence[tuple[Round, float]]) -> Iterator[str]:
    """Lines of the result: steps per second, ratios and accuracies by method, then the floor."""
    yield f"{'':8}{'':10}{'steps/s':>9}{'ACC':>8}{'learning accuracy':>20}{'ours is':>10}"
    for method in STRATEGIES:
        for who in ("ours", "tutorial", "bare"):
            runs = [laps[who, method] for laps, _ in rounds if (who, method) in laps]
            if not runs:
                continue
            speed = statistics.median(1 / seconds_per_step(run) for run in runs)
            final = statistics.mean(statistics.mean(run[-1].accuracy) for run in runs)
            learning = statistics.mean(lap.accuracy[-1] for run in runs for lap in run)
            ratio = "" if who == "ours" else f"{_ratio(rounds, who, method):9.2f}x"
            yield f"{method:8}{who:10}{speed:9.0f}{final:8.3f}{learning:20.3f}{ratio}"
    yield ""
    for method in STRATEGIES:
        yield _against(
            f"ours/tutorial {method}", _ratio(rounds, "tutorial", method), TUTORIAL_TARGETS[method]
        )
    yield _against("ours/bare naive", _ratio(rounds, "bare", "naive"), BARE_TARGET)
    step = statistics.median(seconds_per_step(laps["ours", "naive"]) for laps, _ in rounds)
    least = statistics.median(floor for _, floor in rounds)
    above = statistics.median(seconds_per_step(laps["ours", "naive"]) / floor for laps, floor in rounds)
    yield f"step/floor naive: {above:.2f} ({step * 1e3:.2f} ms; its five products alone {least * 1e3:.2f} ms)"


def _ratio(rounds: Sequence[tuple[Round, float]], who: str, method: str) -> float:
    """Median over rounds of our speed over theirs."""
    return statistics.median(
        seconds_per_step(laps[who, method]) / seconds_per_step(laps["ours", method]) for laps, _ in rounds
    )


def _against(name: str, ratio: float, target: float) -> str:
    return f"{name}: {ratio:.2f} (target: at least {target:g}{'' if ratio >= target else '; MISSED'})"


def small() -> Dataset:
    """Handwritten digits in the range of a PNG, which is what a torchvision data set holds."""
    digits = load("digits")
    x_train, x_test = ((x * (255 / 16)).astype(np.uint8) for x in (digits.x_train, digits.x_test))
    return Dataset(x_train, digits.y_train, x_test, digits.y_test, scale=1 / 255)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--steps", type=int, default=188, help="of each task; 188 are an epoch of Fashion-MNIST"
    )
    parser.add_argument("--data-dir", type=Path, help="where Fashion-MNIST is, or is downloaded to")
    parser.add_argument(
        "--quick", action="store_true", help="a few steps on digits: shows that the script runs"
    )
    arguments = parser.parse_args()
    rounds, tasks, steps = (1, 2, 3) if arguments.quick else (arguments.rounds, 5, arguments.steps)
    data = small() if arguments.quick else load("fashion-mnist", arguments.data_dir)
    print(
        f"class-il/split-{'digits' if arguments.quick else 'fashion-mnist'}, {tasks} tasks of {steps} steps"
    )
    features = data.x_train[0].size
    print(f"MLP {features}-{HIDDEN}-{HIDDEN}, batch {BATCH}, SGD lr {LR} momentum {MOMENTUM}, clip {CLIP}")
    print(f"{machine()}; one core, one thread; medians of {rounds} rounds", flush=True)
    bind_to_one_core()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="clsweep-") as folder:
        write_torchvision(data, Path(folder))
        measure(data, Path(folder), tasks=2, steps=2, seed=0)  # what torch imports and sets up on first use
        measured = [
            measure(data, Path(folder), tasks=tasks, steps=steps, seed=seed) for seed in range(rounds)
        ]
    print("\n".join(["", *report(measured)]))


if __name__ == "__main__":
    main()
