"""What the searches of a tuned run came to: what was chosen, and every configuration that was tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from results.layout import counted
from results.report.anchors import anchor
from results.report.listing import Column, Datum, Listing, of_interval, of_number
from results.report.pictures import Picture, Pictures
from results.tuned import Configuration, TunedStudy
from results.tuned_tables import RESPONSES

__all__ = ["Search", "searches_of", "searching", "winner_listings"]

_WINNERS = (
    Column("method", names=True, falling=False),
    Column("chosen", names=True, falling=False),
    *map(Column, ("val ACC", "test ACC", "default", "optimism", "configurations", "trials")),
)
_CONFIGURATIONS = (
    Column("no.", falling=False),
    Column("configuration", names=True, falling=False),
    Column("n"),
    Column("score"),
    *(Column(head, falling=name != "fm") for name, head in RESPONSES.items()),
    Column("what became of it", names=True, falling=False),
)


@dataclass(frozen=True)
class Search:
    """One search: what was tried, and its pictures."""

    scenario: str
    listing: Listing
    pictures: Sequence[Picture]


def searching(studies: Sequence[TunedStudy]) -> str:
    """How far the searches are, in one line; empty if there are none."""
    searched = [study for study in studies if study.ranges]
    if not searched:
        return ""
    over, trials = sum(study.done for study in searched), sum(study.trials for study in searched)
    return f"searches that are over: {over} of {len(searched)}; trials in searches: {trials}"


def winner_listings(studies: Sequence[TunedStudy]) -> dict[str, Listing]:
    """By scenario a line per method that was searched: what was chosen, and what that is worth."""
    scenarios: dict[str, list[TunedStudy]] = {}
    for study in studies:
        if study.ranges:
            scenarios.setdefault(study.scenario, []).append(study)
    return {
        title: Listing.of(
            anchor("winners", title),
            f"{title}: chosen by {_how(some[0])}",
            _WINNERS,
            map(_winner, some),
            _notes(some),
        )
        for title, some in scenarios.items()
    }


def _how(study: TunedStudy) -> str:
    on = f" on {study.searched_on}" if study.protocol == "transfer" else ""
    by = study.search if study.scheduler == "none" else f"{study.search}, {study.scheduler}"
    return f"{study.protocol}{on} ({by}, {counted(study.selection_seeds, 'selection seed')})"


def _winner(study: TunedStudy) -> list[Datum]:
    undecided = "no configuration was complete" if study.done else "still searching"
    return [
        Datum(study.method),
        Datum(study.named(study.winner.hyperparameters) if study.winner else undecided),
        of_interval(study.winner.interval("acc") if study.winner else None),
        of_interval(study.tested(study.test)),
        of_interval(study.tested(study.default_test)),
        of_interval(study.optimism),
        Datum(str(len(study.configurations)), len(study.configurations)),
        Datum(str(study.trials), study.trials),
    ]


def _notes(studies: Sequence[TunedStudy]) -> Iterator[str]:
    yield "val ACC: of the winner on validation data; test ACC: on test data, with seeds the search never saw"
    yield "default: test ACC of the default hyperparameters; optimism: val minus test ACC of the winner"
    for study in studies:
        if study.diverged:
            yield f"{study.method}: {counted(study.diverged, 'configuration')} diverged"
        yield from (f"{study.method}: {edge}" for edge in study.edges)


def searches_of(studies: Sequence[TunedStudy], pictures: Pictures) -> list[Search]:
    """Every search with its configurations, the best first."""
    return [
        Search(
            study.scenario,
            Listing.of(
                anchor("search", study.scenario, study.method),
                f"{study.scenario}, {study.method}: configurations on validation data",
                _CONFIGURATIONS,
                [_configuration(study, each) for each in study.ranking],
                [f"score: {study.metric}, a seed that diverged or failed counted as guessing"],
            ),
            pictures.studies.get((study.scenario, study.method), ()),
        )
        for study in studies
        if study.ranges and study.configurations
    ]


def _configuration(study: TunedStudy, each: Configuration) -> list[Datum]:
    chosen = each is study.winner
    diverged = f"{each.diverged} diverged" if each.diverged else ""
    fate = "chosen" if chosen else ", ".join(text for text in (each.left, diverged) if text)
    return [
        Datum(str(each.number), each.number),
        Datum(study.named(each.hyperparameters)),
        Datum(str(each.seeds), each.seeds),
        of_number(each.score),
        *(of_interval(each.interval(name), best=chosen) for name in RESPONSES),
        Datum(fate),
    ]
