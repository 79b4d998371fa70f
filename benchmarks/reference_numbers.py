"""Do our numbers agree with independent implementations? Split-Fashion-MNIST, class-il, five seeds.

Runs the shipped sweep `fashion-mnist` (or continues it) and compares mean ACC with the ranges that two
independent implementations gave on the same data, model and settings: a plain PyTorch loop and Avalanche
0.6.0, seed 42. They had ten outputs from the start and ours grow. About five minutes on two cores.

    python benchmarks/reference_numbers.py
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestrator.showing import shown
from results.store import open_run
from results.summary import CellSummary

RUN = Path("runs/fashion-mnist")
EXPECTED = {  # method: plain PyTorch, Avalanche, lowest and highest mean we accept
    "naive": ("0.200", "0.199", 0.195, 0.201),
    "joint": ("0.866", "0.865", 0.85, 0.88),
    "replay": ("0.773", "0.759", 0.72, 0.80),
}


def main() -> int:
    """Print the comparison; return 1 if a mean lies outside its range."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="where Fashion-MNIST is, or is downloaded to")
    data_dir = parser.parse_args().data_dir
    command = [sys.executable, "-m", "cli", "run", "fashion-mnist", "--storage", str(RUN.parent)]
    subprocess.run(command + (["--data-dir", str(data_dir)] if data_dir else []), check=True)
    cells = {cell.label: cell for cell in shown(open_run(RUN)).sweep.cells}
    table = Table(title="class-il/split-fashion-mnist: mean ± 95 % half-width")
    for column in ("method", "n", "ACC", "BWT", "plain PyTorch", "Avalanche", "accepted", ""):
        table.add_column(column, justify="left" if column == "method" else "right")
    wrong = 0
    for method, (plain, avalanche, low, high) in EXPECTED.items():
        cell = cells[method]
        agrees = low <= cell.metrics["acc"].mean <= high
        wrong += not agrees
        accepted = f"{low:.3f} to {high:.3f}"
        row = [
            method,
            str(cell.n),
            _interval(cell, "acc"),
            _interval(cell, "bwt"),
            plain,
            avalanche,
            accepted,
        ]
        table.add_row(*row, "agrees" if agrees else "DIFFERS")
    Console(width=110).print(table)
    return int(wrong > 0)


def _interval(cell: CellSummary, metric: str) -> str:
    interval = cell.metrics.get(metric)
    if interval is None:
        return "–"
    return f"{interval.mean:.3f} ± {interval.half_width or 0:.3f}"


if __name__ == "__main__":
    sys.exit(main())
