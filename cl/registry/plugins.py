"""Methods, models and streams in a person's own modules, named in a spec as ``module:Class``.

What is asked about such a name imports the module, and so runs its code: `sweeps` asks only where the
person has allowed it.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from cl.registry.methods import METHODS, MethodEntry, MethodSettings
from cl.registry.models import MODELS, ModelEntry, ModelSettings
from cl.registry.settings import KINDS, Settings
from cl.registry.streams import STREAMS, StreamSettings

SOURCE = "source"
"""The setting of a plug-in that is the digest of its source: other code, other trials."""

_TAKEN: Mapping[type[Settings], frozenset[str]] = {
    MethodSettings: frozenset({SOURCE, "resources", "scenarios"}),
    ModelSettings: frozenset({SOURCE}),
    StreamSettings: frozenset({SOURCE, "kind", "stream", "data", "resources"}),
}
"""Names that a spec itself uses beside the settings of each."""

Entry = TypeVar("Entry", MethodEntry, ModelEntry)


class PlugInError(ValueError):
    """A plug-in that cannot be used; the message says why, but not where it was named."""


def is_plug_in(name: str) -> bool:
    """Whether *name* is that of a plug-in.

    >>> is_plug_in("ewc"), is_plug_in("mypackage.mymethod:MyMethod")
    (False, True)
    """
    return ":" in name


def search(folders: Iterable[str | Path]) -> None:
    """Let modules be found in *folders* too, after everything that is installed."""
    for folder in map(str, folders):
        if folder not in sys.path:
            sys.path.append(folder)
    importlib.invalidate_caches()


def implementation(place: str) -> Any:
    """What ``module:Class`` names, of ours or a plug-in.

    Raises:
        PlugInError: there is no such thing, or the module cannot be imported.
    """
    module_name, _, attribute = place.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), attribute)):
        raise PlugInError("is not of the form module:Class, such as mypackage.mymethod:MyMethod")
    module = _module(module_name)
    if not hasattr(module, attribute):
        classes = [
            known for known, value in vars(module).items() if getattr(value, "__module__", "") == module_name
        ]
        close = get_close_matches(attribute, classes, n=1)
        meant = f"did you mean {close[0]!r}? " if close else ""
        has = ", ".join(classes) or "nothing"
        raise PlugInError(f"{module.__file__} has no {attribute!r}; {meant}it defines {has}")
    return getattr(module, attribute)


def own(settings: Mapping[str, Any]) -> dict[str, Any]:
    """*settings* as their declaration knows them, without the digest of a plug-in's source."""
    return {name: value for name, value in settings.items() if name != SOURCE}


def method_entry(name: str) -> MethodEntry:
    """The method that is known as *name*, or the class of that place.

    Raises:
        PlugInError: there is none, or it is not a method.
    """
    return _method(name) if is_plug_in(name) else _built_in("method", name, METHODS)


def model_entry(name: str) -> ModelEntry:
    """The model that is known as *name*, or the class of that place.

    Raises:
        PlugInError: there is none, or it is not a model.
    """
    return _model(name) if is_plug_in(name) else _built_in("model", name, MODELS)


def stream_settings(name: str) -> type[StreamSettings]:
    """The settings of the stream that is known as *name*, or the class of that place.

    Raises:
        PlugInError: there is none, or it is not a stream.
    """
    return _stream(name) if is_plug_in(name) else _built_in("stream", name, STREAMS)


def _built_in(what: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise PlugInError(f"unknown {what} {name!r}; allowed: {', '.join(known)}")
    return known[name]


@cache
def source_digest(name: str) -> str:
    """16 hexadecimal digits of the SHA-256 of a plug-in's source: its file, or every .py of its package."""
    place = location(name)
    digest = hashlib.sha256()
    for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(place.parent).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def location(name: str) -> Path:
    """The file of a plug-in's module, or the folder of the whole package that holds it."""
    module = _module(name.partition(":")[0])
    if not (module.__file__ or "").endswith(".py"):
        raise PlugInError(
            f"{module.__name__} has no source file, so what it computes could not be known again"
        )
    file = Path(str(module.__file__)).resolve()
    top = sys.modules[module.__name__.partition(".")[0]]
    folders = [Path(folder).resolve() for folder in getattr(top, "__path__", ())]
    return next((folder for folder in folders if file.is_relative_to(folder)), file)


@cache
def _method(name: str) -> MethodEntry:
    base = importlib.import_module("cl.methods.base").Method
    found = implementation(name)
    if not (inspect.isclass(found) and issubclass(found, base)):
        raise PlugInError(f"{_what(found)} is no method; give a class that derives from cl.methods.Method")
    return _entry(MethodEntry, name, found, MethodSettings)


@cache
def _model(name: str) -> ModelEntry:
    module = importlib.import_module("torch").nn.Module
    found = implementation(name)
    if not (inspect.isclass(found) and (hasattr(found, "build") or issubclass(found, module))):
        raise PlugInError(
            f"{_what(found)} is no model; give a class that derives from torch.nn.Module, "
            "or one with build(settings, stream)"
        )
    return _entry(ModelEntry, name, found, ModelSettings)


@cache
def _stream(name: str) -> type[StreamSettings]:
    found = implementation(name)
    if not (inspect.isclass(found) and issubclass(found, StreamSettings) and hasattr(found, "contents")):
        raise PlugInError(
            f"{_what(found)} is no stream; give a class that derives from cl.registry.StreamSettings "
            "and has contents(data, seed)"
        )
    return _declared(found, StreamSettings)


def _entry(kind: type[Entry], name: str, found: type, base: type[Settings]) -> Entry:
    """What *found* says of itself, in class attributes that are called as in a built-in entry."""
    own_words = {
        field.name: getattr(found, field.name) for field in fields(kind) if hasattr(found, field.name)
    }
    known: dict[str, Any] = {
        **({"fits": {}} if kind is ModelEntry else {}),
        **own_words,
        "summary": (inspect.getdoc(found) or "").partition("\n")[0],
        "settings": _declared(getattr(found, "Settings", base), base),
        "implementation": name,
    }
    try:
        return TypeAdapter(kind).validate_python(known)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        attribute, value = wrong["loc"][0], known[str(wrong["loc"][0])]
        allowed = f" (kinds are {', '.join(KINDS)})" if attribute in {"kinds", "fits"} else ""
        raise PlugInError(
            f"its attribute {attribute} = {value!r} is not allowed: {wrong['msg']}{allowed}"
        ) from None


SettingsOf = TypeVar("SettingsOf", bound=Settings)


def _declared(settings: Any, base: type[SettingsOf]) -> type[SettingsOf]:
    """*settings*, which must declare settings that a spec can give."""
    if not (inspect.isclass(settings) and issubclass(settings, base)):
        raise PlugInError(f"its Settings, {_what(settings)}, must derive from cl.registry.{base.__name__}")
    try:
        names = set(settings.model_json_schema()["properties"]) if settings.model_fields else set()
    except Exception as error:  # noqa: BLE001 - whatever pydantic makes of a type it does not know
        raise PlugInError(f"{_what(settings)} is no declaration of plain values: {_said(error)}") from None
    if taken := names & _TAKEN[base]:
        raise PlugInError(f"{_what(settings)} declares {', '.join(sorted(taken))}, which a spec itself uses")
    return settings


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            text = f"there is no module {error.name!r} in the current folder, the spec's or what is installed"
        else:
            text = f"importing {name} failed: {_said(error)}"
        raise PlugInError(text) from error


def _what(found: Any) -> str:
    kind = "class" if inspect.isclass(found) else type(found).__name__
    return f"the {kind} {getattr(found, '__qualname__', repr(found)[:40])}"


def _said(error: BaseException) -> str:
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
