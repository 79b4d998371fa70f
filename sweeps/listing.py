"""Everything that a spec can name, for people."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cl.registry import DATASETS, KINDS, METHODS, MODEL_OF_KIND, STREAMS, Settings
from sweeps.problems import shown
from sweeps.spec import catalog


def listing() -> RenderableType:
    """Draw the shipped sweeps, the methods, the increment kinds and the streams."""
    return Group(
        _section("Shipped sweeps (clsweep run NAME)", {name: [text] for name, text in catalog().items()}),
        _section(
            "Methods and their hyperparameters (defaults)",
            {name: [entry.summary, _defaults(entry.settings)] for name, entry in METHODS.items()},
        ),
        _section("Increment kinds and their models", {kind: [MODEL_OF_KIND[kind]] for kind in KINDS}),
        _section(
            "Streams: KIND-DATA, such as split-digits, or KIND over your own .npz",
            {name: [_defaults(settings)] for name, settings in STREAMS.items() if name != "explicit"},
        ),
        _section("Data", {name: [entry.summary] for name, entry in DATASETS.items()}),
    )


def _section(title: str, rows: Mapping[str, list[str]]) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    table.add_column(no_wrap=True)
    for name, cells in rows.items():
        table.add_row(name, "\n".join(cell for cell in cells if cell))
    return Group(Text(title, style="bold"), table)


def _defaults(settings: type[Settings]) -> str:
    return ", ".join(
        f"{name} {value if isinstance(value, str) else shown(value)}"
        for name, value in settings().resolved().items()
    )
