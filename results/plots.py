"""Pictures, with matplotlib: every plot draws on the axes it is given and returns them.

Colours are those of Okabe & Ito (2008), which colour-blind people can tell apart, and differ in lightness, so
that they survive a print in grey.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.tuned import Configuration, TunedStudy, pareto_front
from results.tuned_tables import RESPONSES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["response_curve", "response_figure", "save", "stability_figure", "stability_plasticity"]

BLUE, ORANGE, GREY, BLACK = "#0072B2", "#D55E00", "#999999", "#000000"
FORMATS = ("png", "svg")


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write *figure* as PNG and SVG into *folder*, whole or not at all; return the files.

    Raises:
        OSError: they cannot be written.
    """
    from matplotlib import rc_context  # noqa: PLC0415 - a table is shown without matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{ending}" for ending in FORMATS]
    with rc_context({"svg.hashsalt": "clsweep"}):
        for path in paths:
            partial = path.with_name(f".{path.name}.tmp")
            figure.savefig(partial, format=path.suffix[1:], dpi=150, metadata=_NO_DATE[path.suffix[1:]])
            os.replace(partial, path)
    return paths


# The same results give the same file.
_NO_DATE: Mapping[str, dict[str, str | None]] = {"png": {}, "svg": {"Date": None}}


def response_figure(study: TunedStudy, name: str) -> Figure:
    """ACC, BWT and FM of every configuration of *study* against the hyperparameter *name*."""
    figure, columns = _figure(len(RESPONSES))
    for axes, metric in zip(columns, RESPONSES, strict=True):
        response_curve(axes, study, name, metric)
    columns[0].legend(loc="best", fontsize="small", frameon=False)
    figure.suptitle(f"{study.scenario}, {study.method}: validation data, mean and 95 % interval over seeds")
    return figure


def response_curve(axes: Axes, study: TunedStudy, name: str, metric: str) -> Axes:
    """*metric* on validation data against the hyperparameter *name*: every configuration with its interval.

    Configurations that left early are hollow, those with a seed that diverged are crosses; the winner and the
    default are marked.
    """
    groups = {
        "stayed to the end": [each for each in study.configurations if not each.left and not each.diverged],
        "left early": [each for each in study.configurations if each.left and not each.diverged],
        "diverged": [each for each in study.configurations if each.diverged],
    }
    styles: dict[str, dict[str, Any]] = {
        "stayed to the end": {"fmt": "o", "color": BLUE},
        "left early": {"fmt": "o", "color": GREY, "mfc": "none"},
        "diverged": {"fmt": "x", "color": ORANGE},
    }
    searched = study.ranges[name]
    position = _position(searched.values) if not searched.numeric else float
    for label, some in groups.items():
        points = [(position(each.hyperparameters[name]), *_bar(each, metric, study)) for each in some]
        points = [point for point in points if point[1] is not None]
        if points:
            xs, ys, spreads = zip(*points, strict=True)
            axes.errorbar(xs, ys, spreads, label=label, markersize=5, linewidth=1, capsize=2, **styles[label])
    winner = study.winner.interval(metric) if study.winner else None
    if study.winner and winner:
        x = position(study.winner.hyperparameters[name])
        axes.plot([x], [winner.mean], "*", color=BLACK, markersize=12, label="chosen", zorder=3)
    default = study.default[name]
    if searched.numeric and min(searched.values) <= default <= max(searched.values):
        axes.axvline(default, color=GREY, linestyle=":", label="default")
    if searched.logarithmic:
        axes.set_xscale("log")
    if not searched.numeric:
        axes.set_xticks(range(len(searched.values)), [str(value) for value in searched.values])
    axes.set_xlabel(name)
    axes.set_ylabel(RESPONSES.get(metric, metric))
    return axes


def _position(values: Sequence[object]) -> Callable[[Any], float]:
    places = {repr(value): place for place, value in enumerate(values)}
    return lambda value: float(places[repr(value)])


def _bar(configuration: Configuration, metric: str, study: TunedStudy) -> tuple[float | None, float]:
    """The mean and half width of *metric*; of ACC, without a complete seed, the score at chance."""
    interval = configuration.interval(metric)
    if interval is not None:
        return interval.mean, interval.half_width or 0.0
    diverged = metric == "acc" and study.metric == "val_acc" and configuration.diverged
    return (configuration.score if diverged else None), 0.0


def stability_figure(study: TunedStudy) -> Figure:
    """The stability-plasticity picture of *study*."""
    figure, (axes,) = _figure(1)
    stability_plasticity(axes, study)
    figure.suptitle(f"{study.scenario}, {study.method}")
    return figure


def stability_plasticity(axes: Axes, study: TunedStudy) -> Axes:
    """Learning accuracy against forgetting (Chaudhry et al. 2018), a point per configuration.

    The Pareto front joins those that no other beats in one way without losing in the other.
    """
    some = [each for each in study.configurations if each.interval("forgetting")]
    points = [(_mean(each, "learning_accuracy"), _mean(each, "forgetting")) for each in some]
    front = sorted({points[i] for i in pareto_front(points)}, key=lambda point: point[1])
    axes.plot([cost for _, cost in points], [gain for gain, _ in points], "o", color=BLUE, markersize=5)
    if front:
        axes.plot(
            [cost for _, cost in front], [gain for gain, _ in front], "-", color=ORANGE, label="Pareto front"
        )
    if study.winner in some:
        gain, cost = points[some.index(study.winner)]
        axes.plot([cost], [gain], "*", color=BLACK, markersize=12, label="chosen", zorder=3)
    axes.set_xlabel("forgetting (stability: to the left)")
    axes.set_ylabel("learning accuracy (plasticity: up)")
    axes.legend(loc="best", fontsize="small", frameon=False)
    return axes


def _mean(configuration: Configuration, metric: str) -> float:
    interval = configuration.interval(metric)
    assert interval is not None
    return interval.mean


def _figure(columns: int) -> tuple[Figure, list[Axes]]:
    # Without pyplot, whose figures live until somebody closes them and which looks for a screen.
    from matplotlib.figure import Figure  # noqa: PLC0415 - a table is shown without matplotlib

    figure = Figure(figsize=(4.2 * columns + 0.6, 3.8), layout="constrained")
    row = figure.subplots(1, columns, squeeze=False)[0]
    return figure, list(row)
