"""Where a link within the page leads: names for anchors, made of names that may hold anything."""

from __future__ import annotations

import hashlib
import json
import re

from results.summary import CellSummary

__all__ = ["anchor", "cell_anchor"]

_LONGEST = 60


def anchor(kind: str, *texts: str, also: str = "") -> str:
    """An anchor that no other texts have, of small letters, digits and hyphens.

    It ends with a digest of the texts and of what *also* tells it from others, since texts that differ may
    read the same without their signs.

    >>> anchor("cell", "class-il/split-digits", "ewc lambda=100")
    'cell-class-il-split-digits-ewc-lambda-100-664936c7'
    """
    readable = re.sub(r"[^a-z0-9]+", "-", " ".join(texts).lower())[:_LONGEST].strip("-")
    digest = hashlib.blake2b("\0".join([*texts, also]).encode(), digest_size=4).hexdigest()
    return "-".join(part for part in (kind, readable, digest) if part)


def cell_anchor(cell: CellSummary) -> str:
    """The anchor of a cell's page, the same whatever other cells there are."""
    settings = [cell.scenario_settings, cell.hyperparameters, cell.model, cell.train]
    more = [*settings, cell.data_digest, cell.results_version]
    return anchor("cell", cell.scenario, cell.method, also=json.dumps(more, sort_keys=True))
