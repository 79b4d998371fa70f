"""PLACEHOLDER."""

from __future__ import annotations

from cl.methods.base import Method
from cl.registry import SeparateEWCSettings


class SeparateEWC(Method):
    """PLACEHOLDER."""

    Settings = SeparateEWCSettings
