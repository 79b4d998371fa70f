"""What a search found: response curves, and stability against plasticity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from results.plots.sheet import Panels, sheet
from results.plots.style import BLACK, BLUE, GREY, ORANGE
from results.plots.words import percent
from results.tuned import Configuration, TunedStudy, pareto_front
from results.tuned_tables import RESPONSES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["response_curve", "response_figure", "stability_figure", "stability_plasticity"]


def response_figure(study: TunedStudy, name: str) -> Figure:
    """ACC, BWT and FM of every configuration of *study* against the hyperparameter *name*."""
    panels = Panels(1, len(RESPONSES), 3.1, 2.5, across=0.6, top=0.1)
    title = f"{study.scenario}, {study.method}: response to {name}"
    about = f"validation data; mean and {percent(study.level)} interval (Student t), {_seeds(study)}"
    figure, columns = sheet(panels, len(RESPONSES), title, [about])
    for axes, metric in zip(columns, RESPONSES, strict=True):
        response_curve(axes, study, name, metric)
    _legend(columns[0])
    return figure


def _seeds(study: TunedStudy) -> str:
    counts = {each.seeds for each in study.configurations if each.seeds}
    n = f"{min(counts)} to {max(counts)}" if len(counts) > 1 else f"{max(counts, default=0)}"
    return f"n = {n} selection seeds"


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
    _mark(axes, study, name, metric, position)
    if searched.logarithmic:
        axes.set_xscale("log")
    if not searched.numeric:
        axes.set_xticks(range(len(searched.values)), [str(value) for value in searched.values])
    axes.set(xlabel=name, ylabel=RESPONSES.get(metric, metric))
    return axes


def _mark(axes: Axes, study: TunedStudy, name: str, metric: str, position: Callable[[Any], float]) -> None:
    """The winner, and the default where it is within the range."""
    winner = study.winner.interval(metric) if study.winner else None
    if study.winner and winner:
        x = position(study.winner.hyperparameters[name])
        axes.plot([x], [winner.mean], "*", color=BLACK, markersize=12, label="chosen", zorder=3)
    searched, default = study.ranges[name], study.default[name]
    if searched.numeric and min(searched.values) <= default <= max(searched.values):
        axes.axvline(default, color=GREY, linestyle=":", label="default")


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
    title = f"{study.scenario}, {study.method}: stability and plasticity"
    about = f"validation data; means over {_seeds(study)}"
    figure, (axes,) = sheet(Panels(1, 1, 4.2, 3.0, top=0.1), 1, title, [about])
    stability_plasticity(axes, study)
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
    _legend(axes)
    return axes


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", fontsize=8, frameon=False)


def _mean(configuration: Configuration, metric: str) -> float:
    interval = configuration.interval(metric)
    assert interval is not None
    return interval.mean
