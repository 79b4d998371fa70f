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
from orchestrator.identity import ScenarioKey, StreamFacts, as_json, scenario_key
from orchestrator.trial import Data, check_method, check_model, model_of, stream_of
from sweeps.plan import Plan, data_names, plan
from sweeps.spec import Spec
from sweeps.studies import Study, studies
from sweeps.trials import Trial


@dataclass(frozen=True)
class Prepared:
    """A spec with its data read: everything that is needed to run it or to say what would run."""

    spec: Spec
    plan: Plan
    data: Data
    streams: Mapping[ScenarioKey, StreamFacts]
    """What is known of each scenario's stream."""
    studies: tuple[Study, ...] = ()
    """What is searched or measured of a sweep that is tuned; its plan is that of the defaults."""

    def work(self, trial: Trial) -> float:
        """How much work *trial* is, in steps of plain fine-tuning."""
        return work_of(trial, self.data[trial.data], self.streams[scenario_key(trial)].n_tasks)


def prepare(spec: Spec, data_dir: Path | None = None) -> Prepared:
    """Read the data that *spec* names, plan its trials, and make sure every stream and model can be made.

    Raises:
        PrepareError: nothing of it can run; data is missing or damaged, cannot be divided or turned as a
            scenario asks, or does not suit a model.
    """
    data = _read(data_names(spec), data_dir)
    planned = plan(spec, _digests(data))
    trials = planned.trials
    found: list[Study] = []
    if spec.tune:
        data |= _read({each.data for each in spec.tune.searched.values()} - data.keys(), data_dir)
        found = studies(spec, spec.tune, planned, _digests(data))
        searched = {each.data for each in spec.tune.searched.values()}
        data |= {(*names, "val"): [part.without_test() for part in data[names]] for names in searched}
        trials = tuple(trial for study in found for trial in _of(study))
    if not trials:
        raise PrepareError("\n  ".join([f"nothing of {spec.name} can run:", *planned.exclusions]))
    streams, warnings = _checked(spec.name, trials, data)
    planned = replace(planned, warnings=(*planned.warnings, *warnings))
    return Prepared(spec, planned, data, streams, tuple(found))


def _digests(data: Data) -> dict[tuple[str, ...], str]:
    return {names: "+".join(part.digest for part in parts) for names, parts in data.items()}


def _of(study: Study) -> Iterator[Trial]:
    """The trials of a study that show whether any of it cannot run: those at the corners of its space."""
    seed = study.reported.seed  # one for all, so that a stream is made once for all that are alike
    for hyperparameters in study.corners():
        yield study.report_trial(hyperparameters, seed)
        if study.is_searched:
            yield study.search_trial(hyperparameters, seed)


def _read(wanted: Iterable[tuple[str, ...]], data_dir: Path | None) -> dict[tuple[str, ...], list[Dataset]]:
    """The *wanted* data, each data set read once."""
    needed = sorted(wanted)
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


def _checked(
    name: str, trials: Sequence[Trial], data: Data
) -> tuple[dict[ScenarioKey, StreamFacts], list[str]]:
    """Make every scenario's stream once for every model, so that what cannot be made is known now.

    Returns:
        What is known of the stream of each scenario, and what there is to warn of.
    """
    facts: dict[ScenarioKey, StreamFacts] = {}
    warnings: list[str] = []
    problems: list[str] = []
    for alike in _alike(trials):
        trial = alike[0]
        try:
            stream = stream_of(trial, data[trial.data])
            check_model(trial, stream)
        except ValueError as error:
            problems.append(f"{trial.scenario.label}: {error}")
        except Exception as error:  # a plug-in may raise anything
            if not trial.plug_ins:
                raise
            problems.append(f"{trial.scenario.label}: {type(error).__name__}: {error}")
        else:
            facts[scenario_key(trial)] = StreamFacts(stream.n_tasks, stream.chance)
            warnings += _growth(trial, stream)
            problems += _unfit(alike, stream)
    if different := list(dict.fromkeys(problems)):
        several = [f"{name} has {len(different)} problems:"] if len(different) > 1 else []
        raise PrepareError("\n  ".join([*several, *different]))
    return facts, list(dict.fromkeys(warnings))


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
