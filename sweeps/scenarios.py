"""One entry under ``scenarios``: an increment kind and a stream, written short or with settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cl import registry
from cl.registry import plugins
from sweeps.grid import REFUSED
from sweeps.names import Names
from sweeps.problems import Problem, hint, nearest, not_allowed, shown, unknown
from sweeps.trials import Scenario
from sweeps.validation import Place

EXPLICIT = "explicit"
KEYS = ("kind", "stream", "data", "resources")
"""Names in a scenario that are not settings of its stream."""


class _Source(NamedTuple):
    stream: str
    data: tuple[str, ...]
    name: str


def stream_names() -> list[str]:
    """Every stream over a data set known by name: ``split-digits``, ``permuted-mnist``, ..."""
    return [
        f"{stream}-{data}" for stream in registry.STREAMS if stream != EXPLICIT for data in registry.DATASETS
    ]


def written_out(entry: Any) -> Any:
    """The short form ``kind/stream`` as the mapping it stands for; anything else as it is.

    >>> written_out("class-il/split-digits")
    {'kind': 'class-il', 'stream': 'split-digits'}
    """
    if isinstance(entry, str) and "/" in entry:
        kind, _, stream = entry.partition("/")
        return {"kind": kind, "stream": stream}
    return entry


def scenario(
    values: Any, *, at: Place, folder: Path, names: Names, problems: list[Problem]
) -> Scenario | None:
    """The scenario that one combination of an entry means; if it is wrong, None, and problems are added.

    Args:
        values: the entry without grids, in its short form or written out.
        at: the place of each value.
        folder: where relative ``.npz`` paths start.
        names: what the names of streams stand for.
        problems: receives what is found.
    """
    if values is REFUSED:
        return None
    values = written_out(values)
    if not isinstance(values, Mapping):
        form = "kind/stream like class-il/split-digits, or {kind: ..., stream: ..., settings of the stream}"
        problems.append(not_allowed(at(()), values, form))
        return None
    found: list[Problem] = []
    kind = _kind(values, at, found)
    source = _source(values, at, folder, found)
    settings = None
    if source is not None and (declaration := names.stream(source.stream, at(("stream",)), found)):
        settings = names.resolved(
            declaration,
            source.stream,
            {name: value for name, value in values.items() if name not in KEYS},
            at=at,
            what=f"setting of {source.name}",
            also=KEYS,
            problems=found,
        )
    problems += found
    if kind is None or source is None or settings is None or REFUSED in values.values():
        return None
    label = f"{kind}/{source.name}"
    resolved = _with_tasks(settings, source, at, problems)
    return Scenario(kind, source.stream, source.data, resolved, label)


def _kind(values: Mapping[str, Any], at: Place, problems: list[Problem]) -> registry.Kind | None:
    kind = values.get("kind")
    for known in registry.KINDS:
        if kind == known:
            return known
    if "kind" not in values:
        problems.append(Problem(at(("kind",)), f"is missing; allowed: {', '.join(registry.KINDS)}"))
    elif isinstance(kind, str):
        problems.append(unknown(at(("kind",)), "kind", kind, registry.KINDS))
    elif kind is not REFUSED:
        problems.append(not_allowed(at(("kind",)), kind, " or ".join(registry.KINDS)))
    return None


def _source(values: Mapping[str, Any], at: Place, folder: Path, problems: list[Problem]) -> _Source | None:
    stream, data = values.get("stream"), values.get("data")
    if stream is REFUSED or data is REFUSED:
        return None
    if isinstance(stream, list) or stream in stream_names():
        if data is not None:
            problems.append(
                Problem(at(("data",)), "the stream already says what its data is; leave this out")
            )
        elif isinstance(stream, list):
            return _explicit(stream, at, folder, problems)
        else:
            base, _, name = str(stream).partition("-")
            return _Source(base, (name,), str(stream))
    elif isinstance(stream, str) and _takes_data(stream):
        return _over_data(stream, data, at, folder, problems)
    else:
        problems.append(_wrong_stream(stream, at(("stream",)), given="stream" in values))
    return None


def _takes_data(stream: str) -> bool:
    return plugins.is_plug_in(stream) or (stream in registry.STREAMS and stream != EXPLICIT)


def _wrong_stream(stream: Any, place: str, *, given: bool) -> Problem:
    over_data = ", ".join(name for name in registry.STREAMS if name != EXPLICIT)
    others = f"; or {over_data} with 'data', or a list of .npz files, one per task"
    if not given:
        return Problem(place, f"is missing; allowed: {', '.join(stream_names())}{others}")
    if not isinstance(stream, str):
        return not_allowed(place, stream, f"the name of a stream ({', '.join(stream_names())}){others}")
    return Problem(place, f"unknown stream {shown(stream)}; {hint(stream, stream_names())}{others}")


def _over_data(stream: str, data: Any, at: Place, folder: Path, problems: list[Problem]) -> _Source | None:
    place = at(("data",))
    allowed = f"the name of a data set ({', '.join(registry.DATASETS)}) or an .npz file"
    if data is None:
        problems.append(Problem(place, f"is missing; {stream} needs {allowed}"))
    elif not isinstance(data, str):
        problems.append(not_allowed(place, data, allowed))
    elif data in registry.DATASETS:
        return _Source(stream, (data,), f"{stream}-{data}")
    elif not data.endswith(".npz"):
        text = f"unknown data set {shown(data)}; {hint(data, [*registry.DATASETS])}, or an .npz file"
        problems.append(Problem(place, text))
    elif path := _file(data, place, folder, problems):
        return _Source(stream, (path,), f"{stream}-{Path(path).stem}")
    return None


def _explicit(files: list[Any], at: Place, folder: Path, problems: list[Problem]) -> _Source | None:
    paths: list[str] = []
    if not files:
        problems.append(not_allowed(at(("stream",)), files, "a list of .npz files, one per task"))
    for i, file in enumerate(files):
        place = at(("stream", i))
        if not isinstance(file, str) or not file.endswith(".npz"):
            problems.append(not_allowed(place, file, "the path of an .npz file"))
        elif path := _file(file, place, folder, problems):
            paths.append(path)
    if not files or len(paths) < len(files):
        return None
    stems = [Path(path).stem for path in paths]
    shortened = stems if len(stems) <= 3 else [*stems[:2], f"{len(stems) - 2}-more"]
    return _Source(EXPLICIT, tuple(paths), f"{EXPLICIT}-{'+'.join(shortened)}")


def _file(name: str, place: str, folder: Path, problems: list[Problem]) -> str | None:
    # os.path answers where Path raises: a name that is too long, an unknown ~user. Links are not resolved:
    # they are the person's name for the file.
    path = Path(os.path.abspath(folder / os.path.expanduser(name)))
    if os.path.isfile(path):
        return str(path)
    siblings = [file.name for file in path.parent.glob("*.npz")] if os.path.isdir(path.parent) else []
    close = nearest(path.name, siblings)
    problems.append(Problem(place, f"no such file {path}" + (f"; did you mean {close!r}?" if close else "")))
    return None


def _with_tasks(
    settings: dict[str, Any], source: _Source, at: Place, problems: list[Problem]
) -> dict[str, Any]:
    """*settings* with the number of tasks of a split stream filled in, where its classes are known."""
    entry = registry.DATASETS.get(source.data[0])
    if source.stream != "split" or entry is None:
        return settings
    tasks, size = settings["tasks"], settings["classes_per_task"]
    most = entry.classes // size
    if most == 0 or (tasks is not None and tasks > most):
        place = at(("classes_per_task",) if tasks is None or most == 0 else ("tasks",))
        enough = f"at most {most} tasks of {size}" if most else f"at most {entry.classes} per task"
        given = tasks if most and tasks else size
        text = f"{given} is not allowed; {source.data[0]} has {entry.classes} classes: {enough}"
        problems.append(Problem(place, text))
    return {**settings, "tasks": most if tasks is None else tasks}
