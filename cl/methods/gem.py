"""PLACEHOLDER."""

from __future__ import annotations

from cl.methods.base import Method
from cl.registry import GEMSettings


class GEM(Method):
    """PLACEHOLDER."""

    Settings = GEMSettings
