"""Do the methods behave as published? Split-MNIST by the protocol of van de Ven & Tolias, in three kinds.

Runs the shipped sweep `vdv-split-mnist` (or continues it) and sets our mean ACC beside the published one: on
MNIST they must agree within 1.5 points. Where MNIST cannot be had, `--data fashion-mnist` runs the same sweep
on Fashion-MNIST, for which there are no published numbers, and checks the order of the methods by paired
differences; with `--class-order natural`, on pairs of classes that are all easy to tell apart, as MNIST's
are. About three hours on two cores.

    python benchmarks/published.py
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestrator.showing import shown
from results.statistics import paired_difference
from results.store import open_run
from results.summary import CellSummary

LEAST_SEEDS = 10
"""With fewer nothing is said to agree."""
WITHIN = 1.5
"""Points of accuracy; the replay figures were read off a plot, give or take 0.4."""

PUBLISHED: Mapping[tuple[str, str], tuple[float, str]] = {
    ("task-il", "naive"): (85.15, "85.15 (1.00), 2018"),
    ("task-il", "joint"): (99.64, "99.64 (0.03), 2018"),
    ("task-il", "ewc-separate"): (98.64, "98.64 (0.22), 2019"),
    ("task-il", "si"): (99.14, "99.14 (0.11), 2018"),
    ("task-il", "lwf"): (99.60, "99.60 (0.03), 2018"),
    ("task-il", "replay"): (99.0, "about 99, 2022"),
    ("domain-il", "naive"): (57.33, "57.33 (1.66), 2018"),
    ("domain-il", "joint"): (98.41, "98.41 (0.06), 2018"),
    ("domain-il", "ewc-separate"): (63.95, "63.95 (1.90), 2019"),
    ("domain-il", "si"): (63.77, "63.77 (1.18), 2018"),
    ("domain-il", "lwf"): (71.02, "71.02 (1.26), 2018"),
    ("domain-il", "replay"): (93.7, "93.7, 2022"),
    ("class-il", "naive"): (19.90, "19.90 (0.02), 2018"),
    ("class-il", "joint"): (97.93, "97.93 (0.04), 2018"),
    ("class-il", "ewc-separate"): (20.01, "20.01 (0.06), 2019"),
    ("class-il", "si"): (20.04, "20.04 (0.08), 2018"),
    ("class-il", "lwf"): (24.17, "24.17 (0.51), 2018"),
    ("class-il", "replay"): (89.2, "89.2, 2022"),
}
"""Mean ACC in percent, and how it was reported (SEM in brackets), by increment kind and method."""

CHECKED = {
    *(("task-il", method) for method in ("joint", "ewc-separate", "si")),
    ("domain-il", "replay"),
    *(("class-il", method) for method in ("naive", "joint", "ewc-separate", "replay")),
}
"""What must agree on MNIST; the others are shown."""

ORDERED = {
    *(("class-il", method) for method in ("naive", "joint", "ewc-separate", "replay")),
    *(("task-il", method) for method in ("naive", "joint", "ewc-separate", "si")),
}
"""What the orders are of that must hold on Fashion-MNIST."""

Cells = Mapping[tuple[str, str], CellSummary]


def main() -> int:
    """Print the comparison; return 1 if something is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--data", default="mnist", choices=["mnist", "fashion-mnist"])
    parser.add_argument(
        "--class-order", default="seed", choices=["seed", "natural"], help="of the classes over the tasks"
    )
    parser.add_argument("--data-dir", type=Path, help="where the data is, or is downloaded to")
    parser.add_argument("--set", action="append", default=[], help="override a value of the sweep")
    arguments = parser.parse_args()
    name = f"vdv-split-{arguments.data}-{arguments.class_order}"
    command = [sys.executable, "-m", "cli", "run", "vdv-split-mnist", "--set", f"name={name}"]
    command += ["--set", f"scenarios.0.stream=split-{arguments.data}"]
    command += ["--set", f"scenarios.0.class_order={arguments.class_order}"]
    command += [word for override in arguments.set for word in ("--set", override)]
    command += ["--data-dir", str(arguments.data_dir)] if arguments.data_dir else []
    subprocess.run(command, check=True)
    try:
        cells = by_method(shown(open_run(Path("runs") / name)).sweep.cells)
    except ValueError as error:
        parser.error(str(error))
    wrong = orders(cells) if arguments.data == "fashion-mnist" else differences(cells)
    Console(width=110).print(_table(cells, arguments.data))
    for line in wrong:
        print(line)
    return int(bool(wrong))


def by_method(cells: Sequence[CellSummary]) -> Cells:
    """The cells by increment kind and method.

    Raises:
        ValueError: a method has several, as with a grid; none of them is the one to compare.
    """
    found = {(cell.kind, cell.method): cell for cell in cells}
    if len(found) < len(cells):
        raise ValueError("a method has several cells; give each hyperparameter one value")
    return found


def _table(cells: Cells, data: str) -> Table:
    table = Table(title=f"Split-{data}, van de Ven & Tolias' protocol: ACC in %, mean ± 95 % half-width")
    for column in ("kind", "method", "n", "ours", "published for MNIST: mean (SEM), year"):
        table.add_column(column, justify="right" if column in {"n", "ours"} else "left")
    for (kind, method), cell in cells.items():
        if cell.n:
            acc = cell.metrics["acc"]
            ours = f"{100 * acc.mean:.2f} ± {100 * (acc.half_width or 0):.2f}"
            table.add_row(kind, cell.label, str(cell.n), ours, PUBLISHED.get((kind, method), (0.0, "–"))[1])
    return table


def differences(cells: Cells) -> list[str]:
    """What differs from the published mean by more than `WITHIN`, or was not run often enough to say so."""
    wrong = list(_too_few(cells, CHECKED))
    for key in sorted(CHECKED & cells.keys()):
        if cells[key].n:
            ours, theirs = 100 * cells[key].metrics["acc"].mean, PUBLISHED[key][0]
            if abs(ours - theirs) > WITHIN:
                wrong.append(f"DIFFERS: {' '.join(key)}: {ours:.2f}, published {theirs:.2f}")
    return wrong


def orders(cells: Cells) -> list[str]:
    """What of the published order does not hold: of each difference, its whole 95 % interval counts."""
    return list(_too_few(cells, ORDERED)) or list(_not_so(cells))


def _not_so(cells: Cells) -> Iterator[str]:
    yield from _above(cells, "class-il", "joint", "replay", least=0.0)
    yield from _above(cells, "class-il", "replay", "ewc-separate", least=0.0)
    yield from _above(cells, "class-il", "ewc-separate", "naive", least=-0.02)
    yield from _above(cells, "class-il", "naive", "ewc-separate", least=-0.02)
    for method in ("ewc-separate", "si"):
        yield from _above(cells, "task-il", method, "joint", least=-0.02)
        yield from _above(cells, "task-il", method, "naive", least=0.02)


def _too_few(cells: Cells, needed: set[tuple[str, str]]) -> Iterator[str]:
    for key in sorted(needed):
        n = cells[key].n if key in cells else 0
        if n < LEAST_SEEDS:
            yield f"TOO FEW: {' '.join(key)}: {n} seeds of at least {LEAST_SEEDS}"


def _above(cells: Cells, kind: str, better: str, other: str, *, least: float) -> Iterator[str]:
    """Nothing if *better* is above *other* by more than *least* with its whole interval, else a line."""
    first, second = (cells[kind, method].values["acc"] for method in (better, other))
    difference = paired_difference(first, second)
    low = difference.mean - (float("inf") if difference.half_width is None else difference.half_width)
    said = (
        f"{kind}: {better} - {other} = {100 * difference.mean:.2f} ± {100 * (difference.half_width or 0):.2f}"
    )
    print(f"{said} (n = {difference.n}; the lower bound must be above {100 * least:g})")
    if low <= least:
        yield f"NOT SO: {said}"


if __name__ == "__main__":
    sys.exit(main())
