"""Every name a sweep can use, declared once: hyperparameters with types, ranges and defaults.

The spec is validated against these declarations and the methods are built from them, so a value that
passes validation is a value the method accepts. Nothing here imports torch.
"""

from cl.registry.compatibility import PARAMETER_BUDGET, compatibility, method_fit, model_fit
from cl.registry.methods import (
    METHODS,
    AGEMSettings,
    DERppSettings,
    DERSettings,
    EWCSettings,
    GEMSettings,
    LwFSettings,
    MethodEntry,
    MethodSettings,
    PackNetSettings,
    ReplaySettings,
    SeparateEWCSettings,
    SISettings,
)
from cl.registry.models import (
    MODEL_OF_KIND,
    MODELS,
    ConvNetSettings,
    Fit,
    Level,
    MLPSettings,
    ModelEntry,
    ModelSettings,
    model_name,
)
from cl.registry.plugins import PlugInError, method_entry, model_entry, stream_settings
from cl.registry.settings import KINDS, LARGEST, LARGEST_FLOAT, Count, Kind, Settings, Strength, Units
from cl.registry.streams import (
    DATASETS,
    MOST_TASKS,
    STREAMS,
    DatasetEntry,
    ExplicitSettings,
    PermutedSettings,
    RotatedSettings,
    SplitSettings,
    StreamSettings,
)
from cl.registry.training import TrainSettings

__all__ = [
    "DATASETS",
    "KINDS",
    "LARGEST",
    "LARGEST_FLOAT",
    "METHODS",
    "MODELS",
    "MODEL_OF_KIND",
    "MOST_TASKS",
    "PARAMETER_BUDGET",
    "STREAMS",
    "AGEMSettings",
    "ConvNetSettings",
    "Count",
    "DERSettings",
    "DERppSettings",
    "DatasetEntry",
    "EWCSettings",
    "ExplicitSettings",
    "Fit",
    "GEMSettings",
    "Kind",
    "Level",
    "LwFSettings",
    "MLPSettings",
    "MethodEntry",
    "MethodSettings",
    "ModelEntry",
    "ModelSettings",
    "PackNetSettings",
    "PermutedSettings",
    "PlugInError",
    "ReplaySettings",
    "RotatedSettings",
    "SISettings",
    "SeparateEWCSettings",
    "Settings",
    "SplitSettings",
    "StreamSettings",
    "Strength",
    "TrainSettings",
    "Units",
    "compatibility",
    "method_entry",
    "method_fit",
    "model_entry",
    "model_fit",
    "model_name",
    "stream_settings",
]
