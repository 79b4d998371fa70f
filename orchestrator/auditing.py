"""What `clsweep check` says of a run: what is wrong with it, what is worth knowing, and how to mend each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs as pafs
from rich.text import Text

from orchestrator.identity import trial_of
from orchestrator.lease import holder
from orchestrator.standing import Standing, standing_of
from results.audit import Array, Finding, audit, mend, named
from results.schema import COMPLETE, DIVERGED, FAILED, STOPPED, to_rows
from results.storage import StoreError
from results.store import Store
from sweeps.trials import RESULTS_VERSION

MOST_PLACES = 5
"""So many places of a finding are printed, and the others counted."""


@dataclass(frozen=True)
class Audit:
    """What was found in a run.

    Attributes:
        standing: how it stands.
        findings: what makes its tables wrong or incomplete.
        notes: what does not: work that is left to do, trials that no table shows, files that nobody needs.
    """

    standing: Standing
    findings: Sequence[Finding]
    notes: Sequence[Finding]


def audited(store: Store) -> Audit:
    """Audit the run in *store*; nothing of it is changed.

    Raises:
        StoreError: it cannot be read.
    """
    driver = holder(store.root)
    trials = store.trials()  # before the other tables: rows of a trial that it lacks are newer
    altered = _altered(trials)
    run = standing_of(store, driver, trials.filter(pa.array(~altered)))
    of_tables = audit(trials, store.accuracy(), store.tasks(), growing=driver is not None)
    unreadable = tuple(f"{path}: {reason}" for path, reason in store.damaged.items())
    findings = [
        Finding("parts cannot be read", unreadable, "delete them; the next run repeats their trials"),
        Finding("settings that give another trial id", named(trials, altered), mend("trials")),
        *of_tables,
    ]
    notes = [*_work_left(run), *_other_trials(run), *([] if driver else _left_over(run))]
    if store.spec() is None:
        findings.append(Finding("no spec", (run.trouble,), "run the sweep again, which writes it"))
    elif run.trouble:
        notes.append(Finding("the spec does not load", (run.trouble,), "all trials are taken for planned"))
    return Audit(run, [finding for finding in findings if finding.places], notes)


def audit_view(audit: Audit) -> Iterator[Text]:
    """Everything that is printed, one after the other."""
    run, many = audit.standing, len(audit.findings)
    verdict = "nothing is wrong" if not many else f"{many} thing{'s are' if many > 1 else ' is'} wrong"
    yield Text(f"{run.store.root}: {_trials(len(run.trials))}, {verdict}")
    for title, findings in (("wrong", audit.findings), ("note", audit.notes)):
        for finding in findings:
            count = f" ({len(finding.places)})" if len(finding.places) > 1 else ""
            yield Text(f"\n{title}: {finding.problem}{count}")
            yield from (Text(f"  {place}") for place in finding.places[:MOST_PLACES])
            if (more := len(finding.places) - MOST_PLACES) > 0:
                yield Text(f"  and {more} more")
            if finding.mend:
                yield Text(f"  mend: {finding.mend}" if title == "wrong" else f"  {finding.mend}")


def _altered(trials: pa.Table) -> Array:
    """Which trials have an id that does not follow from their own columns."""
    rows = to_rows(trials.drop_columns(["error"]))
    return np.fromiter((not _is_own(row) for row in rows), dtype=bool, count=len(rows))


def _is_own(row: dict[str, object]) -> bool:
    try:
        trial_id = trial_of(row).id
    except ValueError:
        return False
    # How another version made ids is not known here.
    return trial_id == row["trial_id"] or row["results_version"] != RESULTS_VERSION


def _work_left(run: Standing) -> Iterator[Finding]:
    if run.driver:
        at_work = f"process {run.driver.process} on {run.driver.host}"
        yield Finding(f"{at_work} is at work, and what it has not finished is not audited", (), "")
        return
    failed = sum(row["status"] == FAILED for row in run.rows)
    counts = ((len(run.running), "interrupted"), (failed, "failed"), (len(run.to_come), "not started"))
    left = ", ".join(f"{count} {what}" for count, what in counts if count)
    if left:
        yield Finding(f"trials that are not done: {left}", (), f"to continue: {run.continuation}")


def _other_trials(run: Standing) -> Iterator[Finding]:
    if others := len(run.trials) - len(run.current):
        yield Finding(
            f"{_trials(others)} of earlier settings, data or code",
            (),
            "tables leave them out; clsweep plan says why",
        )
    versions = Counter(run.trials["results_version"].to_pylist())
    if unknown := versions.total() - versions[RESULTS_VERSION]:
        yield Finding(f"{_trials(unknown)} of another results version, whose ids cannot be checked", (), "")


def _left_over(run: Standing) -> Iterator[Finding]:
    """Files that nobody needs; a driver that is at work may be about to remove them."""
    ended = pc.is_in(run.trials["status"], value_set=pa.array([COMPLETE, DIVERGED, STOPPED]))
    done = set(run.trials["trial_id"].filter(ended).to_pylist())
    sizes, temporary = Counter[str](), []
    for path, size in _files(run.store):
        folder, _, rest = path.partition("/")
        if folder == "checkpoints" and (trial_id := rest.partition("/")[0]) in done:
            sizes[f"checkpoints/{trial_id}"] += size
        elif path.rpartition("/")[2].startswith(".") and path.endswith(".tmp"):
            temporary.append(path)
    root = run.store.root
    if sizes:
        space = f"{sizes.total() / 1e6:.1f} MB"
        what = f"checkpoints of trials that have ended, {space}"
        yield Finding(what, tuple(f"{root}/{folder}" for folder in sizes), "delete these folders")
    if temporary:
        what = "files that were being written when their writer was killed"
        yield Finding(what, tuple(f"{root}/{path}" for path in temporary), "delete them")


def _files(store: Store) -> list[tuple[str, int]]:
    """Every file of the run, hidden ones too, by its path within it, with its size."""
    root = store.root
    try:
        found = root.files.get_file_info(pafs.FileSelector(root.path, recursive=True))
    except OSError as error:
        raise StoreError(f"cannot read {root}: {error}") from error
    files = [info for info in found if info.type == pafs.FileType.File]
    return sorted((info.path.removeprefix(f"{root.path}/"), info.size) for info in files)


def _trials(count: int) -> str:
    return f"{count} trial{'s' if count != 1 else ''}"
