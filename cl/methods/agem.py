"""PLACEHOLDER."""

from __future__ import annotations

from cl.methods.base import Method
from cl.registry import AGEMSettings


class AGEM(Method):
    """PLACEHOLDER."""

    Settings = AGEMSettings
