"""PLACEHOLDER."""

from __future__ import annotations

from cl.methods.base import Method
from cl.registry import SISettings


class SI(Method):
    """PLACEHOLDER."""

    Settings = SISettings
