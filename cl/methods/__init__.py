"""The methods: how forgetting is fought. One file each, with its paper and equation."""

from __future__ import annotations

from importlib import import_module

from cl.methods.base import Method
from cl.registry import METHODS

__all__ = ["Method", "make_method"]


def make_method(name: str, hyperparameters: dict[str, object]) -> Method:
    """Build the method that the registry knows as *name*; unknown or invalid values are refused."""
    entry = METHODS[name]
    module, _, class_name = entry.implementation.partition(":")
    implementation: type[Method] = getattr(import_module(module), class_name)
    return implementation(entry.settings.model_validate(hyperparameters))
