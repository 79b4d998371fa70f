"""What went wrong: trials that failed or diverged, grouped by cause."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results.labels import label
from results.layout import counted
from results.report.anchors import anchor
from results.schema import DIVERGED, FAILED

__all__ = ["Cause", "causes_of"]

Row = Mapping[str, Any]

_MOST_TRIALS = 50
_LONGEST = 20_000
"""Characters of a traceback; of a longer one the end is shown, where the error is."""


@dataclass(frozen=True)
class Cause:
    """Why some trials ended without a result.

    Attributes:
        anchor: the only one of its name in the page.
        status: failed or diverged.
        text: the cause, in one line.
        trials: the trials in words, the first of many.
        count: how many there are.
        traceback: the first of them; empty if none was recorded.
    """

    anchor: str
    status: str
    text: str
    trials: Sequence[str]
    count: int
    traceback: str

    @property
    def title(self) -> str:
        """How many trials ended so."""
        return f"{counted(self.count, 'trial')} {self.status}"

    @property
    def more(self) -> int:
        """How many trials are not named."""
        return self.count - len(self.trials)


def causes_of(rows: Sequence[Row]) -> list[Cause]:
    """The causes of the trials in *rows* that failed or diverged, failures first, the most frequent first."""
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["status"] in (FAILED, DIVERGED):
            grouped.setdefault((row["status"], row["error_cause"] or "no cause recorded"), []).append(row)
    ordered = sorted(grouped.items(), key=lambda item: (item[0][0] != FAILED, -len(item[1])))
    return [_cause(status, text, some) for (status, text), some in ordered]


def _cause(status: str, text: str, rows: Sequence[Row]) -> Cause:
    traceback = next((row["error"] for row in rows if row["error"]), "")
    cut = f"... {len(traceback) - _LONGEST:,} characters before\n" if len(traceback) > _LONGEST else ""
    return Cause(
        anchor("cause", text, also=status),
        status,
        text,
        [_named(row) for row in rows[:_MOST_TRIALS]],
        len(rows),
        cut + traceback[-_LONGEST:],
    )


def _named(row: Row) -> str:
    settings = {name: value for name, value in json.loads(row["hyperparameters"]).items() if name != "source"}
    searched = ", in a search" if row["scored_on"] == "val" else ""
    method = label(row["method"], settings, settings)
    return f"{row['scenario']}, {method}, seed {row['seed']}{searched} ({row['trial_id']})"
