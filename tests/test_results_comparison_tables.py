"""Comparisons on the screen: every number is where its head says, and every note says what it must."""

from __future__ import annotations

import pytest
from made_rows import Rows, screen

from results.across import normalised
from results.comparison_tables import (
    across_sheets,
    comparison_sheets,
    planned_power,
    power_sheets,
    separations,
    spread_sheets,
)
from results.families import families
from results.sheets import Sheet, drawn, to_markdown
from results.tidy import across_table


def run(**accs):
    """A scenario of two tasks in which each method ends with these accuracies, seed by seed."""
    rows = Rows()
    for method, values in accs.items():
        for seed, acc in enumerate(values):
            rows.add(method, seed, [[1.0, acc], [None, acc]])
    return rows.cells


FAR = {"naive": [0.2, 0.21, 0.22], "replay": [0.8, 0.82, 0.81]}


def test_a_comparison_has_the_difference_its_size_and_its_tests():
    [sheet] = comparison_sheets(families(run(**FAR)))
    assert sheet.title == "domain-il/split-digits: ACC, differences paired by seed"
    [row] = sheet.rows
    # Differences 0.6, 0.61, 0.59: mean 0.6, sd 0.01, half width 4.3027 * 0.01 / sqrt(3) = 0.0248,
    # t = 60 * sqrt(3) = 103.9 with 2 degrees of freedom, p = 0.0000926; g = 60 * 0.5642 = 33.85.
    assert row == ("replay − naive", "3", "0.600 ± 0.025", "33.85", "1.00", "<0.0001", "<0.0001*")
    assert any("family: 1 paired t test of one scenario and metric" in note for note in sheet.notes)
    assert "1 look: all seeds came with one command" in sheet.notes


def test_a_line_of_a_grid_that_takes_no_part_is_named_with_the_reason():
    rows = Rows()
    for seed in range(3):
        rows.add("naive", seed, [[1.0, 0.2], [None, 0.2 + seed / 100]])
        rows.add("gem", seed, [[1.0, 0.3], [None, 0.3 + seed / 70]])
        for value in (1, 10):
            rows.add("ewc", seed, [[1.0, 0.5], [None, 0.5]], hyperparameters={"lambda": value})
    [sheet] = comparison_sheets(families(rows.cells))
    assert len(sheet.rows) == 1
    [note] = [note for note in sheet.notes if note.startswith("takes no part")]
    assert "ewc lambda=1, ewc lambda=10: one of several of its method" in note


def test_seeds_that_cannot_be_paired_have_dashes():
    rows = Rows().add("naive", 0, [[1.0, 0.2], [None, 0.2]]).add("ewc", 1, [[1.0, 0.5], [None, 0.5]])
    [sheet] = comparison_sheets(families(rows.cells))
    assert sheet.rows == (("ewc − naive", "0", "–", "–", "–", "–", "– "),)
    [one] = comparison_sheets(families(run(naive=[0.2], ewc=[0.5])))
    assert one.rows == (("ewc − naive", "1", "0.300", "–", "1.00", "–", "– "),)


def test_what_would_be_missed_is_called_underpowered():
    wide = run(naive=[0.2, 0.3, 0.4], replay=[0.35, 0.3, 0.5])
    [sheet] = comparison_sheets(families(wide, margin=0.05))
    assert any(
        note.startswith("underpowered, a difference of 0.05 could well be missed") for note in sheet.notes
    )
    [far] = comparison_sheets(families(run(**FAR), margin=0.05))
    assert not any("underpowered" in note for note in far.notes)


def test_the_seeds_that_would_separate_two_methods_are_said_in_words():
    [family] = families(run(naive=[0.2, 0.3, 0.4, 0.3], replay=[0.35, 0.3, 0.5, 0.36]))
    pair = family.pairs[0]
    assert pair.more_seeds
    said = f"{pair.more_seeds} more seeds would separate replay from naive in domain-il/split-digits"
    assert [line.startswith(said) for line in separations(family)] == [True]
    [sheet] = power_sheets([family])
    assert sheet.rows[0][-1] == str(pair.more_seeds)
    [separated] = power_sheets(families(run(**FAR)))
    assert separated.rows[0][-1] == "separated"


def test_a_plan_counts_the_seeds_it_has_already():
    [family] = families(run(naive=[0.2, 0.3, 0.4, 0.3], replay=[0.35, 0.3, 0.5, 0.36]))
    more = family.pairs[0].more_seeds
    assert more is not None
    assert more > 2
    [_, seen, sentence] = planned_power(6, [family])
    assert "by the spread seen, differences in ACC of" in seen
    assert sentence.strip().startswith(f"{more - 2} more seed"), "two of them are planned beside the four"
    assert len(list(planned_power(4 + more, [family]))) == 2, "all of them are planned"


def test_differences_that_do_not_vary_are_planned_for_with_the_spread_that_their_test_takes():
    [family] = families(run(naive=[0.5, 0.6], ewc=[0.6, 0.7]), metrics=["acc"])
    [pair] = family.pairs
    assert pair.difference.sd == 0
    [_, seen, *_] = planned_power(2, [family])
    assert f"differences in ACC of {pair.detectable:.3f}" in seen
    assert pair.detectable > 0.1


@pytest.mark.parametrize(
    ("n", "said"), [(1, "two are the least"), (5, "5 show a difference of 1.7 standard")]
)
def test_a_plan_without_results_speaks_of_standard_deviations(n, said):
    [line] = planned_power(n, [])
    assert said in line


def test_the_spread_has_median_interquartile_mean_and_ends_and_from_twenty_seeds_on_bca():
    [few] = spread_sheets(run(naive=[0.1, 0.2, 0.3, 0.8]), ["acc"])
    assert few.rows[0][3:] == ("0.311", "–", "0.250", "0.250", "0.100", "0.800")
    [many] = spread_sheets(run(naive=[0.5 + 0.4 * (seed == 7) for seed in range(20)]), ["acc"])
    low, high = many.rows[0][4].rstrip("!").split(" to ")
    assert many.rows[0][4].endswith("!"), "one seed far away: a bootstrap disagrees with Student"
    assert 0.5 <= float(low) < 0.52 < float(high)


def test_methods_over_all_scenarios():
    rows = Rows()
    for kind in ("domain-il", "class-il"):
        for seed in range(4):
            for method, acc in (("joint", 0.9), ("naive", 0.27 + seed / 50), ("replay", 0.67 + seed / 50)):
                rows.add(method, seed, [[1.0, acc], [None, acc]], kind=kind, chance=0.1)
    scores = normalised(rows.cells)
    means, pairs = across_sheets(scores, across_table(scores))
    # (0.3 - 0.1) / 0.8 and (0.7 - 0.1) / 0.8, the means of the middle halves.
    assert [row[:3] for row in means.rows] == [("naive", "8", "0.250"), ("replay", "8", "0.750")]
    assert [row[:2] for row in pairs.rows] == [("naive > replay", "0.00")]
    assert means.title.startswith("2 scenarios")


def test_a_sheet_is_drawn_within_its_width_and_as_markdown():
    sheet = Sheet("title", ("name", "a\nb"), (("one | two", "1"),), ("a note",))
    assert screen(drawn([sheet], width=40), width=40)[0] == "title"
    assert to_markdown([sheet]).splitlines() == [
        "### title",
        "",
        "| name       | a b |",
        "| ---------- | --: |",
        "| one \\| two |   1 |",
        "",
        "- a note",
    ]
