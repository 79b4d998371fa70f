"""What was run: how far it is, when, on which machines, with which versions and data, and at which cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from results.layout import counted
from results.report.listing import Column, Datum, Listing
from results.schema import COMPLETE, DIVERGED, FAILED, RUNNING, STOPPED
from results.summary import CellSummary

__all__ = ["Progress", "cost_listing", "facts_of", "progress_of", "words"]

Row = Mapping[str, Any]

TO_COME = "to come"
_ORDER = (COMPLETE, RUNNING, FAILED, DIVERGED, STOPPED, TO_COME)


@dataclass(frozen=True)
class Progress:
    """How many trials there are of each status; those that have not started are to come."""

    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    @property
    def text(self) -> str:
        """In one line."""
        if not self.total:
            return "no trials yet"
        complete, others = self.counts.get(COMPLETE, 0), list(self.counts.items())
        rest = [f"{count} {status}" for status, count in others if status != COMPLETE]
        of = (
            f"all {counted(self.total, 'trial')}"
            if complete == self.total
            else f"{complete} of {self.total} trials"
        )
        return ", ".join([f"{of} complete", *rest])


def progress_of(cells: Iterable[CellSummary]) -> Progress:
    """How far the trials behind *cells* are."""
    counts: Counter[str] = Counter()
    for cell in cells:
        counts.update(cell.seeds.values())
        counts[TO_COME] += len(cell.missing)
    return Progress({status: counts[status] for status in _ORDER if counts[status]})


def facts_of(rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
    """What the rows of all trials say of the run, as (what, lines); what nothing is known of is left out."""
    facts = {
        "time": _times(rows),
        "machines": _counted(rows, _machine),
        "code": _counted(rows, _code),
        "versions": _counted(rows, _versions),
        "packages": _counted(rows, _packages),
        "data": _data(rows),
    }
    return [(what, lines) for what, lines in facts.items() if lines]


def _times(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    first = min(row["started_at"] for row in rows)
    ended = [row["ended_at"] for row in rows if row["ended_at"]]
    if not ended:
        return [f"started {_moment(first)}"]
    last = max(ended)
    commands = len({row["driver_started_at"] for row in rows} - {None})
    by = f", in {counted(commands, 'command')}" if commands > 1 else ""
    return [
        f"first trial started {_moment(first)}",
        f"last one ended {_moment(last)}, {words((last - first).total_seconds())} later{by}",
    ]


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def words(seconds: float) -> str:
    """A time in words.

    >>> words(4.25), words(150), words(90_000)
    ('4.2 s', '2 min 30 s', '25 h 0 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _counted(rows: Sequence[Row], describe: Callable[[Row], str]) -> list[str]:
    """Each description once, the most frequent first, with its trials where there are several."""
    counts = Counter(text for text in map(describe, rows) if text)
    if len(counts) == 1:
        return list(counts)
    return [f"{text} ({counted(count, 'trial')})" for text, count in counts.most_common()]


def _machine(row: Row) -> str:
    threads = counted(row["threads"], "thread")
    parts = (row["host"], row["cpu_model"], row["gpu_model"], f"{row['device']}, {threads} per trial")
    return "; ".join(part for part in parts if part)


def _code(row: Row) -> str:
    if row["git_commit"] is None:
        return f"clsweep {row['clsweep_version']}"
    state = {True: ", with changes that are not committed", False: "", None: ", changed or not: unknown"}
    where = f"started in git commit {row['git_commit']}{state[row['git_dirty']]}"
    return f"clsweep {row['clsweep_version']}, {where}"


def _versions(row: Row) -> str:
    ray = f", Ray {row['ray_version']}" if row["ray_version"] else ", without Ray"
    return f"Python {row['python_version']}, PyTorch {row['torch_version']}{ray}"


def _packages(row: Row) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(dict(row["packages"] or ()).items()))


def _data(rows: Sequence[Row]) -> list[str]:
    digests: dict[str, set[str]] = {}
    for row in rows:
        digests.setdefault(row["data_digest"], set()).add(row["stream"])
    versions = sorted({row["results_version"] for row in rows})
    lines = [f"{', '.join(sorted(streams))}: {digest}" for digest, streams in digests.items()]
    return [*lines, f"results version {', '.join(map(str, versions))}"] if lines else []


def cost_listing(rows: Sequence[Row]) -> Listing:
    """CPU and GPU hours of all trials that have ended, by what became of them.

    An hour counts as often as its trial asked for CPUs, and likewise for GPUs.
    """
    by_use: dict[str, list[Row]] = {}
    for row in rows:
        if row["wall_s"] is not None:
            by_use.setdefault("search" if row["scored_on"] == "val" else row["status"], []).append(row)
    lines = list(by_use.items())
    if len(lines) != 1:
        lines.append(("all", [row for some in by_use.values() for row in some]))
    columns = [
        Column("status", names=True, falling=False),
        *map(Column, ("trials", "CPU hours", "GPU hours")),
    ]
    return Listing.of("cost", "Cost", columns, [_cost(use, some) for use, some in lines], [_COST])


_COST = "seconds of the last attempt of every trial that has ended, times the CPUs or GPUs that it asked for"


def _cost(use: str, rows: Sequence[Row]) -> list[Datum]:
    hours = [sum(row["wall_s"] * row[what] for row in rows) / 3600 for what in ("cpu", "gpu")]
    texts = [f"{value:.3g}" if value < 100 else f"{value:,.0f}" for value in hours]
    return [
        Datum(use),
        Datum(f"{len(rows):,}", len(rows)),
        *(Datum(text, value) for text, value in zip(texts, hours, strict=True)),
    ]
