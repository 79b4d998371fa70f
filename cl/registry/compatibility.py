"""Which methods, models and increment kinds go together, from what `METHODS` and `MODELS` declare."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cl.registry.methods import METHODS, MethodEntry
from cl.registry.models import MODELS, Fit, ModelEntry, model_name
from cl.registry.settings import Kind

PARAMETER_BUDGET = 10_000_000
"""A progressive network that grows beyond it gets a warning in the plan; as float32 these are 40 MB."""

GROWN_BY: Mapping[str, str] = MappingProxyType({"ProgressiveNeuralNet": "pnn"})
"""Models that are nothing without the one method that makes them grow; methods that name them may too."""

_VALID = Fit("valid")


def compatibility(
    kind: Kind,
    method: str,
    model: str = "mlp",
    *,
    methods: Mapping[str, MethodEntry] = METHODS,
    models: Mapping[str, ModelEntry] = MODELS,
) -> Fit:
    """How well *method* and *model* go together in *kind*; the reason is a whole sentence.

    >>> compatibility("task-il", "pnn").level, compatibility("class-il", "pnn").level
    ('valid', 'invalid')
    >>> compatibility("task-il", "packnet", "DomainMLP").reason
    'packnet cannot train DomainMLP, only MultiHeadMLP or ConvNet'
    """
    entry = methods[method]
    fit = method_fit(kind, method, entry)
    if fit.level == "invalid":
        return fit
    name = model_name(model, kind, entry)
    if entry.models is None and name in GROWN_BY:
        return Fit("invalid", f"{method} cannot train {name}, which only {GROWN_BY[name]} makes grow")
    if entry.models is not None and name not in entry.models:
        return Fit("invalid", f"{method} cannot train {name}, only {' or '.join(entry.models)}")
    return model_fit(kind, name, models[name])


def method_fit(kind: Kind, name: str, entry: MethodEntry) -> Fit:
    """Whether the method called *name* can run in *kind*.

    >>> method_fit("class-il", "pnn", METHODS["pnn"]).reason
    'pnn cannot run in class-il because it selects its column by the task id'
    """
    if kind in entry.kinds:
        return _VALID
    return Fit(
        "invalid", f"{name} cannot run in {kind}" + (f" because it {entry.needs}" if entry.needs else "")
    )


def model_fit(kind: Kind, name: str, entry: ModelEntry) -> Fit:
    """How well the model called *name* suits *kind*.

    >>> model_fit("task-il", "DomainMLP", MODELS["DomainMLP"]).reason
    'DomainMLP is suboptimal in task-il: it ignores the task id, so tasks share their outputs'
    """
    fit = entry.fits.get(kind, _VALID)
    if fit.level == "valid":
        return fit
    verb = "cannot be used" if fit.level == "invalid" else "is suboptimal"
    return Fit(fit.level, f"{name} {verb} in {kind}: {fit.reason}", fit.labels)
