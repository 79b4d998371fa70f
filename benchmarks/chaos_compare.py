"""Whether a disturbed run holds the same as an undisturbed one: every row and every metric, bit for bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow.parquet as pq
from chaos_run import Chaos, Part
from chaos_storage import Storage

from results.storage import Folder
from results.store import Store

TIMINGS = {"train_s", "eval_s"}


def compare(chaos: Chaos, part: Part, storage: Storage, expected: Store) -> None:
    """Note as problems in what the disturbed run differs from the undisturbed one."""
    store = Store(Folder.at(storage.place) / part.name)
    for table in ("accuracy", "tasks"):
        rows, others = (_rows(getattr(each, table)()) for each in (store, expected))
        chaos.problems += _differences(f"{part.name}, {table}", rows, others)
    chaos.problems += [f"{part.name}: cannot read {path}: {why}" for path, why in store.damaged.items()]
    base, _, options = storage.place.partition("?")
    place = f"{base}/{part.name}" + (f"?{options}" if options else "")
    metrics = [
        _metrics(chaos, run, f"{part.name}-{side}.parquet")
        for side, run in (("disturbed", place), ("undisturbed", f"undisturbed/{part.name}"))
    ]
    chaos.problems += _differences(f"{part.name}, metrics", *metrics)
    chaos.call("check", place)
    chaos.log(f"{part.name}: compared")


def _rows(table: Any) -> list[str]:
    """The rows without timings, as texts that are the same if and only if all values are, bit for bit."""
    rows = table.drop_columns([name for name in table.column_names if name in TIMINGS]).to_pylist()
    return sorted(map(repr, rows))


def _metrics(chaos: Chaos, run: str, file: str) -> list[str]:
    chaos.call("show", run, "--format", "parquet", "--output", file)
    path = chaos.folder / file
    return _rows(pq.read_table(path)) if path.exists() else []


def _differences(what: str, rows: Sequence[str], expected: Sequence[str]) -> list[str]:
    if not expected:
        return [f"{what}: the undisturbed run has no rows"]
    missing, more = Counter(expected) - Counter(rows), Counter(rows) - Counter(expected)
    examples = [*(f"missing {row}" for row in missing), *(f"unexpected {row}" for row in more)]
    if not examples:
        return []
    return [f"{what}: {missing.total()} rows missing, {more.total()} unexpected", *examples[:4]]
