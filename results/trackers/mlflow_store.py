"""MLflow: an experiment per sweep and a run per trial, in an SQLite database that ``mlflow ui`` opens.

MLflow keeps its older store of files alive no more than it must; SQLite is what it uses by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from results.trackers import mlflow_process
from results.trackers.logged import Exported, LoggedTrial
from results.trackers.process import done_apart, explained, needs

__all__ = ["DATABASE", "write_mlflow"]

DATABASE = "mlflow.db"

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",  # MLflow loads GitPython, which complains where git is not installed
}


def write_mlflow(trials: Sequence[LoggedTrial], folder: Path) -> Exported:
    """Write *trials* to ``mlflow.db`` in *folder*; ``mlflow ui --backend-store-uri`` opens it.

    A run is found again by its tag ``clsweep.trial_id``. Of one whose trial has only got on, what is new is
    added. One whose trial was run anew is deleted, as a person would do it in MLflow, and written anew.
    What else is in the database stays as it is. A first export is there whole or not at all; after that a run
    that is being written has the status ``RUNNING``.

    Raises:
        NotInstalled: MLflow's library is not there.
        StoreError: it could not be written.
    """
    needs("mlflow", extra="mlflow")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    request = {
        "database": DATABASE,
        "artifacts": (folder / "artifacts").absolute().as_uri(),
        "trials": [trial.plain | {"digest": trial.digest} for trial in trials],
    }
    script = Path(mlflow_process.__file__).absolute()
    answer = done_apart(script, request, folder, own="MLFLOW_", settings=_SETTINGS)
    return Exported(f"sqlite:///{folder / DATABASE}", **answer)
