"""What a person can be told before a sweep starts; each message is ready to print. No heavy imports here."""

from __future__ import annotations


class PrepareError(Exception):
    """The data of a sweep is missing, damaged or unfit for its scenarios."""


class ResourceError(Exception):
    """The cluster or machine cannot be reached, or lacks what a trial asks for."""
