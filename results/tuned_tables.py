"""What a search came to, for people: winners, configurations, response curves in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from results.layout import NULL, Style, fixed, numbers, plain_table, roomiest
from results.tuned import Configuration, TunedStudy

__all__ = ["configuration_tables", "importance_lines", "winner_tables"]

_PROMISE = {
    "val-stream": "the search saw the whole stream: optimistic about the stream, never about the data",
    "first-k": "the search saw only the first tasks, and the report has only the others",
    "transfer": "the search saw another stream",
}
RESPONSES = {"acc": "ACC", "bwt": "BWT", "fm": "FM"}
"""What a response curve shows, on validation data."""


def winner_tables(studies: Sequence[TunedStudy], *, width: int = 80) -> Iterator[RenderableType]:
    """Per scenario a line per searched method: what was chosen, and its validation and test ACC."""
    searched = [study for study in studies if study.ranges]
    if not searched:
        return
    scenarios: dict[str, list[TunedStudy]] = {}
    for study in searched:
        scenarios.setdefault(study.scenario, []).append(study)
    _, tables = roomiest(lambda style: [_winners(some, style) for some in scenarios.values()], width)
    for (title, some), table in zip(scenarios.items(), tables, strict=True):
        lines = [Text(note, style="dim") for note in _notes(some)]
        yield Group(Text(f"{title}: chosen by {_how(some[0])}", style="bold"), table, *lines, "")


def _how(study: TunedStudy) -> str:
    scheduler = "" if study.scheduler == "none" else f", {study.scheduler}"
    where = f" on {study.searched_on}" if study.protocol == "transfer" else ""
    return f"{study.protocol}{where} ({study.search}{scheduler}, {study.selection_seeds} selection seeds)"


def _winners(studies: Sequence[TunedStudy], style: Style) -> Table:
    table = plain_table(style.gap)
    table.add_column("method", overflow="fold")
    for head in ("val ACC", "test ACC", "default", "optimism"):
        table.add_column(Text(head, justify="right"), no_wrap=True)
    columns = [
        numbers([study.winner.interval("acc") if study.winner else None for study in studies], style),
        numbers([study.tested(study.test) for study in studies], style),
        numbers([study.tested(study.default_test) for study in studies], style),
        numbers([study.optimism for study in studies], style),
    ]
    for study, *values in zip(studies, *columns, strict=True):
        table.add_row(Text(f"{study.method}\n  {_chosen(study)}"), *values)
    return table


def _chosen(study: TunedStudy) -> str:
    if study.winner:
        return study.named(study.winner.hyperparameters)
    return "no configuration was complete" if study.done else "still searching"


def _notes(studies: Sequence[TunedStudy]) -> Iterator[str]:
    yield f"optimism: validation minus test ACC of the winner; {_PROMISE[studies[0].protocol]}"
    for study in studies:
        gone = sum(bool(each.left) for each in study.configurations)
        left = f", {gone} of them left the {study.scheduler} early" if gone else ""
        diverged = f", {study.diverged} diverged" if study.diverged else ""
        configurations = f"{len(study.configurations)} configurations"
        yield f"{study.method}: {configurations}{left}{diverged}; {study.trials} trials"
        yield from (f"{study.method}: {edge}" for edge in study.edges)


def configuration_tables(studies: Sequence[TunedStudy], *, width: int = 80) -> Iterator[RenderableType]:
    """Every configuration, best first: its n, metrics on validation data and what became of it."""
    for study in studies:
        if study.configurations and study.ranges:
            title = f"{study.scenario}, {study.method}: configurations on validation data"
            _, [table] = roomiest(partial(_configurations, study), width)
            yield Group(Text(title, style="bold"), table, "")


def _configurations(study: TunedStudy, style: Style) -> list[Table]:
    ranked = study.ranking
    # Where nothing diverged or failed, the score by ACC is ACC.
    scored = study.metric != "val_acc" or any(each.seeds != len(each.values["acc"]) for each in ranked)
    table = plain_table(style.gap)
    table.add_column("no.", justify="right")
    table.add_column("configuration", overflow="fold")
    table.add_column("n", justify="right")
    for head in (*([study.metric] if scored else []), *RESPONSES.values()):
        table.add_column(Text(head, justify="right"), no_wrap=True)
    table.add_column("", overflow="fold")
    columns = [numbers([each.interval(name) for each in ranked], style) for name in RESPONSES]
    if scored:
        columns.insert(0, [Text(NULL if each.score is None else fixed(each.score)) for each in ranked])
    for each, *values in zip(ranked, *columns, strict=True):
        named = study.named(each.hyperparameters)
        table.add_row(str(each.number), named, str(each.seeds), *values, _fate(study, each))
    return [table]


def _fate(study: TunedStudy, configuration: Configuration) -> str:
    if configuration is study.winner:
        return "chosen"
    diverged = f"{configuration.diverged} diverged" if configuration.diverged else ""
    return ", ".join(each for each in (configuration.left, diverged) if each)


def importance_lines(importances: Mapping[tuple[str, str], Mapping[str, float]]) -> Iterator[str]:
    """How much of the score each hyperparameter explains, a line per study (scenario, method)."""
    for (scenario, method), shares in importances.items():
        listed = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        yield f"{scenario}, {method}: importance (fANOVA): {listed}"
