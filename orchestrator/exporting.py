"""The tables of a run, as files for other programs and for papers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.showing import shown
from results.export import export
from results.families import MARGIN
from results.selection import known_metrics
from results.storage import Folder
from results.store import Store
from results.tables import HEADLINE

FOLDER = "export"
"""Where files go within the run's folder unless another is named."""


def exported(
    store: Store,
    form: str,
    output: Path | str | None = None,
    *,
    names: Sequence[str] = (),
    metrics: Sequence[str] = (),
    everything: bool = False,
    baseline: str | None = None,
    named: Sequence[str] = (),
    level: float = 0.95,
    margin: float = MARGIN,
) -> Iterator[str]:
    """Write the tables of the run in *store*, a file each; yield the name of each file once it is there.

    Args:
        store: the run.
        form: one of `results.export.FORMS`.
        output: the folder for the files, a path or a URI; None is `FOLDER` in the run's own folder, wherever
            that is.
        names: the tables to write; none is all that have rows.
        metrics: those in Markdown and LaTeX, by name or label; none is the headline ones.
        everything: also the trials of earlier settings of the run's spec.
        baseline: label or method that all others are compared with.
        named: labels that stand for their methods in comparisons.
        level: of intervals and tests.
        margin: the difference that comparisons should be able to find.

    Raises:
        NoSuchTable: one of *names* does not exist in this form.
        NoSuchCell: a metric or a line that is named does not exist.
        NoRows: there is nothing to write.
        StoreError: the run cannot be read, or a file cannot be written.
    """
    columns = known_metrics(metrics) or HEADLINE
    run = shown(store, everything=everything, level=level)
    sweep = replace(run.sweep, baseline=baseline, named=tuple(named), margin=margin)
    folder = store.root / FOLDER if output is None else Folder.at(output)
    yield from export(sweep, form, folder, names, metrics=columns)
