"""Pictures made of characters, for a terminal."""

from __future__ import annotations

import math

import plotext

from results.tuned import TunedStudy
from results.tuned_tables import RESPONSES

__all__ = ["response_text"]


def response_text(study: TunedStudy, name: str, metric: str, *, width: int = 80, height: int = 13) -> str:
    """*metric* on validation data against a numeric hyperparameter: every configuration with its interval.

    The winner is a W. On a logarithmic axis the numbers are powers of ten.
    """
    searched = study.ranges[name]
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(width, height)
    for each in sorted(study.configurations, key=lambda each: each is study.winner):
        interval = each.interval(metric)
        if interval is None:
            continue
        value = float(each.hyperparameters[name])
        x, half = math.log10(value) if searched.logarithmic else value, interval.half_width or 0.0
        plotext.plot([x, x], [interval.mean - half, interval.mean + half], marker="│")
        plotext.scatter([x], [interval.mean], marker="W" if each is study.winner else "o")
    plotext.xlabel(f"log10 {name}" if searched.logarithmic else name)
    plotext.title(f"{study.scenario}, {study.method}: {RESPONSES[metric]} on validation data")
    drawn: str = plotext.uncolorize(plotext.build())
    return drawn.rstrip()
