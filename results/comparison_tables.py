"""Comparisons for people: differences, what they can show, single seeds, and methods over all scenarios."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from results.across import Scores
from results.comparisons import Pair
from results.families import Family, by_scenario
from results.layout import NULL, STYLES, counted, fixed, numbers, p_value
from results.notes import grouped, header
from results.power import POWER, detectable
from results.schema import to_rows
from results.sheets import Sheet
from results.statistics import BCA_FROM, Interval, bca_interval, disagree, spread
from results.summary import CellSummary

__all__ = [
    "across_sheets",
    "comparison_sheets",
    "planned_power",
    "power_sheets",
    "separations",
    "spread_sheets",
]


_POWER = f"{100 * POWER:g} %"


def comparison_sheets(families: Iterable[Family]) -> list[Sheet]:
    """Per scenario and metric a line per pair: the difference, its size and its test."""
    return [
        Sheet(
            title=f"{family.scenario}: {header(family.metric)}, differences paired by seed",
            heads=("first − second", "n", "difference", "g", "P(A>B)", "p", "Holm"),
            rows=tuple(
                (
                    _names(pair),
                    _n(pair),
                    difference,
                    _number(pair.g, 2),
                    _number(pair.share, 2),
                    p_value(pair.p),
                    holm,
                )
                for pair, difference, holm in zip(
                    family.pairs, _differences(family), _holm(family), strict=True
                )
            ),
            notes=(*_tests(family), *_left_out(family), *_underpowered(family)),
        )
        for family in families
    ]


def power_sheets(families: Iterable[Family]) -> list[Sheet]:
    """Per scenario and metric a line per pair: what its seeds can show, and how many more it needs."""
    return [
        Sheet(
            title=f"{family.scenario}: {header(family.metric)}, what the seeds can show",
            heads=("first − second", "n", "difference", "sd", "detectable", "more seeds"),
            rows=tuple(
                (
                    _names(pair),
                    _n(pair),
                    difference,
                    _number(pair.difference.sd if pair.difference else None),
                    _number(pair.detectable),
                    _more(family, pair),
                )
                for pair, difference in zip(family.pairs, _differences(family), strict=True)
            ),
            notes=(
                _how_detected(family),
                *separations(family),
                *_left_out(family),
                *_underpowered(family),
            ),
        )
        for family in families
    ]


def _how_detected(family: Family) -> str:
    tests = counted(family.size, "test")
    return (
        f"detectable: the smallest true difference found with {_POWER} power by a paired t test, "
        f"corrected for {tests}"
    )


def separations(family: Family, *, planned: int = 0) -> Iterator[str]:
    """What would tell apart the pairs that are not, a sentence each; beyond the *planned* seeds, if given."""
    for pair in family.pairs:
        if not pair.rejected(family.level) and pair.more_seeds and pair.difference:
            more = min(pair.more_seeds, pair.difference.n + pair.more_seeds - planned)
            if more > 0:
                yield (
                    f"{counted(more, 'more seed')} would separate {pair.first} from {pair.second} in "
                    f"{family.scenario}, if difference and spread stay so"
                )


def planned_power(n: int, families: Sequence[Family], *, level: float = 0.95) -> Iterator[str]:
    """What differences *n* seeds can show, a line per scenario by the variances seen, or else in general."""
    smallest = detectable(n, alpha=1 - level)
    if smallest is None:
        yield "seeds: one shows no difference between methods; two are the least"
        return
    yield (
        f"seeds: {n} show a difference of {smallest:.2g} standard deviations of the paired differences, with "
        f"{_POWER} power"
    )
    for family in families:
        found = sorted(
            (detectable(n, pair.sd, alpha=(1 - level) / family.size), _names(pair))
            for pair in family.pairs
            if pair.sd is not None
        )
        if found:
            (least, first), (most, last) = found[0], found[-1]
            ends = f"{least:.3f} ({first})" + (f" to {most:.3f} ({last})" if len(found) > 1 else "")
            yield f"  {family.scenario}: by the spread seen, differences in {header(family.metric)} of {ends}"
        yield from (f"  {line}" for line in separations(family, planned=n))


def _names(pair: Pair) -> str:
    return f"{pair.first} − {pair.second}"


def _n(pair: Pair) -> str:
    return str(pair.difference.n if pair.difference else 0)


def _differences(family: Family) -> list[str]:
    return [text.plain for text in numbers([pair.difference for pair in family.pairs], STYLES[0])]


def _holm(family: Family) -> list[str]:
    return [f"{p_value(pair.p_holm)}{'*' if pair.rejected(family.level) else ' '}" for pair in family.pairs]


def _number(value: float | None, decimals: int = 3) -> str:
    return NULL if value is None else fixed(value, decimals)


def _more(family: Family, pair: Pair) -> str:
    if pair.rejected(family.level):
        return "separated"
    return NULL if pair.more_seeds is None else str(pair.more_seeds)


def _tests(family: Family) -> Iterator[str]:
    against = f", all against {family.baseline}" if family.baseline else ""
    yield (
        f"family: {counted(family.size, 'paired t test')} of one scenario and metric{against}; "
        f"Holm: p corrected for them; * differs at the {100 * family.level:g} % level"
    )
    if family.looks > 1:
        yield (
            f"{counted(family.looks, 'look')}: the seeds came with {family.looks} commands, and p values are "
            "not corrected for a look at the results in between"
        )
    else:
        yield "1 look: all seeds came with one command"
    yield (
        f"difference ± {100 * family.level:g} % half-width (Student t); g: Hedges' g of the pairs; P(A>B): "
        "share of seeds on which the first is better"
    )


def _left_out(family: Family) -> Iterator[str]:
    yield from (f"takes no part: {line}" for line in grouped(family.left_out))


def _underpowered(family: Family) -> Iterator[str]:
    missed = [f"{_names(pair)} ({_number(pair.detectable)})" for pair in family.underpowered]
    if missed:
        yield (
            f"underpowered, a difference of {family.margin:g} could well be missed (what would be found): "
            f"{', '.join(missed)}"
        )


def spread_sheets(cells: Sequence[CellSummary], metrics: Sequence[str]) -> list[Sheet]:
    """Per scenario and metric a line per cell: mean, intervals, and how the single seeds lie."""
    sheets = []
    for title, members in by_scenario(cells).items():
        for metric in metrics:
            if able := [cell for cell in members if cell.metrics.get(metric)]:
                means = numbers([cell.metrics[metric] for cell in able], STYLES[0])
                sheets.append(
                    Sheet(
                        title=f"{title}: {header(metric)} over seeds",
                        heads=("method", "n", "mean", "sd", "BCa", "median", "IQM", "min", "max"),
                        rows=tuple(
                            (cell.label, str(cell.metrics[metric].n), mean.plain, *_lies(cell, metric))
                            for cell, mean in zip(able, means, strict=True)
                        ),
                        notes=(_intervals(able[0].metrics[metric]),),
                    )
                )
    return sheets


def _lies(cell: CellSummary, metric: str) -> tuple[str, ...]:
    interval, values = cell.metrics[metric], cell.values[metric].values()
    how = spread(values)
    bca = bca_interval(values, interval.level)
    ends = NULL if bca is None else f"{fixed(bca[0])} to {fixed(bca[1])}"
    flag = "!" if bca is not None and disagree(interval, bca) else ""
    return (
        _number(interval.sd),
        ends + flag,
        *map(fixed, (how.median, how.iqm, how.least, how.most)),
    )


def _intervals(interval: Interval) -> str:
    return (
        f"mean ± {100 * interval.level:g} % half-width (Student t); BCa: bootstrap interval from {BCA_FROM} "
        "seeds on, ! where it is far from Student's; IQM: interquartile mean"
    )


def across_sheets(scores: Scores, table: pa.Table) -> list[Sheet]:
    """Interquartile means and probabilities of improvement, from a *table* of the schema `ACROSS`."""
    rows = to_rows(table)
    over = f"{counted(len(scores.scenarios), 'scenario')}"
    sheets = []
    if means := [row for row in rows if row["statistic"] == "iqm"]:
        sheets.append(
            Sheet(
                title=f"{over}: interquartile mean of chance-normalised ACC",
                heads=("method", "runs", "IQM", "interval"),
                rows=tuple(
                    (row["first"], str(row["runs"]), fixed(row["value"]), _ends(row)) for row in means
                ),
                notes=(
                    f"0 is guessing, 1 the mean of joint; {_bootstrap(means[0])}",
                    *(f"not counted: {line}" for line in grouped(scores.left_out)),
                ),
            )
        )
    first_of = {name: position for position, name in enumerate(scores.methods)}
    pairs = [row for row in rows if row["second"] and first_of[row["first"]] < first_of[row["second"]]]
    if pairs:
        sheets.append(
            Sheet(
                title=f"{over}: probability of improvement",
                heads=("first > second", "P", "interval"),
                rows=tuple(
                    (f"{row['first']} > {row['second']}", fixed(row["value"], 2), _ends(row, 2))
                    for row in pairs
                ),
                notes=("the chance that a run of the first scores higher than one of the second, ties half",),
            )
        )
    return sheets


def _ends(row: dict[str, Any], decimals: int = 3) -> str:
    if row["low"] is None:  # single seeds
        return NULL
    return f"{fixed(row['low'], decimals)} to {fixed(row['high'], decimals)}"


def _bootstrap(row: dict[str, float]) -> str:
    return (
        f"{100 * row['level']:g} % intervals by resampling seeds within scenarios ({row['resamples']} times)"
    )
