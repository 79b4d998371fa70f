"""A run's trials for other tools: TensorBoard, MLflow, Weights & Biases, Optuna's dashboard."""

from __future__ import annotations

from pathlib import Path

from orchestrator.showing import NoSearch, shown
from orchestrator.standing import standing
from results.store import Store
from results.sweep import FRESH, JOINT
from results.trackers.logged import Exported, logged
from results.trackers.mlflow_store import write_mlflow
from results.trackers.optuna_storage import write_optuna
from results.trackers.tensorboard import write_tensorboard
from results.trackers.wandb_offline import write_wandb

_WRITERS = {"tensorboard": write_tensorboard, "mlflow": write_mlflow, "wandb": write_wandb}
TOOLS = (*_WRITERS, "optuna")
"""What a run's trials can be written for."""


def tracked(store: Store, tool: str, folder: Path, *, everything: bool = False) -> Exported:
    """Write the trials of the run in *store* for one of `TOOLS` into *folder*; those there are not repeated.

    Trials of a search are among them. *everything* adds those of earlier settings of the run's spec.

    Raises:
        NoSearch: nothing was searched, of which Optuna's dashboard could show something.
        NotInstalled: the tool's library is absent.
        StoreError: the run cannot be read, or a file cannot be written.
    """
    trials = store.trials() if everything else standing(store).current
    if tool == "optuna":
        studies = [study for study in shown(store).studies if study.ranges]
        if not studies:
            raise NoSearch(f"{store.root}: nothing was searched; clsweep tune runs a spec that says how")
        return write_optuna(studies, trials, folder)
    records = logged(trials, store.accuracy(), store.tasks(), reference=JOINT, fresh=FRESH)
    return _WRITERS[tool](records, folder)
