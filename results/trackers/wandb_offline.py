"""Weights & Biases: an offline run per trial, which ``wandb sync`` uploads if somebody wants to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from results.trackers import wandb_process
from results.trackers.logged import Exported, LoggedTrial
from results.trackers.process import done_apart, explained, needs

__all__ = ["write_wandb"]


def write_wandb(trials: Sequence[LoggedTrial], folder: Path) -> Exported:
    """Write *trials* to ``wandb/offline-run-*`` in *folder*; nothing is sent anywhere.

    The id of a run is that of its trial, so that ``wandb sync`` twice means the same run. The file of a run
    is there whole or not at all. It is written anew only if there is something new of its trial, and then
    ``wandb sync`` takes it for one that has not been uploaded.

    Raises:
        NotInstalled: W&B's library is not there.
        StoreError: it could not be written.
    """
    needs("wandb", extra="wandb")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # In the folder itself, since a file is moved to its place, which cannot be done between disks.
        with TemporaryDirectory(prefix=".clsweep-", dir=folder) as scratch:
            own = Path(scratch).absolute()
            request = {
                "folder": str((folder / "wandb").absolute()),
                "scratch": str(own),
                "trials": [
                    trial.plain | {"digest": trial.digest, "project": _project(trial.sweep)}
                    for trial in trials
                ],
            }
            settings = {
                "WANDB_MODE": "offline",
                "WANDB_SILENT": "true",
                "WANDB_ERROR_REPORTING": "false",
                **dict.fromkeys(("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"), str(own)),
            }
            script = Path(wandb_process.__file__).absolute()
            answer = done_apart(script, request, folder, own="WANDB_", settings=settings)
    return Exported(str(folder / "wandb"), **answer)


def _project(sweep: str) -> str:
    """The sweep's name without what W&B refuses in that of a project.

    >>> _project("lambda/gamma: 100%")
    'lambda-gamma- 100-'
    """
    return re.sub(r"[/\\#?%:]", "-", sweep)
