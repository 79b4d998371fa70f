"""PLACEHOLDER."""

from __future__ import annotations

from cl.methods.base import Method
from cl.registry import PackNetSettings


class PackNet(Method):
    """PLACEHOLDER."""

    Settings = PackNetSettings
