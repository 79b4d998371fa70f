"""What a run's tables show: the trials of its spec as it is now, started or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cl.registry import METHODS
from orchestrator.identity import of_spec
from results.schema import COMPLETE
from results.store import Store
from results.summary import CellSummary, summarise
from sweeps.names import PlugIns
from sweeps.problems import SpecError
from sweeps.spec import Spec, load_spec


(_REFERENCE,) = (name for name, entry in METHODS.items() if entry.cumulative)
_FRESH = tuple(name for name, entry in METHODS.items() if entry.fresh)


@dataclass(frozen=True, eq=False)
class Shown:
    """The cells of a run, the rows of the trials table behind them, and what else there is to say."""

    cells: list[CellSummary]
    trials: pa.Table
    notes: tuple[str, ...]


def shown(store: Store, *, everything: bool = False) -> Shown:
    """Summarise the trials that the run's spec plans now; *everything* adds those of earlier settings."""
    accuracy = store.accuracy()
    trials = _with_rows(store.trials(), accuracy)
    spec, notes = _spec_of(store)
    current, to_come = of_spec(trials, spec) if spec else (trials, [])
    if everything:
        current = trials
    if hidden := len(trials) - len(current):
        notes.append(
            "1 trial of earlier settings is not shown; --all shows it."
            if hidden == 1
            else f"{hidden} trials of earlier settings are not shown; --all shows them."
        )
    cells = summarise(
        current,
        accuracy,
        scenarios=spec.scenario_labels if spec else (),
        methods=spec.method_names if spec else (),
        not_started=to_come,
        reference=_REFERENCE,
        fresh=_FRESH,
    )
    return Shown(cells, current, (*notes, *damage(store)))


def _with_rows(trials: pa.Table, accuracy: pa.Table) -> pa.Table:
    """Without the trials whose accuracy rows are gone though they are complete: the next run repeats them."""
    measured = pc.is_in(trials["trial_id"], value_set=accuracy["trial_id"].unique())
    return trials.filter(pc.or_(measured, pc.not_equal(trials["status"], COMPLETE)))


def _spec_of(store: Store) -> tuple[Spec | None, list[str]]:
    """The run's spec, or None and what to say of it."""
    if not store.paths.spec.is_file():
        return None, []
    try:
        # Showing numbers runs nobody's code.
        return load_spec(str(store.paths.spec), plug_ins=PlugIns.unseen), []
    except SpecError as error:  # such as data that is no longer where it was; the rows are still there
        return None, [f"Trials of all settings are shown, since the spec does not load: {error}"]


def damage(store: Store) -> Iterator[str]:
    """The parts that *store* could not read, and what becomes of them."""
    for path, reason in store.damaged.items():
        yield f"cannot read {path}: {reason}"
    if store.damaged:
        yield "The next run repeats the trials whose parts cannot be read."
