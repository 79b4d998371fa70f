"""Naive: plain fine-tuning on one task after the other, the lower bound."""

from __future__ import annotations

from cl.methods.base import Method


class Naive(Method):
    """Train on each task as it comes and do nothing about forgetting."""
