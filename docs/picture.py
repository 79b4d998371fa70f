"""Draws a run's tables as ``clsweep show`` prints them, for the README.

    clsweep run quickstart
    python docs/picture.py runs/quickstart docs/quickstart.svg

The numbers are read from the run's folder. The same run gives the same picture, byte for byte.
"""

from __future__ import annotations

import argparse
import io
import re
from pathlib import Path

from rich.console import Console
from rich.text import Text

from orchestrator.showing import shown
from results.store import open_run
from results.tables import summary_tables

WIDTH = 100


def picture(run: Path) -> str:
    """The summary tables of *run* as an SVG of `WIDTH` columns.

    Raises:
        StoreError: there is no run in that folder.
    """
    store = open_run(run)
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(Text.assemble(("$ ", "dim"), f"clsweep run {run.name}"), end="\n\n")
    tables = summary_tables(shown(store).sweep.cells, width=WIDTH)
    for position, table in enumerate(tables):
        console.print(*([""] if position else []), table, sep="\n")
    svg = console.export_svg(title="clsweep", unique_id="clsweep")
    # The fonts that rich names lie on another site; a picture should not need the network.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def main() -> None:
    """Write the picture of one run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="a run's folder, such as runs/quickstart")
    parser.add_argument("output", type=Path, help="the SVG file to write")
    arguments = parser.parse_args()
    arguments.output.write_text(picture(arguments.run), encoding="utf-8")


if __name__ == "__main__":
    main()
