"""The report of a run: reads the run, and writes the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.showing import shown
from orchestrator.standing import Standing, standing
from results.layout import counted
from results.report import Pictures, report_html
from results.storage import Folder, StoreError, reason
from results.store import Store

NAME = "report.html"
"""The report in a run's folder."""


def reported(
    store: Store,
    output: Path | None = None,
    *,
    named: Sequence[str] = (),
    level: float = 0.95,
    everything: bool = False,
) -> str:
    """Write the report of the run in *store* to the file *output*, or beside its rows; return where it is.

    The file appears whole or not at all. *named*, *level* and *everything* as `page_of` has them.

    Raises:
        NoSuchCell: nothing is called as one of *named*.
        StoreError: the run cannot be read, or the file cannot be written.
    """
    page = page_of(store, named=named, level=level, everything=everything).encode()
    if output is None:
        store.root.write(NAME, page)
        return f"{store.root}/{NAME}"
    _write(output, page)
    return str(output)


def _write(output: Path, page: bytes) -> None:
    """Write the file, or into what a pipe or a device leads to, which is not to be replaced by a file."""
    if not output.exists() or output.is_file() or output.is_dir():
        place = output.resolve() if output.is_symlink() else output
        Folder.at(place.parent).write(place.name, page)
        return
    try:
        output.write_bytes(page)
    except OSError as error:
        raise StoreError(f"cannot write {output}: {reason(error)}") from error


def page_of(
    store: Store,
    *,
    named: Sequence[str] = (),
    level: float = 0.95,
    everything: bool = False,
    live: bool = False,
    pictures: Pictures | None = None,
    remarks: Sequence[str] = (),
) -> str:
    """The report of the run in *store*, with *remarks* beside what there is to say of the run itself.

    *named* holds labels of lines that stand for their methods in comparisons, *level* is that of intervals
    and tests, *everything* adds the trials of earlier settings; *live* and *pictures* as
    `results.report.report_html` has them.

    Raises:
        NoSuchCell: nothing is called as one of *named*.
        StoreError: the run cannot be read.
    """
    stands = standing(store)
    run = shown(store, everything=everything, level=level)
    return report_html(
        replace(run.sweep, named=tuple(named)),
        spec=store.spec(),
        command=_command(stands),
        notes=[*run.notes, *_driver(stands, live=live), *remarks],
        studies=run.studies,
        live=live,
        all_trials=stands.trials if everything else stands.current,
        pictures=pictures,
    )


def _command(run: Standing) -> str:
    """What runs the spec of the report, saved as a file."""
    if run.spec is None:
        return run.continuation
    names = [*run.spec.method_names, *run.spec.scenario_labels]
    plug_ins = any(":" in name for name in names) or run.spec.plug_in_models
    return f"clsweep {'tune' if run.spec.tune else 'run'} sweep.yaml{' --allow-plugins' if plug_ins else ''}"


def _driver(run: Standing, *, live: bool) -> list[str]:
    """Who is at work on the run, where that says more than the statuses of its trials."""
    if run.driver and live:
        return [f"driven by process {run.driver.process} on {run.driver.host}"]
    if run.running and not run.driver:
        interrupted = counted(len(run.running), "trial")
        return [f"no driver is running, {interrupted} interrupted; to continue: {run.continuation}"]
    return []
