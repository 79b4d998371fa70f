"""Methods compared: pair by pair in every scenario, and over all scenarios at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from results.comparison_tables import across_sheets, comparison_sheets, power_sheets, separations
from results.comparisons import Pair
from results.families import Family
from results.report.anchors import anchor
from results.report.listing import Column, Datum, Listing, of_interval, of_number
from results.schema import to_rows

if TYPE_CHECKING:
    from results.sweep import Sweep

__all__ = ["across_listings", "comparison_listings"]

_COLUMNS = (
    Column("first − second", names=True, falling=False),
    Column("n"),
    Column("difference"),
    Column("sd", falling=False),
    Column("g"),
    Column("P(A>B)"),
    Column("p", falling=False),
    Column("Holm", falling=False),
    Column("detectable", falling=False),
    Column("more seeds", falling=False),
)

_SENTENCES = 3


def comparison_listings(families: Iterable[Family]) -> dict[str, list[Listing]]:
    """By scenario a table per metric: a line per pair, its test, and what its seeds can show."""
    found = list(families)
    listings: dict[str, list[Listing]] = {}
    for family, tests, power in zip(found, comparison_sheets(found), power_sheets(found), strict=True):
        texts = zip(family.pairs, tests.rows, power.rows, strict=True)
        listing = Listing.of(
            anchor("pairs", family.scenario, family.metric),
            tests.title,
            _COLUMNS,
            [_row(pair, test, shows) for pair, test, shows in texts],
            [*tests.notes, power.notes[0], *_easiest(family)],
        )
        listings.setdefault(family.scenario, []).append(listing)
    return listings


def _easiest(family: Family) -> list[str]:
    """What would tell apart those pairs that need the fewest seeds; the others have a column."""
    able = sorted((pair for pair in family.pairs if pair.more_seeds), key=lambda pair: pair.more_seeds or 0)
    return list(separations(replace(family, pairs=tuple(able))))[:_SENTENCES]


def _row(pair: Pair, tests: tuple[str, ...], power: tuple[str, ...]) -> list[Datum]:
    names, n, _, g, share, p, holm = tests
    *_, sd, detectable, more = power
    difference = pair.difference
    return [
        Datum(names),
        Datum(n, int(n)),
        of_interval(difference),
        of_number(difference.sd if difference else None, sd),
        of_number(pair.g, g),
        of_number(pair.share, share),
        of_number(pair.p, p),
        of_number(pair.p_holm, holm.strip()),
        of_number(pair.detectable, detectable),
        of_number(pair.more_seeds, more),
    ]


def across_listings(sweep: Sweep) -> list[Listing]:
    """Interquartile means and probabilities of improvement over the scenarios; empty for fewer than two."""
    if len(sweep.scores.scenarios) < 2:
        return []
    table = sweep.table("across")
    found = {_name(row): row for row in to_rows(table)}
    return [
        Listing.of(
            anchor("across", sheet.title),
            sheet.title,
            [Column(head, names=not place, falling=bool(place)) for place, head in enumerate(sheet.heads)],
            [[Datum(line[0]), *_data(line[1:], found[line[0]])] for line in sheet.rows],
            sheet.notes,
        )
        for sheet in across_sheets(sweep.scores, table)
    ]


def _name(row: Mapping[str, Any]) -> str:
    """How its sheet calls the row."""
    return f"{row['first']} > {row['second']}" if row["second"] else str(row["first"])


def _data(texts: Sequence[str], row: Mapping[str, Any]) -> list[Datum]:
    """The numbers behind the texts of a row: its runs, if the sheet has them, its value and its interval."""
    keys = [row["runs"], row["value"], row["low"]][-len(texts) :]
    return [Datum(text, key) for text, key in zip(texts, keys, strict=True)]
