"""Everything that is computed from the rows, as typed tables for programs: one row per fact.

Each schema carries what every column means, its unit, and the definitions of metrics and statistics.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa

from cl.metrics import METRICS
from results.across import RESAMPLES, TAUS, Scores, improvement_interval, iqm_interval, profile, profile_band
from results.columns import column, table_schema
from results.families import Family, by_scenario, marked
from results.schema import STATUSES, to_table
from results.statistics import bca_interval, disagree, spread
from results.summary import CellSummary

__all__ = [
    "ACROSS",
    "COMPARISONS",
    "PROFILES",
    "SUMMARY",
    "across_table",
    "comparisons_table",
    "profiles_table",
    "summary_table",
]

_TEXT, _INT32, _DOUBLE, _BOOL = pa.string(), pa.int32(), pa.float64(), pa.bool_()
_DEFINITIONS = {
    "definition.R": "R[i, j]: share correct on task i after training task j (-1: none), 1 = 100 %",
    "definition.J": "R of the joint trial with the same settings and seed",
    **{f"definition.{name}": metric.definition for name, metric in METRICS.items()},
}
_ACCURACY = "share"

SUMMARY = table_schema(
    "summary",
    column("scenario", _TEXT, "increment kind and stream"),
    column("kind", _TEXT, "increment kind: task-il, domain-il or class-il"),
    column("scenario_settings", _TEXT, "the stream's settings, as a JSON object"),
    column("data_digest", _TEXT, "digest of the data sets' contents"),
    column("results_version", _INT32, "raised when a change of the code changes the numbers"),
    column("method", _TEXT, "how forgetting is fought"),
    column("hyperparameters", _TEXT, "the method's hyperparameters, as a JSON object"),
    column("model", _TEXT, "the model's settings, as a JSON object"),
    column("train", _TEXT, "the training loop's settings, as a JSON object"),
    column("scenario_label", _TEXT, "the scenario with the settings that vary within the sweep"),
    column("label", _TEXT, "the method with the values that vary within the sweep"),
    column("metric", _TEXT, "name of the metric; its definition is in this schema's metadata"),
    column("mean", _DOUBLE, "mean over seeds; null where undefined", null=True, unit=_ACCURACY),
    column(
        "half_width",
        _DOUBLE,
        "half width of the Student t interval; null for n < 2",
        null=True,
        unit=_ACCURACY,
    ),
    column(
        "sd", _DOUBLE, "standard deviation over seeds (ddof = 1); null for n < 2", null=True, unit=_ACCURACY
    ),
    column("level", _DOUBLE, "level of the intervals; null where the metric is undefined", null=True),
    column("n", _INT32, "seeds in the mean"),
    column(
        "bca_low",
        _DOUBLE,
        "lower end of the BCa bootstrap interval; null for n < 20",
        null=True,
        unit=_ACCURACY,
    ),
    column("bca_high", _DOUBLE, "upper end of it; null for n < 20", null=True, unit=_ACCURACY),
    column("disagree", _BOOL, "whether it is far from Student's; null for n < 20", null=True),
    column("median", _DOUBLE, "median over seeds; null where undefined", null=True, unit=_ACCURACY),
    column("iqm", _DOUBLE, "interquartile mean over seeds; null where undefined", null=True, unit=_ACCURACY),
    column("least", _DOUBLE, "least of the seeds; null where undefined", null=True, unit=_ACCURACY),
    column("most", _DOUBLE, "greatest of the seeds; null where undefined", null=True, unit=_ACCURACY),
    column("best", _BOOL, "whether it is the best of its scenario or cannot be told from it"),
    column("reason", _TEXT, "why the metric is undefined, for all seeds or for those named", null=True),
    *(column(status, _INT32, f"seeds of the cell that are {status}") for status in sorted(STATUSES)),
    column(
        "missing", _INT32, "seeds that are planned, or that other cells have started, and this one has not"
    ),
    column("train_s", _DOUBLE, "mean seconds of training over complete seeds; null without any", null=True),
    **_DEFINITIONS,
)
"""One row per cell and metric."""

COMPARISONS = table_schema(
    "comparisons",
    column("scenario_label", _TEXT, "the scenario with the settings that vary within the sweep"),
    column("metric", _TEXT, "name of the metric"),
    column("baseline", _TEXT, "what all others are compared with; null where all are with all", null=True),
    column("first", _TEXT, "label of the first cell"),
    column("second", _TEXT, "label of the second cell"),
    column("n", _INT32, "seeds that both have"),
    column(
        "difference", _DOUBLE, "mean of first - second over them; null for n = 0", null=True, unit=_ACCURACY
    ),
    column(
        "half_width",
        _DOUBLE,
        "half width of its Student t interval; null for n < 2",
        null=True,
        unit=_ACCURACY,
    ),
    column("sd", _DOUBLE, "standard deviation of the differences; null for n < 2", null=True, unit=_ACCURACY),
    column("level", _DOUBLE, "level of the interval and, less from 1, of the tests"),
    column(
        "hedges_g",
        _DOUBLE,
        "effect size of the pairs; null for n < 3 or without spread",
        null=True,
        unit="standard deviations of the differences",
    ),
    column(
        "share_better", _DOUBLE, "P(A > B): share of seeds on which first is better, ties half", null=True
    ),
    column("p", _DOUBLE, "p value of the paired t test, two-sided; null for n < 2", null=True),
    column("p_holm", _DOUBLE, "the same, corrected for the tests of its family", null=True),
    column("rejected", _BOOL, "whether the two differ at the family's level"),
    column("family", _INT32, "tests in the family: those of one scenario and metric"),
    column("looks", _INT32, "commands that brought the seeds, for which p values are not corrected"),
    column(
        "detectable",
        _DOUBLE,
        "smallest true difference found with 80 % power; null for n < 2",
        null=True,
        unit=_ACCURACY,
    ),
    column(
        "more_seeds", _INT32, "shared seeds still to run to find this difference with 80 % power", null=True
    ),
    column("margin", _DOUBLE, "the difference that should be found", unit=_ACCURACY),
    column("underpowered", _BOOL, "not rejected, and a difference of the margin may well have been missed"),
    **_DEFINITIONS,
)
"""One row per scenario, metric and pair of methods."""

ACROSS = table_schema(
    "across",
    column("statistic", _TEXT, "iqm or improvement; its definition is in this schema's metadata"),
    column("first", _TEXT, "the method"),
    column("second", _TEXT, "the method it is compared with; null for iqm", null=True),
    column("value", _DOUBLE, "over all scenarios that count"),
    column(
        "low", _DOUBLE, "lower end of the stratified bootstrap interval; null for single seeds", null=True
    ),
    column("high", _DOUBLE, "upper end of it; null as above", null=True),
    column("level", _DOUBLE, "level of the interval"),
    column("scenarios", _INT32, "scenarios that count"),
    column("runs", _INT32, "complete seeds of the method in all of them"),
    column("resamples", _INT32, "resamples of the bootstrap"),
    **{
        "definition.iqm": "interquartile mean of (ACC - chance) / (mean ACC of joint - chance) over all runs",
        "definition.improvement": "mean over scenarios of P(score of first > score of second), ties half",
    },
)
"""One row per method, and per ordered pair of methods."""

PROFILES = table_schema(
    "profiles",
    column("method", _TEXT, "the method"),
    column("tau", _DOUBLE, "a chance-normalised score: 0 is guessing, 1 the mean of joint training"),
    column("share", _DOUBLE, "share of all runs that score above it"),
    column("low", _DOUBLE, "lower end of its pointwise bootstrap interval; null for single seeds", null=True),
    column("high", _DOUBLE, "upper end of it; null as above", null=True),
    column("level", _DOUBLE, "level of the interval"),
)
"""One row per method and score: performance profiles."""


def summary_table(
    cells: Sequence[CellSummary],
    best: Mapping[tuple[str, str], Collection[str]],
    *,
    metrics: Sequence[str] = tuple(METRICS),
) -> pa.Table:
    """The summary as a table of schema `SUMMARY`; whom to call *best*, `bests` says."""
    return to_table(
        SUMMARY,
        [
            _summary_row(cell, name, cell.label in best.get((cell.scenario_label, name), ()))
            for cell in cells
            for name in metrics
        ],
    )


def bests(cells: Sequence[CellSummary], found: Iterable[Family]) -> Mapping[tuple[str, str], frozenset[str]]:
    """By scenario and metric the labels of the best, and of those that cannot be told from them."""
    scenarios = by_scenario(cells)
    nobody = {(title, name): frozenset[str]() for title in scenarios for name in METRICS}
    return nobody | {
        (family.scenario, family.metric): marked(scenarios[family.scenario], family) for family in found
    }


def _summary_row(cell: CellSummary, metric: str, best: bool) -> dict[str, Any]:
    settings = ("scenario_settings", "hyperparameters", "model", "train")
    names = ("scenario", "kind", "data_digest", "results_version", "method", "scenario_label", "label")
    return {
        **{name: getattr(cell, name) for name in names},
        **{name: json.dumps(getattr(cell, name), sort_keys=True) for name in settings},
        "metric": metric,
        **_statistics(cell, metric),
        "best": best,
        "reason": cell.reasons.get(metric),
        **{status: len(cell.with_status(status)) for status in STATUSES},
        "missing": len(cell.missing),
        "train_s": cell.train_s,
    }


def _statistics(cell: CellSummary, metric: str) -> dict[str, Any]:
    interval, values = cell.metrics.get(metric), cell.values[metric].values()
    if interval is None:
        return {"n": 0}
    found = asdict(interval) | asdict(spread(values))
    bca = bca_interval(values, interval.level)
    if bca is None:
        return found
    return found | {"bca_low": bca[0], "bca_high": bca[1], "disagree": disagree(interval, bca)}


def comparisons_table(found: Iterable[Family]) -> pa.Table:
    """The *found* families as a table of schema `COMPARISONS`."""
    rows = []
    for family in found:
        for pair in family.pairs:
            difference = pair.difference
            rows.append(
                {
                    "scenario_label": family.scenario,
                    "metric": family.metric,
                    "baseline": family.baseline,
                    "first": pair.first,
                    "second": pair.second,
                    "n": difference.n if difference else 0,
                    "difference": difference.mean if difference else None,
                    "half_width": difference.half_width if difference else None,
                    "sd": difference.sd if difference else None,
                    "level": family.level,
                    "hedges_g": pair.g,
                    "share_better": pair.share,
                    "p": pair.p,
                    "p_holm": pair.p_holm,
                    "rejected": pair.rejected(family.level),
                    "family": family.size,
                    "looks": family.looks,
                    "detectable": pair.detectable,
                    "more_seeds": pair.more_seeds,
                    "margin": family.margin,
                    "underpowered": pair in family.underpowered,
                }
            )
    return to_table(COMPARISONS, rows)


def across_table(scores: Scores, *, level: float = 0.95, seed: int = 0) -> pa.Table:
    """Interquartile means and probabilities of improvement, of schema `ACROSS`; *seed* is the bootstrap's."""
    random = np.random.default_rng(seed)
    shared = {"level": level, "scenarios": len(scores.scenarios), "resamples": RESAMPLES}
    runs = {method: sum(map(len, its)) for method, its in scores.methods.items()}
    rows = [
        {"statistic": "iqm", "first": method, "runs": runs[method], **shared}
        | asdict(iqm_interval(its, random, level=level))
        for method, its in scores.methods.items()
    ]
    for (first, its), (second, others) in combinations(scores.methods.items(), 2):
        found = improvement_interval(its, others, random, level=level)
        for one, other, estimate in ((first, second, found), (second, first, found.reverse)):
            names = {"statistic": "improvement", "first": one, "second": other, "runs": runs[one]}
            rows.append({**names, **shared, **asdict(estimate)})
    return to_table(ACROSS, rows)


def profiles_table(scores: Scores, *, level: float = 0.95, seed: int = 0) -> pa.Table:
    """Performance profiles, of schema `PROFILES`; *seed* is the bootstrap's."""
    random = np.random.default_rng(seed)
    rows = []
    for method, its in scores.methods.items():
        low, high = profile_band(its, random, level=level)
        columns = (TAUS, profile(its), low, high)
        rows += [
            {"method": method, "tau": tau, "share": share, "low": bottom, "high": top, "level": level}
            for tau, share, bottom, top in zip(*(values.tolist() for values in columns), strict=True)
        ]
    return to_table(PROFILES, rows)
