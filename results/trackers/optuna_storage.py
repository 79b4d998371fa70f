"""Optuna's storage: what a tuned run tried, as studies that ``optuna-dashboard`` opens."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from results.schema import to_rows
from results.storage import Folder
from results.trackers.logged import Exported
from results.trackers.process import explained
from results.tuned import Configuration, Range, TunedStudy

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, TrialState

__all__ = ["DATABASE", "write_optuna"]

DATABASE = "optuna.db"

_EPOCH = datetime.fromtimestamp(0, UTC)


def write_optuna(studies: Sequence[TunedStudy], trials: pa.Table, folder: Path) -> Exported:
    """Write the searched ones of *studies* to ``optuna.db`` in *folder*, an Optuna study each.

    A configuration is a trial of the study. Its value is its score; its intermediate values are the metric on
    one selection seed after the other, in the order in which they were tried. It is ``PRUNED`` if it left
    early, ``FAIL`` if no seed of it was complete, and ``RUNNING`` while it has not all its seeds.

    The file is written anew and whole: an Optuna trial that has ended cannot be changed, a score can, by more
    seeds. An ``optuna-dashboard`` that has it open must be started again to see it.

    Args:
        studies: what the searches of a run came to.
        trials: the run's rows, for the times at which its configurations were tried.
        folder: where to; it is made.

    Raises:
        StoreError: it could not be written.
    """
    searched = [study for study in studies if study.ranges and study.configurations]
    content = _content(searched, _spans(trials))
    written = sum(len(study.configurations) for study in searched)
    with explained(folder):
        there = (folder / DATABASE).read_bytes() if (folder / DATABASE).exists() else None
        if there != content:
            Folder.at(folder).write(DATABASE, content)
    counts = {"new": 0, "changed": 0, "unchanged": 0}
    counts["new" if there is None else "unchanged" if there == content else "changed"] = written
    return Exported(f"sqlite:///{folder / DATABASE}", **counts)


class _Span(NamedTuple):
    start: datetime
    end: datetime


def _spans(trials: pa.Table) -> dict[tuple[str, str, str], _Span]:
    """When the trials that search were under way, by scenario, method and hyperparameters."""
    spans: dict[tuple[str, str, str], _Span] = {}
    columns = ["scenario", "method", "hyperparameters", "scored_on", "started_at", "ended_at"]
    for row in to_rows(trials.select(columns)):
        if row["scored_on"] == "val":
            key = (row["scenario"], row["method"], _canonical(json.loads(row["hyperparameters"])))
            span = spans.get(key, _Span(row["started_at"], _EPOCH))
            end = row["ended_at"] or row["started_at"]
            spans[key] = _Span(min(span.start, row["started_at"]), max(span.end, end))
    return spans


def _content(studies: Sequence[TunedStudy], spans: Mapping[tuple[str, str, str], _Span]) -> bytes:
    """The content of a database with *studies*, made in memory: a file would be synced for every value."""
    import optuna  # noqa: PLC0415 - it takes a second, and only this export needs it
    from optuna.storages import RDBStorage  # noqa: PLC0415 - it loads SQLAlchemy as well
    from sqlalchemy.pool import StaticPool  # noqa: PLC0415 - it comes with Optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # One connection for all, since a database in memory is that of a connection.
    storage = RDBStorage("sqlite://", engine_kwargs={"poolclass": StaticPool})
    try:
        for name, study in zip(_names(studies), studies, strict=True):
            made = optuna.create_study(storage=storage, study_name=name, direction="maximize")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that it may change; without it the axis is "Objective 0"
                made.set_metric_names([study.metric])
            for key, value in _about(study).items():
                made.set_user_attr(key, value)
            for configuration in study.configurations:
                values = _canonical(configuration.hyperparameters)
                method = study.method.partition(" ")[0]
                span = spans.get((study.searched_on, method, values), _Span(_EPOCH, _EPOCH))
                made.add_trial(_trial(study, configuration, span))
        storage.remove_session()
        connection: Any = storage.engine.raw_connection().driver_connection  # that of sqlite3
        content: bytes = connection.serialize()
    finally:
        storage.engine.dispose()
    return content


def _names(studies: Sequence[TunedStudy]) -> Iterator[str]:
    """A name for each study, other than those of all others."""
    counts = Counter[str]()
    for study in studies:
        name = f"{study.scenario} {study.method}"
        counts[name] += 1
        yield name if counts[name] == 1 else f"{name} ({counts[name]})"


def _about(study: TunedStudy) -> dict[str, Any]:
    """What the dashboard says of a study beside its trials."""
    names = ("searched_on", "protocol", "search", "scheduler", "metric", "selection_seeds", "trials", "done")
    test = list(study.test.values())
    return {
        **{name: getattr(study, name) for name in names},
        "default": dict(study.default),
        "winner": study.winner.number if study.winner else None,
        "test ACC of the winner": sum(test) / len(test) if test else None,
        "searched values": {name: list(searched.values) for name, searched in study.ranges.items()},
    }


def _trial(study: TunedStudy, configuration: Configuration, span: _Span) -> FrozenTrial:
    from optuna.trial import FrozenTrial, TrialState  # noqa: PLC0415 - loaded with Optuna by the caller

    state = _state(study, configuration)
    scores = configuration.values.get(study.metric.removeprefix("val_"), {})
    is_over, has_value = state != TrialState.RUNNING, state in {TrialState.COMPLETE, TrialState.PRUNED}
    values = configuration.hyperparameters
    own = {name: each for name, each in study.ranges.items() if name in values}
    start, end = (time.astimezone().replace(tzinfo=None) for time in span)  # as Optuna keeps them
    return FrozenTrial(
        number=configuration.number - 1,
        trial_id=configuration.number - 1,
        state=state,
        value=configuration.score if has_value else None,
        datetime_start=start,
        datetime_complete=end if is_over else None,
        params={name: _choice(values[name]) for name in own},
        distributions={name: _distribution(each, values[name]) for name, each in own.items()},
        user_attrs=_attributes(study, configuration),
        system_attrs={},
        intermediate_values=dict(enumerate(scores.values())),
    )


def _state(study: TunedStudy, configuration: Configuration) -> TrialState:
    from optuna.trial import TrialState  # noqa: PLC0415 - the enumeration itself is not imported for types

    if configuration.left:
        return TrialState.PRUNED
    if not study.done and configuration.seeds < study.selection_seeds:
        return TrialState.RUNNING
    return TrialState.COMPLETE if configuration.values.get("acc") else TrialState.FAIL


def _attributes(study: TunedStudy, configuration: Configuration) -> dict[str, Any]:
    means = {
        metric: sum(by_seed.values()) / len(by_seed)
        for metric, by_seed in configuration.values.items()
        if by_seed
    }
    interval = configuration.interval("acc")
    return {
        "no.": configuration.number,
        "chosen": study.winner is not None and study.winner.number == configuration.number,
        "seeds": configuration.seeds,
        "diverged seeds": configuration.diverged,
        "left": configuration.left,
        "score": configuration.score,
        **{f"mean val_{metric}": mean for metric, mean in means.items()},
        "95 % half width of val_acc": interval.half_width if interval else None,
        "hyperparameters": dict(configuration.hyperparameters),
    }


def _distribution(searched: Range, value: Any) -> BaseDistribution:
    """Where a hyperparameter was searched. Numbers to choose from are drawn as the range that they span."""
    from optuna.distributions import (  # noqa: PLC0415 - they come with Optuna
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if not searched.numeric:
        return CategoricalDistribution([_choice(each) for each in searched.values])
    low, high = min(*searched.values, value), max(*searched.values, value)
    kind = (
        IntDistribution
        if all(isinstance(each, int) for each in (*searched.values, value))
        else FloatDistribution
    )
    return kind(low, high, log=searched.logarithmic)


def _choice(value: Any) -> str | int | float | bool | None:
    """A value that Optuna can store: a list becomes its JSON."""
    return value if value is None or isinstance(value, str | int | float) else json.dumps(value)


def _canonical(hyperparameters: Mapping[str, Any]) -> str:
    return json.dumps(hyperparameters, sort_keys=True)
