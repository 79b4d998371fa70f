"""The process that writes to MLflow's database: it reads what as JSON and answers with counts.

Only `results.trackers.mlflow_store` starts it. It needs nothing of ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any
from uuid import uuid4

__all__ = ["main"]

_TRIAL = "clsweep.trial_id"
_DIGEST = "clsweep.digest"
_STEPS = "clsweep.steps"
"""How many steps were logged, and the digest of what MLflow never changes in a run: parameters and steps."""

_STATUS = {"complete": "FINISHED", "failed": "FAILED", "diverged": "FAILED", "stopped": "KILLED"}
_PARAMS, _METRICS = 100, 800
"""So many MLflow takes at once, with the tags beside them."""


def main() -> None:
    """Read a request from the standard input, carry it out, and print the answer."""
    answer = _written(json.load(sys.stdin))
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


def _written(request: Mapping[str, Any]) -> dict[str, int]:
    from mlflow import MlflowClient  # noqa: PLC0415 - an extra, and this file is imported without it

    # In the current folder, as a URI with the signs of a longer path may be read wrongly.
    database = Path(request["database"])
    is_new = not database.exists()
    target = database.with_name(f".{database.name}.{uuid4().hex}.tmp") if is_new else database
    counts = Counter(new=0, changed=0, unchanged=0)
    try:
        client = MlflowClient(f"sqlite:///{target}")
        for sweep in dict.fromkeys(trial["sweep"] for trial in request["trials"]):
            experiment = _experiment(client, sweep, request["artifacts"])
            known = {run.data.tags[_TRIAL]: run for run in _runs(client, experiment)}
            for trial in request["trials"]:
                if trial["sweep"] == sweep:
                    counts[_put(client, experiment, trial, known.get(trial["trial_id"]))] += 1
        if is_new:
            os.replace(target, database)
    finally:
        if is_new:
            target.unlink(missing_ok=True)
    return counts


def _experiment(client: Any, name: str, artifacts: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=artifacts))
    if found.lifecycle_stage != "active":
        raise SystemExit(
            f"the experiment {name} was deleted in MLflow; restore it there, or export to another folder"
        )
    return str(found.experiment_id)


def _runs(client: Any, experiment: str) -> Iterator[Any]:
    """Our runs of the experiment."""
    token = None
    while True:
        page = client.search_runs([experiment], f"tags.`{_TRIAL}` != ''", page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _put(client: Any, experiment: str, trial: Mapping[str, Any], run: Any) -> str:
    """Log *trial*; *run* is what is there of it. Return ``new``, ``changed`` or ``unchanged``."""
    if run is None:
        _log(client, _create(client, experiment, trial), trial)
        return "new"
    is_over = run.info.end_time is not None
    if run.data.tags.get(_DIGEST) == trial["digest"] and is_over == (trial["end"] is not None):
        return "unchanged"
    logged = _logged(trial, run)
    if logged is None:
        _log(client, _create(client, experiment, trial), trial)
        client.delete_run(run.info.run_id)
    else:
        client.update_run(run.info.run_id, name=trial["name"])
        client.set_tag(run.info.run_id, _STEPS, "")
        _log(client, run.info.run_id, trial, logged)
    return "changed"


def _logged(trial: Mapping[str, Any], run: Any) -> int | None:
    """How many steps of *trial* the run has; None if it has anything that is not so, or not so any more.

    MLflow takes what is logged a second time for the same, but never forgets what was logged before.
    """
    said = run.data.tags.get(_STEPS, "")
    steps = int(said.partition(" ")[0] or 0)
    final = {_key(name): value for name, value in trial["final"].items()}
    same = all(run.data.metrics.get(name, value) == value for name, value in final.items())
    return steps if same and said == _fixed(trial, steps) else None


def _create(client: Any, experiment: str, trial: Mapping[str, Any]) -> str:
    tags = {_TRIAL: trial["trial_id"]}
    run = client.create_run(experiment, _ms(trial["start"]), tags, run_name=trial["name"])
    return str(run.info.run_id)


def _fixed(trial: Mapping[str, Any], steps: int) -> str:
    """What `_STEPS` says when that many steps of *trial* are logged."""
    fixed = json.dumps([trial["params"], trial["start"], trial["steps"][:steps]], sort_keys=True)
    return f"{steps} {hashlib.sha256(fixed.encode()).hexdigest()}"


def _log(client: Any, run: str, trial: Mapping[str, Any], logged: int = 0) -> None:
    """Log everything of *trial* to the run but for the first *logged* steps.

    Tags come last, and with them what says how much was logged: a run without that is written anew.
    """
    from mlflow.entities import Param, RunTag  # noqa: PLC0415 - it comes with the client

    tags = {_key(f"clsweep.{name}"): value for name, value in trial["tags"].items()}
    if commit := trial["tags"].get("git_commit"):
        tags["mlflow.source.git.commit"] = commit  # which MLflow shows as the version
    tags |= {_STEPS: _fixed(trial, len(trial["steps"])), _DIGEST: trial["digest"]}
    params = [Param(_key(name), _text(value)) for name, value in trial["params"].items()]
    metrics = _metrics(trial, logged)
    *earlier, last = zip_longest(_parts(metrics, _METRICS), _parts(params, _PARAMS), fillvalue=())
    for some in earlier:
        client.log_batch(run, *some)
    client.log_batch(run, *last, [RunTag(name, value) for name, value in tags.items()])
    if trial["end"] is not None:
        client.set_terminated(run, _STATUS[trial["status"]], _ms(trial["end"]))


def _metrics(trial: Mapping[str, Any], logged: int) -> list[Any]:
    from mlflow.entities import Metric  # noqa: PLC0415 - a process that finds nothing new does without

    metrics = [
        Metric(_key(name), value, _ms(step["at"]), step["step"])
        for step in trial["steps"][logged:]
        for name, value in step["values"].items()
    ]
    if trial["end"] is not None:
        end, last = _ms(trial["end"]), trial["last_task"]
        metrics += [Metric(_key(name), value, end, last) for name, value in trial["final"].items()]
    return metrics


def _parts(entities: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for first in range(0, len(entities), size):
        yield entities[first : first + size]


def _key(name: str) -> str:
    """*name* without the characters that MLflow refuses."""
    return re.sub(r"[^/\w.\- :]", "_", name)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


if __name__ == "__main__":
    main()
