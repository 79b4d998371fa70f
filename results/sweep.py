"""One run, read once: its rows, its cells, and every table that is computed from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Group

from cl.metrics import METRICS
from results.across import Scores, normalised
from results.arrays import string
from results.families import MARGIN, Family, by_scenario, contenders, families
from results.names import hint
from results.notes import marks_legend, unchosen_note
from results.schema import COMPLETE
from results.store import Store
from results.summary import CellSummary, summarise
from results.tables import summary_tables
from results.tidy import across_table, bests, comparisons_table, profiles_table, summary_table
from results.transfer import REFERENCE as SCRATCH
from results.transfer import Transfer, forward_transfer, has_reference
from results.transfer_tables import to_arrow as transfer_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FRESH", "JOINT", "TABLES", "NoSuchTable", "Sweep", "open_sweep", "reporting", "with_rows"]

JOINT = "joint"
"""The method that intransigence and scores are measured against."""
FRESH = (JOINT, SCRATCH)
"""Methods that train a fresh model for each task, so that nothing of theirs can be forgotten."""


class NoSuchTable(KeyError):  # noqa: N818 - reads as what happened
    """A sweep has no table of that name."""

    def __str__(self) -> str:
        """The message as it is, where KeyError would quote it."""
        return str(self.args[0])


@dataclass(frozen=True, eq=False)
class Sweep:
    """A run's rows, cells, and what follows from them.

    Attributes:
        store: where it was read.
        trials, accuracy: its rows, of the schemas `results.schema.TRIALS` and `ACCURACY`.
        cells: its cells, in the order of tables.
        named: labels of cells that represent their methods in comparisons.
        baseline: label or method that all others are compared with; None for all with all.
        level: of intervals and, less from 1, of tests.
        margin: the difference that comparisons should be able to find.
    """

    store: Store
    trials: pa.Table
    accuracy: pa.Table
    cells: Sequence[CellSummary]
    named: Collection[str] = ()
    baseline: str | None = None
    level: float = 0.95
    margin: float = MARGIN

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return self.store.root.path.rstrip("/").rpartition("/")[2]

    @cached_property
    def tasks(self) -> pa.Table:
        """The rows of the schema `TASKS`, read when they are first asked for."""
        return self.store.tasks()

    @cached_property
    def scores(self) -> Scores:
        """Final accuracies of all scenarios on one scale, see `normalised`."""
        return normalised(self.cells, reference=JOINT, named=self.named)

    @cached_property
    def transfer(self) -> list[Transfer]:
        """See `forward_transfer`; nothing where it has nothing to be measured against."""
        if not has_reference(self.cells):  # the parts of the tasks need not be read
            return []
        return forward_transfer(self.cells, self.trials, self.accuracy, self.tasks, level=self.level)

    @property
    def unchosen(self) -> list[CellSummary]:
        """Cells that take no part in comparisons, since nothing says which of their method should."""
        found = []
        for members in by_scenario(self.cells).values():
            _, left_out = contenders(members, named=self.named)
            found += [cell for cell in members if cell.label in left_out]
        return found

    def families(self, metrics: Sequence[str] = tuple(METRICS)) -> list[Family]:
        """The comparisons in every scenario and every one of *metrics*, see `families`.

        Raises:
            NoSuchCell: nothing is called as `baseline` or `named` say.
        """
        return self._families(metrics, self.baseline)

    def best(self, metrics: Sequence[str] = tuple(METRICS)) -> Mapping[tuple[str, str], frozenset[str]]:
        """By scenario and metric the labels of the best, and of those that cannot be told from them."""
        return bests(self.cells, self._families(metrics, None))

    def _families(self, metrics: Sequence[str], baseline: str | None) -> list[Family]:
        return families(
            self.cells,
            metrics=metrics,
            baseline=baseline,
            named=self.named,
            level=self.level,
            margin=self.margin,
        )

    def table(self, name: str) -> pa.Table:
        """One of `TABLES` as an Arrow table, with what its columns mean in its schema's metadata.

        Raises:
            NoSuchTable: there is none of that name.
            NoSuchCell: as `families`.
        """
        if name not in TABLES:
            raise NoSuchTable(f"no table {name!r}; {hint(name, TABLES)}")
        return TABLES[name](self)

    def frame(self, name: str) -> pd.DataFrame:
        """`table` as a DataFrame.

        Raises:
            ImportError: pandas is not installed.
        """
        frame: pd.DataFrame = self.table(name).to_pandas()
        return frame

    def __rich__(self) -> Group:
        """The tables that ``clsweep show`` prints, 80 columns wide."""
        best = self.best()
        remarks = [*marks_legend(best), *unchosen_note(self.unchosen)]
        return Group(f"{self!r}\n", *summary_tables(self.cells, best=best, remarks=remarks))

    def __repr__(self) -> str:
        """One line: what is in it."""
        complete = pc.sum(pc.equal(self.trials["status"], string(COMPLETE))).as_py() or 0
        scenarios = len({cell.scenario_label for cell in self.cells})
        return (
            f"Sweep {self.name!r}: {len(self.trials)} trials, {complete} complete; "
            f"{len(self.cells)} cells in {scenarios} scenario{'' if scenarios == 1 else 's'}"
        )

    def _repr_html_(self) -> str:
        """The headline tables, for a notebook."""
        from results.report import headline_html  # noqa: PLC0415 - the report's modules, for notebooks alone

        return headline_html(self)


TABLES: Mapping[str, Callable[[Sweep], pa.Table]] = {
    "trials": lambda sweep: sweep.trials,
    "accuracy": lambda sweep: sweep.accuracy.filter(_of(sweep.trials, sweep.accuracy)),
    "tasks": lambda sweep: sweep.tasks.filter(_of(sweep.trials, sweep.tasks)),
    "summary": lambda sweep: summary_table(sweep.cells, sweep.best()),
    "comparisons": lambda sweep: comparisons_table(sweep.families()),
    "across": lambda sweep: across_table(sweep.scores, level=sweep.level),
    "profiles": lambda sweep: profiles_table(sweep.scores, level=sweep.level),
    "transfer": lambda sweep: transfer_table(sweep.transfer),
}
"""Every table of a sweep by name: three of rows, and five that are computed from them."""


def _of(trials: pa.Table, rows: pa.Table) -> pa.Array:
    return pc.is_in(rows["trial_id"], value_set=trials["trial_id"].combine_chunks())


def open_sweep(store: Store, *, level: float = 0.95) -> Sweep:
    """Everything in the run's folder that was scored on test data, of earlier settings of its spec too."""
    accuracy = store.accuracy()
    trials = reporting(with_rows(store.trials(), accuracy))
    cells = summarise(trials, accuracy, level=level, reference=JOINT, fresh=FRESH)
    return Sweep(store, trials, accuracy, cells, level=level)


def reporting(trials: pa.Table) -> pa.Table:
    """Those that do not search, and so have test rows."""
    return trials.filter(pc.not_equal(pc.fill_null(trials["scored_on"], string("test")), string("val")))


def with_rows(trials: pa.Table, accuracy: pa.Table) -> pa.Table:
    """Without the trials whose accuracy rows are gone though they are complete: the next run repeats them."""
    measured = pc.is_in(trials["trial_id"], value_set=accuracy["trial_id"].unique())
    return trials.filter(pc.or_(measured, pc.not_equal(trials["status"], string(COMPLETE))))
