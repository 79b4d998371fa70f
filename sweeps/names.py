"""What the names of methods, models and streams in a spec stand for, plug-ins among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from cl import registry
from cl.registry import plugins
from sweeps.problems import Problem, shown, unknown
from sweeps.validation import Place, check


class PlugIns(Enum):
    """What to do where a spec names code of its own, as ``module:Class``."""

    refused = "refused"
    imported = "imported"
    """Import the module, which runs its code."""
    unseen = "unseen"
    """Take what the spec says of it as it is, and import nothing: good enough to show results."""


class _AnyMethod(registry.MethodSettings, extra="allow"):
    """Whatever a method that nobody looked at may have been given."""


class _AnyModel(registry.ModelSettings, extra="allow"):
    """Whatever a model that nobody looked at may have been given."""


class _AnyStream(registry.StreamSettings, extra="allow"):
    """Whatever a stream that nobody looked at may have been given."""


Known = TypeVar("Known")


@dataclass(frozen=True)
class Names:
    """Looks up names; what it has found of plug-ins stays in `methods` and `models`."""

    plug_ins: PlugIns
    methods: dict[str, registry.MethodEntry] = field(default_factory=dict)
    models: dict[str, registry.ModelEntry] = field(default_factory=dict)

    def method(self, name: str, place: str, problems: list[Problem]) -> registry.MethodEntry | None:
        """The method called *name*; None, and a problem is added, if there is none."""
        if not plugins.is_plug_in(name):
            return _built_in("method", name, registry.METHODS, place, problems)
        unseen = registry.MethodEntry("", _AnyMethod, name)
        entry = self._plug_in(name, registry.method_entry, unseen, place, problems)
        return None if entry is None else self.methods.setdefault(name, entry)

    def model(self, name: str, place: str, problems: list[Problem]) -> type[registry.ModelSettings] | None:
        """The settings of the model called *name*; None, and a problem is added, if there is none."""
        if name == "mlp":
            return registry.MLPSettings
        if plugins.is_plug_in(name):
            unseen = registry.ModelEntry("", _AnyModel, name, {})
            entry = self._plug_in(name, registry.model_entry, unseen, place, problems)
            if entry is not None:
                self.models[name] = entry
        else:
            entry = _built_in("model", name, registry.MODELS, place, problems, also=["mlp"])
        return None if entry is None else entry.settings

    def stream(self, name: str, place: str, problems: list[Problem]) -> type[registry.StreamSettings] | None:
        """The settings of the stream called *name*, which exists; None, and a problem, if it is no good."""
        if not plugins.is_plug_in(name):
            return registry.STREAMS[name]
        unseen: type[registry.StreamSettings] = _AnyStream
        return self._plug_in(name, registry.stream_settings, unseen, place, problems)

    def resolved(
        self,
        declaration: type[registry.Settings],
        name: str,
        values: Any,
        *,
        at: Place,
        what: str,
        also: Sequence[str] = (),
        problems: list[Problem],
    ) -> dict[str, Any] | None:
        """*values* of what is called *name*, with all defaults and the digest of a plug-in's source."""
        imported = plugins.is_plug_in(name) and self.plug_ins is PlugIns.imported
        if imported and isinstance(values, Mapping):
            values = plugins.own(values)  # the digest that an earlier run wrote
        checked = check(declaration, values, at=at, what=what, also=also, problems=problems)
        if checked is None:
            return None
        return checked.resolved() | ({plugins.SOURCE: plugins.source_digest(name)} if imported else {})

    def _plug_in(
        self, name: str, load: Callable[[str], Known], unseen: Known, place: str, problems: list[Problem]
    ) -> Known | None:
        if self.plug_ins is PlugIns.unseen:
            return unseen
        if self.plug_ins is PlugIns.refused:
            text = f"{shown(name)} is code outside clsweep; it is imported and run only with --allow-plugins"
            problems.append(Problem(place, text))
            return None
        try:
            entry = load(name)
            plugins.source_digest(name)
        except registry.PlugInError as error:
            problems.append(Problem(place, f"{shown(name)}: {error}"))
            return None
        return entry


def _built_in(
    what: str,
    name: str,
    known: Mapping[str, Known],
    place: str,
    problems: list[Problem],
    also: Sequence[str] = (),
) -> Known | None:
    if name not in known:
        problems.append(unknown(place, what, name, [*also, *known]))
    return known.get(name)
