"""The section ``tune`` of a spec: how hyperparameters are searched, and on what that no report sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from cl import registry
from sweeps.grid import Combination
from sweeps.methods import MethodChoice
from sweeps.names import Names
from sweeps.problems import Problem, not_allowed
from sweeps.scenarios import EXPLICIT, scenario
from sweeps.sections import MOST_SEEDS, ScenarioChoice, distinct_seeds
from sweeps.trials import Scenario
from sweeps.validation import check

SELECTION_FROM = 1_000_000
"""Counted selection seeds begin here, beyond all report seeds that a spec can count."""
CONFIGS = 30
FEWEST_IN_A_RACE = 4
"""Nobody leaves a race before so many seeds."""
PROTOCOLS = {
    "val-stream": "a validation share of each task's training data, the whole stream",
    "first-k": "the first tasks only; reported on the others (Chaudhry et al. 2019)",
    "transfer": "another stream (Cha & Cho 2024)",
    "fixed": "no search",
}


class TuneSettings(registry.Settings):
    """The section as it is written."""

    protocol: Literal["val-stream", "first-k", "transfer", "fixed"] = "val-stream"
    """Where hyperparameters are searched."""
    first_k: Annotated[int, Field(ge=1, le=9999)] | None = None
    """For `first-k`: the number of tasks that the search sees."""
    source: Any = None
    """For `transfer`: the stream that the search sees, by name or with its settings."""
    search: Literal["grid", "random", "tpe"] = "random"
    configs: Annotated[int, Field(ge=2, le=100_000)] | None = None
    """Configurations per scenario and method; a grid has as many as it has."""
    seeds: Annotated[
        int | list[int],
        Field(
            description=f"the number of selection seeds (1 to {MOST_SEEDS}), or a list of different whole"
            f" numbers from 0 to {registry.LARGEST}"
        ),
        AfterValidator(distinct_seeds),
    ] = 5
    search_seed: Annotated[int, Field(ge=0, le=registry.LARGEST)] = 0
    """Draws the configurations."""
    metric: Literal["val_acc", "val_average_incremental_accuracy", "val_worst_task_accuracy"] = "val_acc"
    """What the best configuration has most of, on validation data."""
    scheduler: Literal["none", "halving", "race"] = "none"
    level: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """For `race`: largest probability that the truly best configuration is dropped."""
    val_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of each task's training data that the search scores on instead of learning from it."""


class ChosenSettings(registry.Settings):
    """The section ``chosen``: how an earlier search chose what the spec gives; `clsweep tune` writes it."""

    protocol: Literal["val-stream", "first-k", "transfer"]
    source: str
    """The scenario that the search saw, or several with commas."""
    seeds: Annotated[list[int], Field(min_length=1)]
    """Selection seeds: none of them may report."""
    search: str
    """Like ``random, race``."""
    configs: dict[str, int]
    """By method, the configurations that were tried per scenario."""


@dataclass(frozen=True)
class Tuning:
    """A checked section."""

    settings: TuneSettings
    seeds: tuple[int, ...]
    """Selection seeds: none of them is a report seed."""
    searched: Mapping[str, Scenario]
    """Where is searched for each scenario of the sweep, by the scenario's identity (`key_of`)."""
    reported: Mapping[str, Scenario]
    """Where the winner is reported."""

    def written(self) -> dict[str, Any]:
        """As a spec spells it, defaults filled in."""
        return {name: value for name, value in self.settings.resolved().items() if value is not None}


def key_of(scenario: Scenario) -> str:
    """What tells *scenario* from every other one of its sweep."""
    return repr((scenario.label, scenario.data, sorted(scenario.settings.items())))


def tuning(
    section: Any,
    report_seeds: Sequence[int],
    scenarios: Sequence[ScenarioChoice],
    methods: Sequence[MethodChoice],
    *,
    folder: Path,
    names: Names,
    problems: list[Problem],
) -> Tuning | None:
    """The section ``tune``, which may be absent; if it is wrong, None, and problems are added."""
    if section is None:
        problems += _spaces_without_a_search(methods)
        return None
    at = Combination(None, {}).place
    settings = check(
        TuneSettings, section, at=lambda p: at("tune", p), what="setting of tune", problems=problems
    )
    if settings is None:
        return None
    found = [
        *_protocol_problems(settings, scenarios),
        *_search_problems(settings, methods),
        *_seed_problems(settings, report_seeds),
    ]
    if not any(each.place.startswith("methods") for each in [*problems, *found]):
        found += _nothing_to_search(settings, methods)
    searched = {
        key_of(each.scenario): _searched(each.scenario, settings, folder, names, found) for each in scenarios
    }
    problems += dict.fromkeys(found)
    if found:
        return None
    if settings.search != "grid" and settings.protocol != "fixed":
        settings = settings.model_copy(update={"configs": settings.configs or CONFIGS})
    if settings.protocol == "transfer":
        settings = settings.model_copy(update={"source": _found_anywhere(settings.source, searched)})
    return Tuning(
        settings,
        _selection_seeds(settings),
        {key: each for key, each in searched.items() if each is not None},
        {key_of(each.scenario): _reported(each.scenario, settings) for each in scenarios},
    )


def chosen(
    section: Any, report_seeds: Sequence[int], problems: list[Problem], *, searching: bool
) -> ChosenSettings | None:
    """The section ``chosen``, which may be absent; if it is wrong, None, and problems are added."""
    if section is None:
        return None
    if searching:
        text = "says what an earlier search chose, and tune is a new one; leave one of them out"
        problems.append(Problem("chosen", text))
    at = Combination(None, {}).place
    found = check(
        ChosenSettings, section, at=lambda p: at("chosen", p), what="setting of chosen", problems=problems
    )
    if found is not None and (both := sorted(set(found.seeds) & set(report_seeds))):
        several = ", ".join(map(str, both[:10]))
        text = f"{several} selected the hyperparameters, so a report must not use them; give others"
        problems.append(Problem("seeds", text))
    return found


def _spaces_without_a_search(methods: Sequence[MethodChoice]) -> Iterator[Problem]:
    for choice in methods:
        for name in choice.space:
            text = (
                "a search space needs the section tune: {tune: {search: random}}; to run every value, a grid"
            )
            yield Problem(f"methods.{choice.method}.{name}", text)


def _protocol_problems(settings: TuneSettings, scenarios: Sequence[ScenarioChoice]) -> Iterator[Problem]:
    for name, protocol in (("first_k", "first-k"), ("source", "transfer")):
        given = getattr(settings, name) is not None
        if given and settings.protocol != protocol:
            yield Problem(f"tune.{name}", f"is read by protocol {protocol} only; this is {settings.protocol}")
        elif not given and settings.protocol == protocol:
            yield Problem(f"tune.{name}", f"is missing; protocol {protocol} needs it")
    if settings.protocol == "first-k":
        for each in scenarios:
            if part := each.scenario.settings.get("part"):
                text = f"first-k itself divides the stream; leave part: {part} out of {each.scenario.label}"
                yield Problem("tune.protocol", text)


def _search_problems(settings: TuneSettings, methods: Sequence[MethodChoice]) -> Iterator[Problem]:
    spaces = {choice.method: choice.space for choice in methods if choice.space}
    if settings.protocol == "fixed":
        for name, space in spaces.items():
            yield Problem(
                f"methods.{name}", f"protocol fixed searches nothing; give a value of {', '.join(space)}"
            )
        return
    if settings.search == "grid":
        for name, space in spaces.items():
            kinds = ", ".join(f"{key}: {each.kind}" for key, each in space.items())
            yield Problem(f"methods.{name}", f"search grid tries every value of a grid, and none of {kinds}")
        if settings.configs is not None:
            yield Problem("tune.configs", "a grid has as many configurations as it has; leave this out")
    else:
        for name in _grids(methods):
            text = f"a grid is for search: grid; for search: {settings.search} write choice in place of grid"
            yield Problem(f"methods.{name}", text)
    if settings.search == "tpe" and settings.scheduler == "race":
        text = (
            "a race needs all configurations at its start, and tpe proposes the later ones by the results of"
        )
        yield Problem("tune.scheduler", f"{text} the earlier ones; give halving or none, or search: random")


def _grids(methods: Sequence[MethodChoice]) -> list[str]:
    """The methods of which several sets of values are given for one scenario."""
    pairs = [(choice.method, label) for choice in methods for label in choice.scenarios or ("",)]
    return list(dict.fromkeys(name for name, label in pairs if pairs.count((name, label)) > 1))


def _nothing_to_search(settings: TuneSettings, methods: Sequence[MethodChoice]) -> Iterator[Problem]:
    some = any(choice.space for choice in methods) or _grids(methods)
    if methods and not some and settings.protocol != "fixed":
        text = "no method has anything to search; give one a space"
        yield Problem("methods", f"{text}, such as {{lambda: {{loguniform: [1, 1.0e+6]}}}}")


def _selection_seeds(settings: TuneSettings) -> tuple[int, ...]:
    seeds = settings.seeds
    return tuple(range(SELECTION_FROM, SELECTION_FROM + seeds) if isinstance(seeds, int) else seeds)


def _seed_problems(settings: TuneSettings, report_seeds: Sequence[int]) -> Iterator[Problem]:
    seeds = settings.seeds
    if both := sorted(set(_selection_seeds(settings)) & set(report_seeds)):
        several = ", ".join(map(str, both[:10]))
        yield Problem("tune.seeds", f"seeds that report must not select: {several} are in seeds as well")
    count = seeds if isinstance(seeds, int) else len(seeds)
    if settings.scheduler == "race" and count <= FEWEST_IN_A_RACE:
        text = f"more than {FEWEST_IN_A_RACE} in a race, since nobody leaves it before {FEWEST_IN_A_RACE}"
        yield not_allowed("tune.seeds", seeds, text)


def _searched(
    found: Scenario, settings: TuneSettings, folder: Path, names: Names, problems: list[Problem]
) -> Scenario | None:
    """Where is searched for the scenario *found*."""
    if settings.protocol == "first-k" and settings.first_k:
        return _part(found, f"first-{settings.first_k}")
    if settings.protocol != "transfer" or settings.source is None:
        return found
    source = settings.source if isinstance(settings.source, Mapping) else {"stream": settings.source}
    if "grid" in source:
        problems.append(Problem("tune.source", "takes no grid"))
        return None
    if given := [name for name in ("kind", "resources") if name in source]:
        text = "is that of each scenario; leave this out"
        problems += [Problem(f"tune.source.{name}", text) for name in given]
        return None
    at = Combination(None, {}).place
    values = {"kind": found.kind, **source}
    other = scenario(values, at=lambda p: at("tune.source", p), folder=folder, names=names, problems=problems)
    if other is not None and key_of(other) == key_of(found):
        text = f"is {found.stream_name} itself, on which is reported; protocol val-stream tunes on it"
        problems.append(Problem("tune.source", text))
    return other


def _found_anywhere(source: Any, searched: Mapping[str, Scenario | None]) -> Any:
    """*source* with absolute paths, since a run keeps its spec in another folder."""
    one = next((each for each in searched.values() if each is not None), None)
    if one is None or all(name in registry.DATASETS for name in one.data):
        return source
    if one.stream == EXPLICIT:
        own = source if isinstance(source, Mapping) else {}
        return {**own, "stream": list(one.data)}
    return {**source, "data": one.data[0]}


def _reported(found: Scenario, settings: TuneSettings) -> Scenario:
    return _part(found, f"after-{settings.first_k}") if settings.first_k else found


def _part(whole: Scenario, part: str) -> Scenario:
    return Scenario(whole.kind, whole.stream, whole.data, {**whole.settings, "part": part}, whole.label)


def how(tune: Tuning) -> str:
    """How a sweep is tuned, in one line."""
    settings = tune.settings
    if settings.protocol == "fixed":
        return "nothing is searched (protocol fixed)"
    scheduler = "" if settings.scheduler == "none" else f", {settings.scheduler}"
    return (
        f"{settings.search} search{scheduler} by {settings.metric} on {_seeds(tune.seeds)}; "
        f"{settings.protocol}: {PROTOCOLS[settings.protocol]}"
    )


def _seeds(seeds: Sequence[int]) -> str:
    consecutive = list(seeds) == list(range(seeds[0], seeds[0] + len(seeds)))
    if len(seeds) > 1 and consecutive:
        return f"selection seeds {seeds[0]} to {seeds[-1]}"
    return f"selection seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
