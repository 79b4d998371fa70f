"""Independent named streams of random numbers, all derived from one trial seed."""

from __future__ import annotations

import hashlib

import torch


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """Return the CPU generator of one *purpose* under *seed*.

    Purposes are independent: drawing more batches never shifts the weights, so methods with the same
    seed see the same tasks, initial weights and batches. Draws are made on the CPU whatever the device,
    so that a trial on a GPU sees the same ones.

    >>> def draw(*purpose):
    ...     return torch.rand(1, generator=generator(0, *purpose)).item()
    >>> draw("batches", 1) == draw("batches", 1), draw("batches", 1) == draw("batches", 2)
    (True, False)
    """
    name = "/".join(str(part) for part in (seed, *purpose))
    digest = hashlib.sha256(name.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little", signed=True))
