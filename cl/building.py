"""From settings to models."""

from __future__ import annotations

from functools import partial

from torch import nn

from cl.heads import HEADS
from cl.model import Model
from cl.module_trunk import ModuleTrunk
from cl.network import Network
from cl.registry import MODEL_OF_KIND, Kind, ModelSettings, model_entry, plugins
from cl.streams import Stream


def labels_of(model: str, kind: Kind) -> Kind:
    """The increment kind whose labels *model* learns in *kind*: another where it ignores the task id."""
    fit = model_entry(model).fits.get(kind)
    return (fit.labels if fit else None) or kind


def make_model(settings: ModelSettings, stream: Stream) -> Model:
    """Build the untrained model that *settings* name for *stream*; ``mlp`` is the one that fits its kind.

    Raises:
        ValueError: the model learns the labels of another kind (`labels_of`).
    """
    name = MODEL_OF_KIND[stream.kind] if settings.name == "mlp" else settings.name
    if (labels := labels_of(name, stream.kind)) != stream.kind:
        raise ValueError(f"{name} in {stream.kind} learns the labels of {labels}: make a stream of that kind")
    implementation = plugins.implementation(model_entry(name).implementation)
    if not hasattr(implementation, "build"):
        return under_a_head(implementation, settings, stream)
    model: Model = implementation.build(settings, stream)
    return model


def under_a_head(module: type[nn.Module], settings: ModelSettings, stream: Stream) -> Network:
    """A plain torch module, made as ``module(image, **settings)``, under the head that fits the kind.

    *image* is the shape of an example as it reaches the module; what the module gives, [n, ...], is
    flattened.
    """
    image = (1, *stream.image) if len(stream.image) == 2 else stream.image
    values = {name: getattr(settings, name) for name in type(settings).model_fields if name != "name"}
    trunk = ModuleTrunk(partial(module, image, **values), stream.image)
    return Network(trunk, HEADS[stream.kind](), seed=stream.seed)
