"""The sections of a spec, each checked and expanded: scenarios, methods, model, train, resources."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from cl import registry
from sweeps.grid import REFUSED, Combination, combinations
from sweeps.names import Names
from sweeps.problems import Problem, not_allowed, shown
from sweeps.scenarios import scenario
from sweeps.trials import Scenario
from sweeps.validation import Place, check

MOST_SEEDS = 100_000
SMALLEST_SHARE = 0.0001
"""Ray counts CPUs and GPUs in units of this size."""
MOST_RESERVED = 10_000
"""CPUs or GPUs of one trial; more than any machine has."""
MOST_THREADS = 1024
"""Torch crashes with very many."""


@dataclass(frozen=True)
class ScenarioChoice:
    """A scenario of a sweep and the resources it asks for instead of the sweep's."""

    scenario: Scenario
    resources: dict[str, Any]


def distinct_seeds(seeds: int | list[int]) -> int | list[int]:
    """*seeds*, if they are a number of seeds or a list of different ones; else raise ValueError."""
    if isinstance(seeds, int):
        valid = 1 <= seeds <= MOST_SEEDS
    else:
        valid = 1 <= len(set(seeds)) == len(seeds) <= MOST_SEEDS
        valid = valid and all(0 <= seed <= registry.LARGEST for seed in seeds)
    if not valid:
        raise ValueError("see the description")
    return seeds


def _safe_name(name: str) -> str:
    if ".." in name:
        raise ValueError("see the description")
    return name


def _share_or_whole(gpus: float) -> float:
    if 0 < gpus < SMALLEST_SHARE or (gpus > 1 and not gpus.is_integer()):
        raise ValueError("see the description")
    return gpus


class Head(registry.Settings):
    """The top level of a spec; its sections are checked by their own functions, all of them in any case."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\z",
            description="the name of a folder: letters, digits, '-', '_' and single dots, at most 100,"
            " beginning with a letter or digit",
        ),
        AfterValidator(_safe_name),
    ]
    seeds: Annotated[
        int | list[int],
        Field(
            description=f"the number of seeds (1 to {MOST_SEEDS}), or a list of different whole numbers"
            f" from 0 to {registry.LARGEST}"
        ),
        AfterValidator(distinct_seeds),
    ] = 5
    scenarios: Annotated[
        list[Any], Field(min_length=1, description="a list of scenarios, like [class-il/split-digits]")
    ]
    methods: Annotated[list[Any], Field(min_length=1, description="a list of methods, like [naive, joint]")]
    model: Any = None
    train: Any = None
    resources: Any = None
    tune: Any = None
    chosen: Any = None


class ResourceSettings(registry.Settings):
    """What one trial is given."""

    cpu: Annotated[float, Field(ge=SMALLEST_SHARE, le=MOST_RESERVED)] = 1.0
    gpu: Annotated[
        float,
        Field(
            ge=0,
            le=MOST_RESERVED,
            description=f"0, a share of one GPU of at least {SMALLEST_SHARE}, or a whole number of GPUs"
            f" up to {MOST_RESERVED}",
        ),
        AfterValidator(_share_or_whole),
    ] = 0.0
    threads: Annotated[int, Field(ge=1, le=MOST_THREADS)] = 1
    """Threads of torch; one is fastest for small models, and bit for bit repeatable."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where a trial trains; ``auto`` is the GPU if it has any share of one."""


def resources(section: Any, *, at: Place, problems: list[Problem]) -> ResourceSettings | None:
    """The resources a section gives, defaults filled in; grids are refused, since they change no number."""
    return check(ResourceSettings, section, at=at, what="resource", problems=problems)


def models(section: Any, names: Names, problems: list[Problem]) -> tuple[dict[str, Any], ...]:
    """Every combination of the grids in ``model``, resolved, each once."""

    def resolved(values: Any, at: Place) -> dict[str, Any] | None:
        name = values.get("name", "mlp") if isinstance(values, Mapping) else "mlp"
        if name is REFUSED:
            return None
        place = at(("name",))
        if not isinstance(name, str):
            problems.append(not_allowed(place, name, f"the name of a model ({', '.join(_MODELS)})"))
            return None
        declaration = names.model(name, place, problems)
        if declaration is None:
            return None
        what = f"setting of {name}"
        return names.resolved(declaration, name, values, at=at, what=what, problems=problems)

    return _rows(section, "model", resolved, problems)


_MODELS = ("mlp", *registry.MODELS)


def trains(section: Any, problems: list[Problem]) -> tuple[dict[str, Any], ...]:
    """Every combination of the grids in ``train``, resolved, each once."""

    def resolved(values: Any, at: Place) -> dict[str, Any] | None:
        checked = check(registry.TrainSettings, values, at=at, what="setting of train", problems=problems)
        return None if checked is None else checked.resolved()

    return _rows(section, "train", resolved, problems)


def _rows(
    section: Any,
    place: str,
    resolved: Callable[[Any, Place], dict[str, Any] | None],
    problems: list[Problem],
) -> tuple[dict[str, Any], ...]:
    rows: dict[str, dict[str, Any]] = {}
    for combination in combinations(section, place, problems):
        if combination.value is not REFUSED:
            row = resolved(combination.value, placed(combination, place))
            if row is not None:
                rows.setdefault(json.dumps(row), row)
    return tuple(rows.values())


def scenarios(
    entries: Sequence[Any], folder: Path, names: Names, problems: list[Problem]
) -> tuple[ScenarioChoice, ...]:
    """Every combination of every entry, in order; an entry that repeats an earlier one is a problem."""
    choices: dict[str, ScenarioChoice] = {}
    first: dict[str, int] = {}
    files: dict[str, tuple[str, ...]] = {}
    for i, entry in enumerate(entries):
        place = f"scenarios[{i}]"
        for combination in combinations(entry, place, problems):
            at = placed(combination, place)
            given = own_resources(combination, at, problems)
            found = scenario(combination.value, at=at, folder=folder, names=names, problems=problems)
            if found is None:
                continue
            what = json.dumps([found.kind, found.stream, found.data, found.settings], sort_keys=True)
            if first.setdefault(what, i) != i:
                text = (
                    f"{shown(found.label)} is the same as scenarios[{first[what]}]; list each scenario once"
                )
                problems.append(Problem(place, text))
            if files.setdefault(found.label, found.data) != found.data:
                problems.append(Problem(place, _same_label(found, files[found.label])))
            choices.setdefault(what, ScenarioChoice(found, given))
    return tuple(choices.values())


def _same_label(found: Scenario, other: tuple[str, ...]) -> str:
    mine, theirs = ", ".join(found.data), ", ".join(other)
    return f"{mine} and {theirs} would both be called {shown(found.label)}; give the files different names"


def own_resources(combination: Combination, at: Place, problems: list[Problem]) -> dict[str, Any]:
    """The resources that one combination of an entry asks for itself; what is wrong adds problems."""
    values = combination.value
    if not isinstance(values, Mapping) or "resources" not in values:
        return {}
    if any(path[:1] == ("resources",) for path in combination.picks):
        problems.append(Problem(at(("resources",)), "takes no grid: resources change no number"))
        return {}
    checked = resources(values["resources"], at=lambda path: at(("resources", *path)), problems=problems)
    return {} if checked is None else checked.model_dump(mode="json", exclude_unset=True)


def placed(combination: Combination, place: str) -> Callable[[tuple[str | int, ...]], str]:
    """Where in the spec each value of *combination* was written, its entry at *place*."""
    return lambda path: combination.place(place, path)
