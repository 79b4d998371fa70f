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
    >>> compatibility("class-il", "pnn").reason
    'pnn cannot run in class-il because it selects its column by the task id'
    >>> compatibility("task-il", "ewc", "DomainMLP").level
    'suboptimal'
    """
    entry = methods[method]
    if kind not in entry.kinds:
        because = f" because it {entry.needs}" if entry.needs else ""
        return Fit("invalid", f"{method} cannot run in {kind}{because}")
    name = model_name(model, kind, entry)
    if entry.models is None and name in GROWN_BY:
        return Fit("invalid", f"{method} cannot train {name}, which only {GROWN_BY[name]} makes grow")
    if entry.models is not None and name not in entry.models:
        return Fit("invalid", f"{method} cannot train {name}, only {' or '.join(entry.models)}")
    fit = models[name].fits.get(kind, _VALID)
    if fit.level == "valid":
        return fit
    verb = "cannot be used" if fit.level == "invalid" else "is suboptimal"
    return Fit(fit.level, f"{name} {verb} in {kind}: {fit.reason}")
