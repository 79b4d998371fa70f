"""Everything that a spec can name, and what of it goes together, for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cl.registry import (
    DATASETS,
    KINDS,
    METHODS,
    MODEL_OF_KIND,
    MODELS,
    STREAMS,
    Fit,
    Kind,
    Settings,
    method_fit,
    model_fit,
)
from cl.registry.compatibility import GROWN_BY
from sweeps.problems import shown
from sweeps.spec import catalog


def listing(section: str | None = None) -> RenderableType:
    """Draw a section of `SECTIONS`, or all that list names."""
    if section is not None:
        return SECTIONS[section]()
    return Group(*(draw() for name, draw in SECTIONS.items() if name != "compatibility"))


def _sweeps() -> RenderableType:
    title = "Shipped sweeps (clsweep run NAME; those that search, clsweep tune NAME)"
    return _section(title, {name: [text] for name, text in catalog().items()})


def _methods() -> RenderableType:
    return _section(
        "Methods and their hyperparameters (defaults)",
        {name: [entry.summary, _defaults(entry.settings())] for name, entry in METHODS.items()},
    )


_MLP = "the default: the perceptron that fits the increment kind and the method"


def _models() -> RenderableType:
    rows = {
        name: [entry.summary, _defaults(entry.settings(name=name), without="name")]
        for name, entry in MODELS.items()
    }
    return Group(
        _section("Models and their settings (defaults)", {"mlp": [_MLP], **rows}),
        _section("Increment kinds and their models", {kind: [MODEL_OF_KIND[kind]] for kind in KINDS}),
    )


def _streams() -> RenderableType:
    return _section(
        "Streams: KIND-DATA, such as split-digits, or KIND over your own .npz",
        {name: [_defaults(settings())] for name, settings in STREAMS.items() if name != "explicit"},
    )


def _data() -> RenderableType:
    return _section("Data", {name: [entry.summary] for name, entry in DATASETS.items()})


def _compatibility() -> RenderableType:
    models = {name: {kind: model_fit(kind, name, entry) for kind in KINDS} for name, entry in MODELS.items()}
    methods = {
        name: {kind: method_fit(kind, name, entry) for kind in KINDS} for name, entry in METHODS.items()
    }
    bound = [
        f"{name} trains only {' or '.join(entry.models)}" for name, entry in METHODS.items() if entry.models
    ]
    alone = [f"{name} is trained only by {method}" for name, method in GROWN_BY.items()]
    return Group(_fits("Models", models, alone), Text(), _fits("Methods", methods, bound))


def _fits(title: str, fits: Mapping[str, Mapping[Kind, Fit]], more: Iterable[str]) -> RenderableType:
    table = Table(box=None, padding=(0, 1, 0, 1))
    for column in ("", *KINDS):
        table.add_column(column, overflow="fold")
    for name, by_kind in fits.items():
        table.add_row(name, *(by_kind[kind].level for kind in KINDS))
    reasons = dict.fromkeys(fit.reason for by_kind in fits.values() for fit in by_kind.values() if fit.reason)
    notes = Padding(Text("\n".join([*reasons, *more])), (1, 0, 0, 1))
    return Group(Text(title, style="bold"), table, notes)


SECTIONS: Mapping[str, Callable[[], RenderableType]] = MappingProxyType(
    {
        "sweeps": _sweeps,
        "methods": _methods,
        "models": _models,
        "streams": _streams,
        "data": _data,
        "compatibility": _compatibility,
    }
)
"""What can be listed; all but the compatibility tables make up the whole list."""


def _section(title: str, rows: Mapping[str, list[str]]) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    table.add_column(no_wrap=True)
    for name, cells in rows.items():
        table.add_row(name, "\n".join(cell for cell in cells if cell))
    return Group(Text(title, style="bold"), table)


def _defaults(settings: Settings, without: str = "") -> str:
    return ", ".join(
        f"{name} {value if isinstance(value, str) else shown(value)}"
        for name, value in settings.resolved().items()
        if name != without
    )
