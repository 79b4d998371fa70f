"""The methods: how forgetting is fought. One file each, with its paper and equation."""

from __future__ import annotations

from cl.methods.agem import AGEM
from cl.methods.base import Diagnostics, Method
from cl.methods.der import DER
from cl.methods.derpp import DERpp
from cl.methods.ewc import EWC
from cl.methods.ewc_separate import SeparateEWC
from cl.methods.gem import GEM
from cl.methods.joint import Joint
from cl.methods.lwf import LwF
from cl.methods.naive import Naive
from cl.methods.packnet import PackNet
from cl.methods.pnn import PNN
from cl.methods.replay import Replay
from cl.methods.scratch import Scratch
from cl.methods.si import SI
from cl.registry import method_entry, plugins

__all__ = [
    "AGEM",
    "DER",
    "EWC",
    "GEM",
    "PNN",
    "SI",
    "DERpp",
    "Diagnostics",
    "Joint",
    "LwF",
    "Method",
    "Naive",
    "PackNet",
    "Replay",
    "Scratch",
    "SeparateEWC",
    "make_method",
]


def make_method(name: str, hyperparameters: dict[str, object]) -> Method:
    """Build the method that the registry knows as *name*; unknown or invalid values are refused."""
    entry = method_entry(name)
    implementation: type[Method] = plugins.implementation(entry.implementation)
    return implementation(entry.settings.model_validate(hyperparameters))
