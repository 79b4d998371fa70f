"""A sweep as a person writes it: read from YAML, checked in full, and written back with every default."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cl import registry
from cl.registry import plugins
from sweeps import sections
from sweeps.grid import Combination, factored
from sweeps.methods import MethodChoice, methods
from sweeps.names import Names, PlugIns
from sweeps.overrides import overridden
from sweeps.problems import MalformedError, Problem, SpecError, nearest, not_allowed, unknown
from sweeps.scenarios import EXPLICIT
from sweeps.sections import ScenarioChoice
from sweeps.syntax import emit, parse
from sweeps.trials import Resources, Scenario
from sweeps.tuning import ChosenSettings, Tuning, chosen, tuning
from sweeps.validation import check

CATALOG = Path(__file__).parent / "catalog"
MOST_TRIALS = 1_000_000
MOST_BYTES = 1_000_000
"""A larger file is not a spec."""


@dataclass(frozen=True)
class Spec:
    """A checked sweep: grids expanded, defaults filled in; the plan is the product of its parts."""

    name: str
    seeds: tuple[int, ...]
    scenarios: tuple[ScenarioChoice, ...]
    methods: tuple[MethodChoice, ...]
    models: tuple[dict[str, Any], ...]
    trains: tuple[dict[str, Any], ...]
    resources: Resources
    plug_in_methods: Mapping[str, registry.MethodEntry]
    """The methods that are no names of `cl.registry.METHODS`."""
    plug_in_models: Mapping[str, registry.ModelEntry]
    """The models that are no names of `cl.registry.MODELS`."""
    tune: Tuning | None = None
    """How the hyperparameters that have a search space are searched."""
    chosen: ChosenSettings | None = None
    """How an earlier search chose the hyperparameters that are given."""

    @property
    def scenario_labels(self) -> list[str]:
        """The scenarios, in the order of the spec."""
        return list(dict.fromkeys(choice.scenario.label for choice in self.scenarios))

    @property
    def method_names(self) -> list[str]:
        """The methods, in the order of the spec."""
        return list(dict.fromkeys(choice.method for choice in self.methods))


def catalog() -> dict[str, str]:
    """The sweeps that ship, by name, each with the first comment line of its file."""
    return {
        path.stem: path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("#").strip()
        for path in sorted(CATALOG.glob("*.yaml"))
    }


def load_spec(source: str, overrides: Sequence[str] = (), *, plug_ins: PlugIns = PlugIns.refused) -> Spec:
    """The sweep that *source* describes, with *overrides* like ``train.lr=0.1`` put in first.

    Args:
        source: the name of a sweep in the catalog, a YAML file, or the folder of an earlier run.
        overrides: ``PLACE=VALUE`` each, see `sweeps.overrides.overridden`.
        plug_ins: what to do where it names code of its own. Modules are found in the current folder and in
            that of the file, after everything that is installed.

    Raises:
        SpecError: anything is wrong with it; every problem is listed, and nothing of it was executed but
            the plug-ins that were to be imported.
    """
    path = _path(source)
    # Files named on the command line over a shipped sweep lie where the person is.
    folder = Path.cwd() if path.parent == CATALOG else path.parent
    if plug_ins is PlugIns.imported:
        plugins.search([Path.cwd(), path.parent.absolute()])
    values = _parsed(_text(path, source), source)
    return _checked(values, source, path.stem, folder, overrides, Names(plug_ins))


def recorded_spec(text: str, source: str) -> Spec:
    """The sweep that a run recorded as *text*, without importing any code that it names.

    Raises:
        SpecError: anything is wrong with it; the message calls it *source*.
    """
    return _checked(_parsed(text, source), source, "sweep", Path(), (), Names(PlugIns.unseen))


def _parsed(text: str, source: str) -> Any:
    try:
        return parse(text)
    except MalformedError as error:
        raise SpecError(source, [error.problem]) from None


def dump_spec(spec: Spec) -> str:
    """*spec* as YAML with every default written out; `load_spec` reads it back as an equal plan."""
    by_label = itertools.groupby(spec.scenarios, key=lambda choice: choice.scenario.label)
    by_method = itertools.groupby(spec.methods, key=lambda choice: choice.method)
    counted = spec.seeds == tuple(range(len(spec.seeds)))
    return emit(
        {
            "name": spec.name,
            "seeds": len(spec.seeds) if counted else list(spec.seeds),
            "scenarios": [factored([_scenario_row(choice) for choice in choices]) for _, choices in by_label],
            "methods": [
                {method: factored([_method_row(choice) for choice in choices])}
                for method, choices in by_method
            ],
            "model": factored(spec.models),
            "train": factored(spec.trains),
            "resources": vars(spec.resources),
            **({"tune": spec.tune.written()} if spec.tune else {}),
            **({"chosen": spec.chosen.resolved()} if spec.chosen else {}),
        }
    )


def _path(source: str) -> Path:
    names = [path.stem for path in CATALOG.glob("*.yaml")]
    if source in names:
        return CATALOG / f"{source}.yaml"
    path = Path(os.path.expanduser(source))
    for candidate in (path / "sweep.yaml", path):
        if os.path.isfile(candidate):  # unlike Path.is_file, also answers for a name that is too long
            return candidate
    if os.path.exists(path):
        raise SpecError(source, [Problem("", _why_not_a_spec(path))])
    nearby = [file.name for pattern in ("*.yaml", "*.yml") for file in path.parent.glob(pattern)]
    close = nearest(path.name, [*names, *nearby])
    meant = f"did you mean {close!r}? " if close else ""
    text = f"no such file, and no such sweep; {meant}sweeps that ship: {', '.join(sorted(names))}"
    raise SpecError(source, [Problem("", text)])


def _why_not_a_spec(path: Path) -> str:
    if os.path.isdir(path):
        return (
            "is a folder without a sweep.yaml, so not that of a run; give a YAML file or the name of a sweep"
        )
    return "is not a regular file; give a YAML file or the name of a sweep"


def _text(path: Path, source: str) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SpecError(source, [Problem("", f"larger than {MOST_BYTES} bytes; not a spec")])
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SpecError(source, [Problem("", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise SpecError(source, [Problem("", "is not text in UTF-8; not a spec")]) from None


def _checked(
    values: Any, source: str, stem: str, folder: Path, overrides: Iterable[str], names: Names
) -> Spec:
    if not isinstance(values, dict):
        keys = "a mapping with name, seeds, scenarios, methods, model, train, resources, tune"
        problem = Problem("", "is empty; give " + keys) if values is None else not_allowed("", values, keys)
        raise SpecError(source, [problem])
    problems: list[Problem] = []
    values = {"name": stem, **overridden(values, overrides, problems)}
    at = Combination(None, {}).place
    head = check(sections.Head, values, at=lambda p: at("", p), what="key", problems=problems)
    scenarios = sections.scenarios(_list(values, "scenarios"), folder, names, problems)
    choices = methods(_list(values, "methods"), names, problems)
    models = sections.models(values.get("model"), names, problems)
    trains = sections.trains(values.get("train"), problems)
    resources = sections.resources(
        values.get("resources"), at=lambda p: at("resources", p), problems=problems
    )
    seeds = _seeds(head)
    tune = tuning(
        values.get("tune"), seeds, scenarios, choices, folder=folder, names=names, problems=problems
    )
    searching = values.get("tune") is not None
    how = chosen(values.get("chosen"), seeds, problems, searching=searching)
    problems += _unknown_scenarios(scenarios, choices)
    if problems or head is None or resources is None:
        raise SpecError(source, problems)
    _refuse_too_many(source, seeds, scenarios, choices, models, trains)
    given = Resources(**resources.resolved())
    _refuse_contradictions(source, given, scenarios, choices)
    return Spec(
        *(head.name, seeds, scenarios, choices, models, trains, given, names.methods, names.models),
        tune=tune,
        chosen=how,
    )


def _seeds(head: sections.Head | None) -> tuple[int, ...]:
    if head is None:
        return ()
    return tuple(range(head.seeds)) if isinstance(head.seeds, int) else tuple(head.seeds)


def _unknown_scenarios(
    scenarios: Sequence[ScenarioChoice], methods: Sequence[MethodChoice]
) -> Iterator[Problem]:
    labels = list(dict.fromkeys(each.scenario.label for each in scenarios))
    if labels:
        for choice in methods:
            for name in choice.scenarios:
                if name not in labels:
                    yield unknown(f"methods.{choice.method}.scenarios", "scenario of this spec", name, labels)


def _refuse_contradictions(
    source: str, given: Resources, scenarios: Sequence[ScenarioChoice], methods: Sequence[MethodChoice]
) -> None:
    contradictions: dict[str, Problem] = {}
    for scenario, method in itertools.product(scenarios, methods):
        if method.scenarios and scenario.scenario.label not in method.scenarios:
            continue
        if text := given.but(scenario.resources, method.resources).contradiction:
            own = [f"methods.{method.method}"] if method.resources else []
            own += [f"scenario {scenario.scenario.label}"] if scenario.resources else []
            whose = f" (of {' in '.join(own)})" if own else ""
            contradictions.setdefault(text + whose, Problem(f"resources{whose}", text))
    if contradictions:
        raise SpecError(source, contradictions.values())


def _refuse_too_many(source: str, *parts: Sequence[Any]) -> None:
    count = math.prod(map(len, parts))
    if count > MOST_TRIALS:
        text = f"seeds, scenarios, methods and grids make {count} trials; at most {MOST_TRIALS} are allowed"
        raise SpecError(source, [Problem("", text)])


def _list(values: Mapping[str, Any], name: str) -> list[Any]:
    entries = values.get(name)
    return entries if isinstance(entries, list) else []


def _scenario_row(choice: ScenarioChoice) -> dict[str, Any]:
    own = {"resources": choice.resources} if choice.resources else {}
    return {"kind": choice.scenario.kind, **_stream_row(choice.scenario), **choice.scenario.settings, **own}


def _stream_row(scenario: Scenario) -> dict[str, Any]:
    if scenario.stream == EXPLICIT:
        return {"stream": list(scenario.data)}
    if scenario.data[0] in registry.DATASETS and not plugins.is_plug_in(scenario.stream):
        return {"stream": scenario.stream_name}
    return {"stream": scenario.stream, "data": scenario.data[0]}


def _method_row(choice: MethodChoice) -> dict[str, Any]:
    own: dict[str, Any] = {"resources": choice.resources} if choice.resources else {}
    own |= {"scenarios": list(choice.scenarios)} if choice.scenarios else {}
    spaces = {name: space.written(choice.hyperparameters[name]) for name, space in choice.space.items()}
    return {**choice.hyperparameters, **spaces, **own}
