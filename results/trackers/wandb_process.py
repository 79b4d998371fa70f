"""The process that writes W&B's offline runs: it reads what as JSON and answers with counts.

Only `results.trackers.wandb_offline` starts it. It needs nothing of ours. W&B's own service, which it starts,
ends with it.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["main"]

_NOTE = "clsweep.json"
"""Beside a run's file: the digest of the trial that it was written from."""
_LENGTHS = {"name": 128, "group": 128, "tag": 64}
"""As many characters as W&B takes."""


def main() -> None:
    """Read a request from the standard input, carry it out, and print the answer."""
    answer = _written(json.load(sys.stdin))
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


def _written(request: Mapping[str, Any]) -> dict[str, int]:
    folder, scratch = Path(request["folder"]), Path(request["scratch"])
    folder.mkdir(exist_ok=True)
    places = {path.name.rpartition("-")[2]: path for path in folder.glob("offline-run-*-*")}
    counts = Counter(new=0, changed=0, unchanged=0)
    for trial in request["trials"]:
        place = places.get(trial["trial_id"])
        if place is None:
            counts["new"] += 1
        elif _digest_at(place) == trial["digest"]:
            counts["unchanged"] += 1
            continue
        else:
            counts["changed"] += 1
        file = _run_file(trial, scratch)
        if place is None:
            _place(file, trial, folder, scratch)
        else:
            _replace(file, trial, place)
    if counts["new"] or counts["changed"]:
        import wandb  # noqa: PLC0415 - an extra, and this file is imported without it

        wandb.teardown()
    return counts


def _digest_at(place: Path) -> str:
    try:
        digest: str = json.loads((place / _NOTE).read_text())["digest"]
    except (OSError, ValueError, KeyError):  # an export that was interrupted, or somebody else's run
        return ""
    return digest


def _run_file(trial: Mapping[str, Any], scratch: Path) -> Path:
    """The file that W&B writes of *trial*, complete, in *scratch*."""
    import wandb  # noqa: PLC0415 - where nothing is new, W&B need not start

    run = wandb.init(
        dir=scratch,
        project=trial["project"],
        id=trial["trial_id"],
        name=trial["name"][: _LENGTHS["name"]],
        group=trial["group"][: _LENGTHS["group"]],
        job_type=str(trial["params"]["method"]),
        tags=[
            str(tag)[: _LENGTHS["tag"]]
            for tag in (trial["params"]["scenario"], trial["params"]["method"], trial["status"])
        ],
        config={**trial["params"], "clsweep": trial["tags"]},
        reinit="create_new",
        settings=_settings(wandb, trial),
    )
    for step in trial["steps"]:
        run.log({**step["values"], "_timestamp": step["at"]}, step=step["step"])
    run.summary.update({**trial["final"], "status": trial["status"]})
    run.finish(exit_code=1 if trial["status"] in {"failed", "diverged"} else 0)
    (file,) = (scratch / "wandb").glob(f"offline-run-*/run-{trial['trial_id']}.wandb")
    _settle(file)
    return file


def _settings(wandb: Any, trial: Mapping[str, Any]) -> Any:
    """Settings with which W&B notes nothing of this process and machine, which did not train the model."""
    return wandb.Settings(
        mode="offline",
        silent=True,
        console="off",
        host=trial["tags"].get("host", ""),
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        symlink=False,
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )


def _place(file: Path, trial: Mapping[str, Any], folder: Path, scratch: Path) -> None:
    """Make a run's folder appear whole."""
    start = datetime.fromtimestamp(trial["start"], UTC)
    name = f"offline-run-{start:%Y%m%d_%H%M%S}-{trial['trial_id']}"
    whole = scratch / name
    whole.mkdir()
    os.replace(file, whole / file.name)
    (whole / _NOTE).write_text(json.dumps({"digest": trial["digest"]}))
    os.rename(whole, folder / name)


def _replace(file: Path, trial: Mapping[str, Any], place: Path) -> None:
    """Put another file in the place of a run's; what says that it has been uploaded is true no more."""
    (place / f"{file.name}.synced").unlink(missing_ok=True)
    os.replace(file, place / file.name)
    note = file.with_name(_NOTE)
    note.write_text(json.dumps({"digest": trial["digest"]}))
    os.replace(note, place / _NOTE)


def _settle(file: Path) -> None:
    """See that *file* outlives a loss of power before it gets its name."""
    with file.open("rb") as written:
        os.fsync(written.fileno())


if __name__ == "__main__":
    main()
