"""What came out of a sweep: the store, statistics, tables, pictures and the report. No Ray, no torch.

``results.open("runs/quickstart")`` reads a run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results.sweep import Sweep

__all__ = ["open"]


def open(run: Path | str, *, level: float = 0.95) -> Sweep:
    """Read the run in a folder or at a URI (``runs/quickstart``, ``s3://bucket/quickstart``).

    Everything in the folder that was scored on test data is read, as ``clsweep show --all`` does.

    Raises:
        RunNotFound: there is none; the message gives the nearest name beside it.
        StoreError: it cannot be read.
    """
    # Not at the top: every module of this package would load them all.
    from results.store import open_run  # noqa: PLC0415 - importing the package stays free
    from results.sweep import open_sweep  # noqa: PLC0415 - it needs the whole package

    return open_sweep(open_run(run), level=level)
