"""Pictures made of characters, for a terminal."""

from __future__ import annotations

import math

import plotext

from results.tuned import TunedStudy
from results.tuned_tables import RESPONSES

__all__ = ["response_text"]


def response_text(study: TunedStudy, name: str, metric: str, *, width: int = 80, height: int = 14) -> str:
    """*metric* on validation data against a numeric hyperparameter: a point per configuration, W the winner.

    On a logarithmic axis the numbers are powers of ten.
    """
    searched = study.ranges[name]
    points = [
        (float(each.hyperparameters[name]), interval.mean, each is study.winner)
        for each in study.configurations
        if (interval := each.interval(metric))
    ]
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(width, height)
    for marker, winners in (("o", False), ("W", True)):
        some = [(x, y) for x, y, won in points if won is winners]
        if some:
            xs = [math.log10(x) if searched.logarithmic else x for x, _ in some]
            plotext.scatter(xs, [y for _, y in some], marker=marker)
    plotext.xlabel(f"log10 {name}" if searched.logarithmic else name)
    plotext.title(f"{study.scenario}, {study.method}: {RESPONSES[metric]} on validation data")
    drawn: str = plotext.uncolorize(plotext.build())
    return drawn.rstrip()
