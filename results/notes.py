"""What a table has to say beside its numbers: each reason once, and the seeds that are not in the means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import pyarrow as pa

from cl.metrics import METRICS
from results.schema import DIVERGED, FAILED, RUNNING, STOPPED
from results.statistics import BCA_FROM
from results.summary import CellSummary, seed_list

__all__ = ["bca_note", "causes", "footnotes", "grouped", "header", "legend", "marks_legend", "unchosen_note"]

_SHORT = {"intransigence": "INT"}
_NAMED_CELLS = 3
"""A footnote names so many cells and counts the rest."""


def header(metric: str) -> str:
    """The metric's name at the head of a column."""
    return _SHORT.get(metric, METRICS[metric].label)


def legend(cells: Iterable[CellSummary], metrics: Sequence[str], *, intervals: bool = True) -> str:
    """What the numbers of all tables are."""
    levels = {interval.level for cell in cells for interval in cell.metrics.values()}
    percent = ", ".join(f"{100 * level:g} %" for level in sorted(levels)) or "95 %"
    words = [f"{header(name)}: {METRICS[name].label}" for name in metrics if name in _SHORT]
    numbers = f"mean ± {percent} half-width over n seeds (Student t)" if intervals else "mean over n seeds"
    return "; ".join([numbers, *words])


def marks_legend(best: Mapping[tuple[str, str], Collection[str]]) -> list[str]:
    """What a star means; nothing where there is none."""
    if not any(best.values()):
        return []
    return ["*: best, or not told from the best (paired t tests of all pairs in a scenario and metric, Holm)"]


def bca_note(cells: Iterable[CellSummary]) -> list[str]:
    """Where to find the bootstrap intervals that stand beside Student's; nothing where there are none."""
    if any(cell.n >= BCA_FROM for cell in cells):
        return [f"from {BCA_FROM} seeds on there is a BCa bootstrap interval beside this one: --spread"]
    return []


def unchosen_note(cells: Iterable[CellSummary]) -> list[str]:
    """What to do about *cells* that take no part in comparisons; nothing where there are none."""
    labels = list(dict.fromkeys(cell.label for cell in cells))
    if not labels:
        return []
    some = _some(labels)
    return [
        f"not compared, since no line of its method was chosen without test data (--cell names one): {some}"
    ]


def footnotes(cells: Sequence[CellSummary], metrics: Sequence[str]) -> list[str]:
    """The notes of one scenario's table, a line each."""
    return [
        *_reasons(cells, metrics),
        *_head_notes(cells, metrics),
        *_ended_early(cells),
        *_unfinished(cells),
    ]


def causes(trials: pa.Table) -> list[str]:
    """Why trials failed, a line per cause, the most frequent first."""
    ended = zip(trials["status"].to_pylist(), trials["error_cause"].to_pylist(), strict=True)
    counts = Counter(str(cause) for status, cause in ended if status == FAILED)
    return [f"{n} trial{'s' if n > 1 else ''} failed: {cause}" for cause, n in counts.most_common()]


def _reasons(cells: Sequence[CellSummary], metrics: Sequence[str]) -> list[str]:
    """Every reason once, with the metrics and the cells to which it applies."""
    lacking: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        for name in metrics:
            if reason := cell.reasons.get(name):
                lacking.setdefault((reason, name), []).append(cell.label)
    shared: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (reason, name), labels in lacking.items():
        shared.setdefault((reason, tuple(labels)), []).append(header(name))
    return [
        f"{', '.join(names)}{'' if len(labels) == len(cells) else f' of {_some(labels)}'}: {reason}"
        for (reason, labels), names in shared.items()
    ]


def _head_notes(cells: Sequence[CellSummary], metrics: Sequence[str]) -> list[str]:
    shown = "fwt" in metrics and any(cell.kind == "task-il" and "fwt" in cell.metrics for cell in cells)
    return ["FWT in task-il: accuracy with a head that is not trained yet"] if shown else []


def _ended_early(cells: Sequence[CellSummary]) -> list[str]:
    notes = []
    for status in (FAILED, DIVERGED, STOPPED):
        ended = [(cell.label, seeds) for cell in cells if (seeds := cell.with_status(status))]
        if ended:
            notes.append(f"{status}: {_some([f'{label} ({seed_list(seeds)})' for label, seeds in ended])}")
    return notes


def _unfinished(cells: Sequence[CellSummary]) -> list[str]:
    running = sum(len(cell.with_status(RUNNING)) for cell in cells)
    missing = sum(len(cell.missing) for cell in cells)
    counts = [f"{count} {what}" for count, what in ((running, "running"), (missing, "not started")) if count]
    return [f"trials: {', '.join(counts)}"] if counts else []


def grouped(reasons: Mapping[str, str]) -> list[str]:
    """A line per reason, with what it is the reason of.

    >>> grouped({"a": "late", "b": "late", "c": "lost"})
    ['a, b: late', 'c: lost']
    """
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        by_reason.setdefault(reason, []).append(name)
    return [f"{_some(names)}: {reason}" for reason, names in by_reason.items()]


def _some(labels: Sequence[str]) -> str:
    """The first labels, and how many there are beyond them."""
    more = len(labels) - _NAMED_CELLS
    return ", ".join(labels[:_NAMED_CELLS]) + (f" and {more} more" if more > 0 else "")
