"""A spec made ready: its data read, its trials planned, and every stream and model made once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cl.datasets import DataError, Dataset, load
from cl.registry import PARAMETER_BUDGET, MLPSettings
from cl.registry.capacity import pnn_parameters
from cl.streams import Stream
from orchestrator.errors import PrepareError
from orchestrator.estimate import work_of
from orchestrator.identity import ScenarioKey, as_json, scenario_key
from orchestrator.trial import Data, check_method, check_model, model_of, stream_of
from sweeps.plan import Plan, data_names, plan
from sweeps.spec import Spec
from sweeps.trials import Trial


@dataclass(frozen=True)
class Prepared:
    """A spec with its data read: everything that is needed to run it or to say what would run."""

    spec: Spec
    plan: Plan
    data: Data
    tasks: Mapping[ScenarioKey, int]
    """Number of tasks of each scenario."""

    def work(self, trial: Trial) -> float:
        """How much work *trial* is, in steps of plain fine-tuning."""
        return work_of(trial, self.data[trial.scenario.data], self.tasks[scenario_key(trial)])


def prepare(spec: Spec, data_dir: Path | None = None) -> Prepared:
    """Read the data that *spec* names, plan its trials, and make sure every stream and model can be made.

    Raises:
        PrepareError: nothing of it can run; data is missing or damaged, cannot be divided or turned as a
            scenario asks, or does not suit a model.
    """
    data = _read(spec, data_dir)
    digests = {names: "+".join(part.digest for part in parts) for names, parts in data.items()}
    planned = plan(spec, digests)
    if not planned.trials:
        raise PrepareError("\n  ".join([f"nothing of {spec.name} can run:", *planned.exclusions]))
    tasks, warnings = _checked(spec.name, planned, data)
    return Prepared(spec, replace(planned, warnings=(*planned.warnings, *warnings)), data, tasks)


def _read(spec: Spec, data_dir: Path | None) -> Data:
    """The data of every scenario, each data set read once."""
    needed = sorted(data_names(spec))
    loaded: dict[str, Dataset] = {}
    problems = []
    for name in dict.fromkeys(name for names in needed for name in names):
        try:
            loaded[name] = load(name, data_dir)
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise PrepareError("\n".join(problems))
    return {names: [loaded[name] for name in names] for names in needed}


def _checked(name: str, planned: Plan, data: Data) -> tuple[dict[ScenarioKey, int], list[str]]:
    """Make every scenario's stream once for every model, so that what cannot be made is known now.

    Returns:
        The number of tasks of each scenario, and what there is to warn of.
    """
    counts: dict[ScenarioKey, int] = {}
    warnings: list[str] = []
    problems: list[str] = []
    for trials in _alike(planned.trials):
        trial = trials[0]
        try:
            stream = stream_of(trial, data[trial.scenario.data])
            check_model(trial, stream)
        except ValueError as error:
            problems.append(f"{trial.scenario.label}: {error}")
        except Exception as error:  # a plug-in may raise anything
            if not trial.plug_ins:
                raise
            problems.append(f"{trial.scenario.label}: {type(error).__name__}: {error}")
        else:
            counts[scenario_key(trial)] = stream.n_tasks
            warnings += _growth(trial, stream)
            problems += _unfit(trials, stream)
    if different := list(dict.fromkeys(problems)):
        several = [f"{name} has {len(different)} problems:"] if len(different) > 1 else []
        raise PrepareError("\n  ".join([*several, *different]))
    return counts, list(dict.fromkeys(warnings))


def _alike(trials: Sequence[Trial]) -> Iterable[list[Trial]]:
    """The trials of the first seed by scenario and model, which may be another one for a method."""
    alike = defaultdict[tuple[ScenarioKey, str, str], list[Trial]](list)
    for trial in trials:
        if trial.seed == trials[0].seed:
            alike[scenario_key(trial), as_json(trial.model), model_of(trial).name].append(trial)
    return alike.values()


def _unfit(trials: Sequence[Trial], stream: Stream) -> Iterator[str]:
    """What is wrong with the methods that are to learn *stream*."""
    for trial in trials:
        try:
            check_method(trial, sum(stream.outputs))
        except ValueError as error:
            yield f"{trial.scenario.label}: {error}"


def _growth(trial: Trial, stream: Stream) -> Iterator[str]:
    """A warning where a progressive network outgrows its budget."""
    model = model_of(trial)
    if model.name != "ProgressiveNeuralNet" or not isinstance(model, MLPSettings):
        return
    parameters = pnn_parameters(stream.features, model.hidden, stream.outputs)[-1]
    if parameters > PARAMETER_BUDGET:
        yield (
            f"{trial.scenario.label}: {trial.method} will have {parameters:,} parameters after the last of "
            f"{stream.n_tasks} tasks, more than {PARAMETER_BUDGET:,}; packnet keeps one network's size"
        )
