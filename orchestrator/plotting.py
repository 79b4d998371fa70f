"""The pictures of a run, as files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from orchestrator.showing import NoSearch, shown
from results import plots
from results.store import Store


def plotted(store: Store, folder: Path) -> Iterator[Path]:
    """Draw what the run in *store* searched into *folder*; yield each file once it is there.

    Raises:
        NoSearch: nothing was searched.
        StoreError: the run cannot be read.
        OSError: a file cannot be written.
    """
    studies = [study for study in shown(store).studies if study.ranges and study.configurations]
    if not studies:
        raise NoSearch(f"{store.root}: nothing was searched, so there is nothing to draw")
    for study in studies:
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{study.scenario}-{study.method}")
        for hyperparameter in study.ranges:
            figure = plots.response_figure(study, hyperparameter)
            yield from plots.save(figure, folder, f"response-{name}-{hyperparameter}")
        yield from plots.save(plots.stability_figure(study), folder, f"stability-plasticity-{name}")
