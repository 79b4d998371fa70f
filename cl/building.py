"""From settings to models."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cl.model import Model
from cl.registry import MODEL_OF_KIND, MODELS, Kind, ModelSettings
from cl.streams import Stream


def labels_of(model: str, kind: Kind) -> Kind:
    """The increment kind whose labels *model* learns in *kind*: another where it ignores the task id."""
    return MODELS[model].fits[kind].labels or kind


def make_model(settings: ModelSettings, stream: Stream) -> Model:
    """Build the untrained model that *settings* name for *stream*; ``mlp`` is the one that fits its kind."""
    name = MODEL_OF_KIND[stream.kind] if settings.name == "mlp" else settings.name
    module, _, class_name = MODELS[name].implementation.partition(":")
    implementation: Any = getattr(import_module(module), class_name)
    model: Model = implementation.build(settings, stream)
    return model
