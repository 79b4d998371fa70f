"""A trial: everything that decides what one run computes, and the id that follows from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from cl.registry import Kind
from cl.registry.plugins import SOURCE, is_plug_in

# Made once: a large sweep has ten thousand ids.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode

RESULTS_VERSION = 4
"""Raised whenever the same trial would give other numbers, so that old results are not taken for new."""


@dataclass(frozen=True)
class Scenario:
    """An increment kind and a stream with every setting of it."""

    kind: Kind
    stream: str
    """How tasks are made of data, a name of `cl.registry.STREAMS`: ``split``, ``explicit``, ..."""
    data: tuple[str, ...]
    """Names of data sets or absolute ``.npz`` paths: one, or for ``explicit`` one per task."""
    settings: dict[str, Any]
    label: str
    """For people: ``class-il/split-digits``."""

    @property
    def stream_name(self) -> str:
        """The stream as a spec names it: ``split-digits``.

        >>> Scenario("class-il", "split", ("digits",), {}, "class-il/split-digits").stream_name
        'split-digits'
        """
        return self.label.partition("/")[2]


@dataclass(frozen=True)
class Resources:
    """What one trial is given: CPUs and (fractions of) GPUs to schedule by, torch threads, and a device."""

    cpu: float = 1.0
    gpu: float = 0.0
    threads: int = 1
    device: str = "auto"

    @property
    def device_type(self) -> str:
        """``cpu`` or ``cuda``; ``auto`` is ``cuda`` if there is any share of a GPU."""
        if self.device == "auto":
            return "cuda" if self.gpu > 0 else "cpu"
        return self.device

    def but(self, *wishes: Mapping[str, Any]) -> Resources:
        """These with *wishes* in their place; a later one wins."""
        values = vars(self).copy()
        for wish in wishes:
            values |= wish
        return Resources(**values)

    @property
    def contradiction(self) -> str | None:
        """Why a trial cannot be given this; None if it can."""
        if self.device == "cuda" and not self.gpu:
            return "device: cuda needs a GPU; give gpu too, such as 1 or 0.25"
        if self.device == "cpu" and self.gpu:
            return f"device: cpu leaves the GPU that is reserved unused; give gpu: 0 and not {self.gpu:g}"
        return None


@dataclass(frozen=True)
class Trial:
    """One scenario, method, set of hyperparameters and seed: what Ray runs once."""

    scenario: Scenario
    method: str
    hyperparameters: dict[str, Any]
    seed: int
    model: dict[str, Any]
    train: dict[str, Any]
    resources: Resources
    data_digest: str
    scored_on: Literal["test", "val"] = "test"
    """``val`` where it searches: it scores on validation data and holds no test example."""

    @property
    def data(self) -> tuple[str, ...]:
        """What it is given to learn from: the names of its data sets, and ``val`` for them without a test."""
        return self.scenario.data if self.scored_on == "test" else (*self.scenario.data, "val")

    @property
    def plug_ins(self) -> dict[str, str]:
        """The digest of the source of each plug-in that the trial names; empty where nobody looked."""
        named = {
            self.method: self.hyperparameters,
            self.model["name"]: self.model,
            self.scenario.stream: self.scenario.settings,
        }
        return {name: settings.get(SOURCE, "") for name, settings in named.items() if is_plug_in(name)}

    def identity(self) -> dict[str, Any]:
        """The values that can change the numbers, and only those, as plain JSON types.

        Amounts of CPU and GPU, names and places are left out; the data counts by its digest.
        """
        of_a_search = {} if self.scored_on == "test" else {"scored_on": self.scored_on}
        return of_a_search | {
            "kind": self.scenario.kind,
            "stream": self.scenario.stream,
            "stream_settings": self.scenario.settings,
            "data_digest": self.data_digest,
            "method": self.method,
            "hyperparameters": self.hyperparameters,
            "seed": self.seed,
            "model": self.model,
            "train": self.train,
            "device": self.resources.device_type,
            "threads": self.resources.threads,
            "results_version": RESULTS_VERSION,
        }

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits: the start of the SHA-256 of the identity as canonical JSON."""
        return hashlib.sha256(_canonical(self.identity()).encode()).hexdigest()[:16]
