"""How a sweep is run, whatever it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How a sweep is run.

    Attributes:
        local: in this process, without Ray.
        address: the Ray cluster to join; None for one of this machine's own.
        retries: how often a trial whose process died starts again.
        checkpoint_every_s: seconds between a trial's checkpoints; None for none.
        patience_s: seconds to go on trying when the storage fails.
    """

    local: bool = False
    address: str | None = None
    retries: int = 2
    checkpoint_every_s: float | None = 10.0
    patience_s: float = 300.0
