"""Two runs compared, for people: a sentence, a table per scenario and metric, and what else differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from results.couples import Couple
from results.differing import differing
from results.layout import NULL, STYLES, counted, fixed, numbers, p_value, seeds
from results.notes import grouped, header
from results.sheets import Sheet
from results.sheets import to_markdown as sheets_to_markdown
from results.summary import CellSummary
from results.two_runs import Change, Outcome, ScenarioChanges, TwoRuns

__all__ = ["conclusion", "heading", "to_markdown", "two_runs_sheets"]

_NAMED = 3
"""The conclusion names so many cells of a kind and counts the others."""
_BECAME = {
    Outcome.better: ("is", "are", "better in B"),
    Outcome.worse: ("is", "are", "worse in B"),
    Outcome.mixed: ("is", "are", "better in one metric and worse in another"),
    Outcome.undecided: ("cannot", "cannot", "be told apart"),
    Outcome.untested: ("has", "have", "too few seeds to tell"),
    Outcome.unmeasured: ("has", "have", "no complete seed in either run"),
}


def heading(two: TwoRuns) -> list[str]:
    """Which run is A and which is B, a line each."""
    return [f"A: {two.a.store.root}", f"B: {two.b.store.root}"]


def conclusion(two: TwoRuns) -> str:
    """What changed, in a sentence: how many cells are the same, better or worse, or in one run alone."""
    parts = [f"{_same_count(two)} the same bit for bit"]
    for kind, (one, several, became) in _BECAME.items():
        its = [(scenario, couple) for scenario, couple, outcome in two.outcomes if outcome is kind]
        if its:
            verb = one if len(its) == 1 else several
            parts.append(f"{len(its)} {verb} {became}{_examples(kind, its)}")
    only = {"A": [its.pair.only_a for its in two.scenarios], "B": [its.pair.only_b for its in two.scenarios]}
    for side, scenarios in only.items():
        if alone := sum(map(len, scenarios)):
            parts.append(f"{counted(alone, 'cell')} {_is(alone)} only in {side}")
    if ended := sum(len(couple.ended) for _, couple, _ in two.outcomes):
        parts.append(f"{counted(ended, 'seed')} ended otherwise")
    return "; ".join(parts) + "."


def _same_count(two: TwoRuns) -> str:
    cells = len(two.outcomes)
    same = sum(outcome is Outcome.same for *_, outcome in two.outcomes)
    in_both = " in both" if any(its.pair.only_a or its.pair.only_b for its in two.scenarios) else ""
    if cells == 1:
        return f"The one cell{in_both} {'is' if same else 'is not'}"
    if same == cells:
        return f"All {cells} cells{in_both} are"
    return f"{same or 'None'} of {cells} cells{in_both} {_is(same)}"


def _is(count: int) -> str:
    return "are" if count > 1 else "is"


def _examples(kind: Outcome, its: Sequence[tuple[ScenarioChanges, Couple]]) -> str:
    """The first cells of a kind, with the metrics that surely changed."""
    if kind is Outcome.undecided:
        return ""
    texts = []
    for scenario, couple in its[:_NAMED]:
        sure = [
            f"{header(change.metric)} {change.difference.mean:+.3f}"
            for change in scenario.changes(couple)
            if change.is_sure and change.difference
        ]
        texts.append(f"{couple.label}, {scenario.pair.title}" + (f": {', '.join(sure)}" if sure else ""))
    more = f" and {len(its) - _NAMED} more" if len(its) > _NAMED else ""
    return f" ({'; '.join(texts)}{more})"


def two_runs_sheets(two: TwoRuns) -> list[Sheet]:
    """Per scenario and metric a line per cell, unless all cells are the same, then what else differs."""
    sheets = [sheet for its in two.scenarios for sheet in _of_scenario(two, its)]
    return [*_with_legend(two, sheets), *_alone(two), *_differing(two)]


def to_markdown(two: TwoRuns) -> str:
    """The heading, the conclusion and the sheets as Markdown."""
    head = [*(f"- {line}" for line in heading(two)), "", conclusion(two)]
    return "\n".join(head) + "\n\n" + sheets_to_markdown(two_runs_sheets(two))


def _of_scenario(two: TwoRuns, its: ScenarioChanges) -> Iterator[Sheet]:
    remarks = [its.pair.remark] if its.pair.remark else []
    outcomes = [outcome for scenario, _, outcome in two.outcomes if scenario is its]
    if outcomes and set(outcomes) == {Outcome.same}:
        yield _same(its, remarks)
        return
    measured = [name for name in two.metrics if any(_is_measured(change) for change in its.families[name])]
    for name in two.metrics:
        if name not in measured:
            remarks += _undefined(name, its.families[name])
    for name in measured:
        yield _family(its, name, remarks)
        remarks = []


def _same(its: ScenarioChanges, remarks: Sequence[str]) -> Sheet:
    return Sheet(
        title=f"{its.pair.title}: every cell the same bit for bit",
        heads=("cell", "n A", "n B", "same"),
        rows=tuple(
            (couple.label, *_complete(couple), _share(couple.identical, couple.shared))
            for couple in its.pair.couples
        ),
        notes=tuple(remarks),
    )


def _family(its: ScenarioChanges, metric: str, remarks: Sequence[str]) -> Sheet:
    lines = [change for change in its.families[metric] if _is_measured(change)]
    differences = numbers(
        [None if change.is_reproduced else change.difference for change in lines], STYLES[0]
    )
    return Sheet(
        title=f"{its.pair.title}: {header(metric)}",
        heads=("cell", "n A", "n B", "A", "B", "B − A", "p", "Holm", "same"),
        rows=tuple(
            (
                change.couple.label,
                *(_n(cell, len(cell.values[metric])) for cell in (change.couple.a, change.couple.b)),
                *(_mean(cell, metric) for cell in (change.couple.a, change.couple.b)),
                "=" if change.is_reproduced else difference.plain,
                p_value(change.p),
                p_value(change.p_holm) + ("*" if change.is_sure else " "),
                _share(change.identical, change.shared),
            )
            for change, difference in zip(lines, differences, strict=True)
        ),
        notes=(*remarks, *_tests(lines), *grouped(_lacking(its.families[metric]))),
    )


def _tests(lines: Sequence[Change]) -> Iterator[str]:
    """How the lines were tested, as far as that is not the same everywhere."""
    independent = [change.couple.label for change in lines if change.difference and not change.is_paired]
    if independent:
        yield f"independent samples, fewer than two seeds being shared (Welch): {', '.join(independent)}"


def _lacking(family: Sequence[Change]) -> dict[str, str]:
    """Why a cell lacks the metric, by what it is called."""
    reasons = {}
    for change in family:
        couple, metric = change.couple, change.metric
        a, b = (cell.reasons.get(metric, "") for cell in (couple.a, couple.b))
        if a == b != "":
            reasons[couple.label] = a
        else:
            reasons |= {f"{couple.label} in {side}": its for side, its in (("A", a), ("B", b)) if its}
    return reasons


def _undefined(metric: str, family: Sequence[Change]) -> list[str]:
    """Why a metric has no table."""
    reasons = _lacking(family)
    if len(set(reasons.values())) == 1:
        return [f"{header(metric)}: {next(iter(reasons.values()))}"]
    return [f"{header(metric)} of {line}" for line in grouped(reasons)]


def _is_measured(change: Change) -> bool:
    return any(cell.values[change.metric] for cell in (change.couple.a, change.couple.b))


def _complete(couple: Couple) -> tuple[str, str]:
    return _n(couple.a, couple.a.n), _n(couple.b, couple.b.n)


def _n(cell: CellSummary, count: int) -> str:
    return seeds(count, cell.planned).plain


def _mean(cell: CellSummary, metric: str) -> str:
    interval = cell.metrics.get(metric)
    return NULL if interval is None else fixed(interval.mean)


def _share(identical: Sequence[int], shared: Sequence[int]) -> str:
    return f"{len(identical)}/{len(shared)}" if shared else NULL


def _with_legend(two: TwoRuns, sheets: Sequence[Sheet]) -> list[Sheet]:
    """The sheets, what their columns mean below the last."""
    if not sheets:
        return []
    same = "same: of the seeds that are complete in both runs, those with the same whole accuracy matrix"
    legend = [same]
    if any("Holm" in sheet.heads for sheet in sheets):
        percent = f"{100 * two.level:g} %"
        legend = [
            f"A, B: means over n seeds; B − A: ± {percent} half-width, paired by seed (Student t)",
            f"{same}; =: all of them, so there is nothing to test",
            f"Holm: p corrected for all tests of the scenario and metric; * differs at the {percent} level",
            *_looks(two),
        ]
    return [*sheets[:-1], replace(sheets[-1], notes=(*sheets[-1].notes, *legend))]


def _looks(two: TwoRuns) -> Iterator[str]:
    a, b = (
        len(frozenset().union(*(getattr(couple, side).drivers for _, couple, _ in two.outcomes)))
        for side in ("a", "b")
    )
    if max(a, b) > 1:
        commands = f"{counted(a, 'command')}, those of B with {counted(b, 'command')}"
        yield (
            f"looks: the seeds of A came with {commands}; p values are not corrected for a look in between"
        )


def _alone(two: TwoRuns) -> Iterator[Sheet]:
    pairs = [its.pair for its in two.scenarios if its.pair.only_a or its.pair.only_b]
    if pairs:
        yield Sheet(
            title="In one run alone",
            heads=("scenario", "only in A", "only in B"),
            rows=tuple((pair.title, _labels(pair.only_a), _labels(pair.only_b)) for pair in pairs),
            notes=tuple(f"{pair.title}: {pair.remark}" for pair in pairs if pair.remark and not pair.couples),
            left=3,
        )


def _labels(cells: Sequence[CellSummary]) -> str:
    return ", ".join(cell.label for cell in cells)


def _differing(two: TwoRuns) -> Iterator[Sheet]:
    if found := differing(two):
        yield Sheet(title="What else differs", heads=("", "A", "B"), rows=tuple(found), left=3)
