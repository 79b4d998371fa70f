"""PLACEHOLDER."""

from __future__ import annotations

from cl.methods.base import Method
from cl.registry import LwFSettings


class LwF(Method):
    """PLACEHOLDER."""

    Settings = LwFSettings
