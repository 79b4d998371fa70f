"""The evaluation gate over seeds: whether one cell may replace another, as surely as intervals say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cl.metrics import METRICS, Gate, evaluation_gates
from results.layout import counted
from results.statistics import (
    Difference,
    Interval,
    mean_interval,
    paired_difference,
    seeds_needed,
    welch_difference,
)
from results.summary import CellSummary

__all__ = ["Comparison", "Judgement", "Verdict", "compare", "gate_table"]

Estimate: TypeAlias = Interval | Difference


class Verdict(StrEnum):
    """What an interval says of a limit."""

    passes = "passes"
    fails = "fails"
    undecided = "undecided"


@dataclass(frozen=True)
class Judgement:
    """What one gate says of the seeds."""

    gate: Gate
    estimate: Estimate | None
    """None where the metric has no value."""
    reason: str = ""
    """Why there is no estimate."""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The ends of the interval; None where there is none."""
        if self.estimate is None or self.estimate.half_width is None:
            return None
        return self.estimate.mean - self.estimate.half_width, self.estimate.mean + self.estimate.half_width

    @property
    def verdict(self) -> Verdict:
        """Passes or fails if the whole interval is on one side of the limit, which itself is on neither."""
        if self.bounds is None:
            return Verdict.undecided
        misses = [self.gate.miss(bound) for bound in self.bounds]
        if max(misses) < 0:
            return Verdict.passes
        return Verdict.fails if min(misses) > 0 else Verdict.undecided

    @property
    def more_seeds(self) -> tuple[int, ...] | None:
        """About how many more seeds each sample needs for a verdict; None if no number would do.

        See `seeds_needed`. One number for a mean or for paired differences, two for independent samples.
        """
        if self.estimate is None:
            return None
        samples = _samples(self.estimate)
        needed = seeds_needed(samples, abs(self.gate.miss(self.estimate.mean)))
        return None if needed is None else tuple(max(0, needed - sample.n) for sample in samples)


@dataclass(frozen=True, eq=False)
class Comparison:
    """A challenger and a champion in one scenario, and what every gate says at the *level* of intervals."""

    challenger: CellSummary
    champion: CellSummary
    judgements: tuple[Judgement, ...]
    level: float

    @property
    def lacks_seeds(self) -> bool:
        """Whether a seed of the challenger failed, diverged, is still to come, or lacks a metric of others.

        Those that are left are no fair sample: they are the ones that went well.
        """
        counts = [len(self.challenger.values[judgement.gate.metric]) for judgement in self.judgements]
        return min([self.challenger.n, *filter(None, counts)]) < self.challenger.planned

    @property
    def verdict(self) -> Verdict:
        """Fails if any gate does; passes if all do and the challenger lacks no seed."""
        verdicts = {judgement.verdict for judgement in self.judgements}
        if Verdict.fails in verdicts:
            return Verdict.fails
        return Verdict.undecided if Verdict.undecided in verdicts or self.lacks_seeds else Verdict.passes


def compare(
    challenger: CellSummary, champion: CellSummary, *, level: float = 0.95, **thresholds: float
) -> Comparison:
    """Judge every gate by the two-sided interval of a mean over complete seeds.

    *thresholds* are those of `evaluation_gates`. A difference is paired if the cells share two seeds or more;
    otherwise the samples are independent.

    Raises:
        ValueError: a level outside (0, 1), or as `evaluation_gates`.
    """
    gates = evaluation_gates(**thresholds)
    judgements = tuple(_judge(gate, challenger, champion, level) for gate in gates)
    return Comparison(challenger, champion, judgements, level)


def _judge(gate: Gate, challenger: CellSummary, champion: CellSummary, level: float) -> Judgement:
    read = {"challenger": challenger, "champion": champion} if gate.difference else {"challenger": challenger}
    for who, cell in read.items():
        if not cell.values[gate.metric]:
            label = METRICS[gate.metric].label
            return Judgement(gate, None, f"{label} of the {who} {cell.label}: {cell.reasons[gate.metric]}")
    ours, theirs = challenger.values[gate.metric], champion.values[gate.metric]
    if not gate.difference:
        return Judgement(gate, mean_interval(ours.values(), level))
    if len(ours.keys() & theirs.keys()) >= 2:
        return Judgement(gate, paired_difference(ours, theirs, level))
    return Judgement(gate, welch_difference(ours.values(), theirs.values(), level))


def _samples(estimate: Estimate) -> tuple[Interval, ...]:
    return (estimate,) if isinstance(estimate, Interval) else (estimate.first, estimate.second)


def gate_table(comparison: Comparison) -> Group:
    """The scenario, the two cells, a line per gate, what it rests on, and the verdict."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("gate", overflow="fold")
    for title in ("estimate", f"{100 * comparison.level:g} % interval", "limit"):
        table.add_column(title, justify="right", overflow="fold")  # a number is never cut short
    table.add_column("verdict", no_wrap=True)
    for judgement in comparison.judgements:
        table.add_row(*_row(judgement))
    notes = [*_evidence(comparison), *_incomplete(comparison), *_undecided(comparison)]
    return Group(
        Text(comparison.challenger.scenario_label, style="bold"),
        Text(f"challenger {comparison.challenger.label}, champion {comparison.champion.label}"),
        table,
        *(Text(note, style="dim") for note in notes),
        Text(_conclusion(comparison), style="bold"),
    )


def _row(judgement: Judgement) -> tuple[str, ...]:
    gate = judgement.gate
    return (
        gate.label,
        "–" if judgement.estimate is None else _fixed(judgement.estimate.mean),
        "–" if judgement.bounds is None else " to ".join(map(_fixed, judgement.bounds)),
        f"{'>' if gate.at_least else '<'} {_fixed(gate.limit)}",
        judgement.verdict,
    )


def _fixed(value: float) -> str:
    """Four decimals, and no minus sign before a rounded zero."""
    return f"{round(value, 4) + 0.0:.4f}"


def _evidence(comparison: Comparison) -> Iterator[str]:
    """What the estimates are made of, a line for those that are alike."""
    made: dict[str, list[str]] = {}
    for judgement in comparison.judgements:
        made.setdefault(_made_of(judgement, comparison), []).append(_metric(judgement))
    return (f"{', '.join(labels)}: {text}" for text, labels in made.items())


def _made_of(judgement: Judgement, comparison: Comparison) -> str:
    estimate, metric = judgement.estimate, judgement.gate.metric
    if estimate is None:
        return f"cannot be judged ({judgement.reason})"
    if isinstance(estimate, Difference):
        n = f"{estimate.first.n} and {estimate.second.n}"
        return f"challenger - champion, independent samples of {n} seeds (Welch)"
    if not judgement.gate.difference:
        return f"challenger's, {counted(estimate.n, 'seed')} (Student t)"
    seeds = [len(cell.values[metric]) for cell in (comparison.challenger, comparison.champion)]
    shared = (
        counted(estimate.n, "seed")
        if max(seeds) == estimate.n
        else f"{estimate.n} shared of {seeds[0]} and {seeds[1]}"
    )
    return f"challenger - champion, paired by seed, {shared} (Student t)"


def _incomplete(comparison: Comparison) -> Iterator[str]:
    for who, cell in (("challenger", comparison.challenger), ("champion", comparison.champion)):
        if cell.n < cell.planned:
            yield f"{who}: {cell.n} of {counted(cell.planned, 'seed')} complete"
    if comparison.lacks_seeds:
        yield "A challenger that lacks seeds does not pass: those left are the ones that went well."


def _undecided(comparison: Comparison) -> Iterator[str]:
    """What would decide the gates of which the seeds say too little."""
    for judgement in comparison.judgements:
        if judgement.verdict is Verdict.undecided and judgement.estimate is not None:
            yield f"{_metric(judgement)}: {_what_would_decide(judgement)}"


def _what_would_decide(judgement: Judgement) -> str:
    if judgement.bounds is None:
        return "one seed has no interval; two are the least"
    more = judgement.more_seeds
    if more is None:
        return "no number of seeds would decide, since the estimate is on the limit"
    if len(more) == 2:
        what = f"{more[0]} more seeds of the challenger and {more[1]} of the champion"
    else:
        what = counted(more[0], "more shared seed" if judgement.gate.difference else "more seed")
    return f"about {what} would decide, if mean and spread stay so"


def _metric(judgement: Judgement) -> str:
    return METRICS[judgement.gate.metric].label


def _conclusion(comparison: Comparison) -> str:
    decisive = [_metric(j) for j in comparison.judgements if j.verdict is comparison.verdict]
    if comparison.verdict is Verdict.passes or not decisive:
        return str(comparison.verdict)
    return f"{comparison.verdict}: {', '.join(decisive)}"
