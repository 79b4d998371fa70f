"""PLACEHOLDER."""

from __future__ import annotations

from cl.methods.base import Method
from cl.registry import DERSettings


class DER(Method):
    """PLACEHOLDER."""

    Settings = DERSettings
