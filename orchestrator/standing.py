"""How a run stands: its trials against those that its spec plans, and who is at work on it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestrator.identity import of_spec
from orchestrator.lease import Lease, holder
from orchestrator.tuned import tuned
from results.schema import RUNNING, to_rows
from results.store import SPEC, Store
from sweeps.problems import SpecError
from sweeps.spec import Spec, recorded_spec

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Standing:
    """What is known of a run without reading its accuracies.

    Attributes:
        store: the run.
        driver: who is at work on it; None if nobody is.
        trials: its trials, those of earlier settings too.
        spec: what it is a run of; None if that cannot be read.
        trouble: why it cannot.
        current: those that the spec plans; all of them, without a spec.
        to_come: what identifies those that have not started.
    """

    store: Store
    driver: Lease | None
    trials: pa.Table
    spec: Spec | None
    trouble: str
    current: pa.Table
    to_come: Sequence[Row]

    @cached_property
    def rows(self) -> Sequence[Row]:
        """The rows of `current`, without tracebacks."""
        return to_rows(self.current.drop_columns(["error"]))

    @cached_property
    def running(self) -> Sequence[Row]:
        """Those that are at work, or were when their driver ended."""
        return [row for row in self.rows if row["status"] == RUNNING]

    @property
    def continuation(self) -> str:
        """The command that continues the run, or what is known of it."""
        root = self.store.root
        verb = "tune" if self.spec and self.spec.tune else "run"
        if self.spec and root.is_local and Path(root.name).name == self.spec.name:
            storage = str(Path(root.name).parent)
            plug_ins = ":" in "".join([*self.spec.method_names, *self.spec.scenario_labels])
            more = [] if storage == "runs" else ["--storage", storage]
            more += ["--allow-plugins"] if plug_ins or self.spec.plug_in_models else []
            return shlex.join(["clsweep", verb, root.name, *more])
        return f"clsweep {verb} SPEC --storage {root.parent}"


def standing(store: Store) -> Standing:
    """How the run in *store* stands now.

    Raises:
        StoreError: it cannot be read.
    """
    driver = holder(store.root)  # first: what it finishes from here on is not taken for interrupted
    return standing_of(store, driver, store.trials())


def standing_of(store: Store, driver: Lease | None, trials: pa.Table) -> Standing:
    """How the run in *store* stood with this *driver* and these *trials*."""
    spec, trouble = _spec_of(store)
    if spec and spec.tune:
        run = tuned(trials, store.accuracy(), spec)
        return Standing(store, driver, trials, spec, trouble, run.trials, run.to_come)
    current, to_come = of_spec(trials, spec) if spec else (trials, [])
    return Standing(store, driver, trials, spec, trouble, current, to_come)


def _spec_of(store: Store) -> tuple[Spec | None, str]:
    text = store.spec()
    if text is None:
        return None, f"there is no {store.root}/{SPEC}"
    try:
        return recorded_spec(text, f"{store.root}/{SPEC}"), ""
    except SpecError as error:
        return None, str(error)
