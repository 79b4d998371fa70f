"""PLACEHOLDER."""

from __future__ import annotations

from cl.methods.base import Method
from cl.registry import MethodSettings


class PNN(Method):
    """PLACEHOLDER."""

    Settings = MethodSettings
