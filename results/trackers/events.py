"""Trials as TensorBoard's events. To import this imports TensorBoard's library, which is an extra."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2 as hparams
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.plugins.text import metadata as text_metadata
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_tensor_proto

from cl.metrics import METRICS
from results.schema import COMPLETE, DIVERGED, FAILED, RUNNING, STOPPED
from results.trackers.logged import COSTS, SPLITS, LoggedTrial, Value

__all__ = ["of_sweep", "of_trial"]

_VERSION = "brain.Event:2"

_STATUS: Mapping[str, int] = {
    COMPLETE: hparams.STATUS_SUCCESS,
    FAILED: hparams.STATUS_FAILURE,
    DIVERGED: hparams.STATUS_FAILURE,
    STOPPED: hparams.STATUS_SUCCESS,
}


def of_trial(trial: LoggedTrial) -> bytes:
    """The content of a trial's event file: what it is, what was measured and, once it is over, the outcome.

    So what is known of a trial that runs are the first bytes of what will be known of it in the end.
    """
    start = trial.start.timestamp()
    events = [
        # What an earlier file of the same trial holds is forgotten.
        Event(wall_time=start, session_log=SessionLog(status=SessionLog.START)),
        Event(wall_time=start, summary=_hparams("SESSION_START_INFO_TAG", session_start_info=_begun(trial))),
    ]
    for step in trial.steps:
        values = Summary(value=[_scalar(name, value) for name, value in step.values.items()])
        events.append(Event(wall_time=step.at.timestamp(), step=step.after_task, summary=values))
    if trial.status != RUNNING and trial.end is not None:
        end = trial.end.timestamp()
        final = [_scalar(name, value) for name, value in trial.final.items()]
        final.append(_text("trial", trial.tags))
        events.append(Event(wall_time=end, step=trial.last_task, summary=Summary(value=final)))
        over = SessionEndInfo(status=_STATUS[trial.status], end_time_secs=end)
        events.append(Event(wall_time=end, summary=_hparams("SESSION_END_INFO_TAG", session_end_info=over)))
    return _encoded(start, events)


def of_sweep(trials: Sequence[LoggedTrial]) -> bytes:
    """The content of the event file that says which columns the tab HPARAMS has.

    TensorBoard reads it once, so metrics that no trial has yet are among them.
    """
    start = min(trial.start for trial in trials).timestamp()
    logged = {name for trial in trials for step in trial.steps for name in step.values}
    heads = [head for head in SPLITS.values() if any(name.startswith(f"{head}accuracy/") for name in logged)]
    metrics = [f"{head}{name}" for head in heads or [SPLITS["test"]] for name in METRICS]
    experiment = hparams.Experiment(
        description=f"sweep {trials[0].sweep}",
        time_created_secs=start,
        hparam_infos=_domains(trials),
        metric_infos=[
            hparams.MetricInfo(
                name=hparams.MetricName(tag=name), description=_description(name), display_name=name
            )
            for name in (*metrics, *COSTS)
        ],
    )
    summary = _hparams("EXPERIMENT_TAG", experiment=experiment)
    return _encoded(start, [Event(wall_time=start, summary=summary)])


def _encoded(start: float, events: Iterable[Event]) -> bytes:
    sink = BytesIO()
    writer = RecordWriter(sink)
    for event in (Event(wall_time=start, file_version=_VERSION), *events):
        writer.write(event.SerializeToString(deterministic=True))
    return sink.getvalue()


def _scalar(name: str, value: float) -> Summary.Value:
    return Summary.Value(
        tag=name,
        metadata=scalar_metadata.create_summary_metadata("", _description(name)),
        tensor=make_tensor_proto(np.float32(value)),
    )


def _description(name: str) -> str:
    """What a metric is, in a line; empty if it is none of `METRICS`."""
    for split, head in SPLITS.items():
        metric = METRICS.get(name.removeprefix(head))
        if metric and name.startswith(head):
            return f"{metric.label} ({split}): {metric.definition}"
    return ""


def _text(name: str, lines: Mapping[str, str]) -> Summary.Value:
    """A table in Markdown."""
    cells = [(key, value.replace("|", r"\|").replace("\n", " ")) for key, value in lines.items()]
    table = ["| column | value |", "| --- | --- |", *(f"| {key} | {value} |" for key, value in cells)]
    return Summary.Value(
        tag=name,
        metadata=text_metadata.create_summary_metadata("", "what the trials table says"),
        tensor=make_tensor_proto(["\n".join(table).encode()], shape=(1,)),
    )


def _hparams(tag: str, **content: Any) -> Summary:
    metadata = hparams_metadata.create_summary_metadata(HParamsPluginData(**content))
    # The order of a map differs between processes, and the same trial is to give the same bytes.
    plugin = metadata.plugin_data
    plugin.content = HParamsPluginData.FromString(plugin.content).SerializeToString(deterministic=True)
    return Summary(
        value=[
            Summary.Value(
                tag=getattr(hparams_metadata, tag),
                metadata=metadata,
                tensor=hparams_metadata.NULL_TENSOR,
            )
        ]
    )


def _begun(trial: LoggedTrial) -> SessionStartInfo:
    info = SessionStartInfo(start_time_secs=trial.start.timestamp())
    for name, value in trial.params.items():
        setattr(info.hparams[name], _kind(value), value)
    return info


def _kind(value: Value) -> str:
    if isinstance(value, bool):
        return "bool_value"
    return "string_value" if isinstance(value, str) else "number_value"


_TYPES = {
    "bool_value": hparams.DATA_TYPE_BOOL,
    "string_value": hparams.DATA_TYPE_STRING,
    "number_value": hparams.DATA_TYPE_FLOAT64,
}


def _domains(trials: Sequence[LoggedTrial]) -> list[Any]:
    """Each parameter with the values that it has, by which the tab lets people filter."""
    values: dict[str, dict[Value, None]] = {}
    for trial in trials:
        for name, value in trial.params.items():
            values.setdefault(name, {})[value] = None
    return [_domain(name, list(own)) for name, own in values.items()]


def _domain(name: str, values: Sequence[Value]) -> Any:
    kinds = {_kind(value) for value in values}
    (kind,) = kinds if len(kinds) == 1 else ("string_value",)
    info = hparams.HParamInfo(name=name, type=_TYPES[kind], differs=len(values) > 1)
    if kind == "number_value":
        numbers = [float(value) for value in values]
        info.domain_interval.min_value, info.domain_interval.max_value = min(numbers), max(numbers)
    else:
        info.domain_discrete.extend(values if len(kinds) == 1 else map(str, values))
    return info
