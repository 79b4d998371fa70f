"""PLACEHOLDER."""

from __future__ import annotations

from cl.methods.base import Method
from cl.registry import DERppSettings


class DERpp(Method):
    """PLACEHOLDER."""

    Settings = DERppSettings
