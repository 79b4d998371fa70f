"""What a person reads of two runs, at 80 columns and in Markdown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from made_rows import START, Rows, screen
from made_sweeps import made_sweep, seeds_of

from results.schema import DIVERGED, FAILED
from results.sheets import drawn
from results.two_runs import compare_runs
from results.two_runs_tables import conclusion, heading, to_markdown, two_runs_sheets

OLD = {0: 0.80, 1: 0.82, 2: 0.85}
UP = {0: 0.83, 1: 0.86, 2: 0.87}
"""Differences 0.03, 0.04, 0.02: mean 0.03, half width 4.302653 * 0.01 / sqrt(3) = 0.025, p = 0.0351."""
NEARLY = {0: 0.81, 1: 0.81, 2: 0.86}


def rows_of(methods, **settings):
    rows = Rows()
    for method, accs in methods.items():
        seeds_of(rows, method, accs, **settings)
    return rows


def compared(a, b, *, metrics=("acc",), **options):
    sides = (side if isinstance(side, Rows) else rows_of(side) for side in (a, b))
    first, second = (made_sweep(name, rows) for name, rows in zip("ab", sides, strict=True))
    return compare_runs(first, second, metrics=metrics, **options)


def sheet(two, title):
    """The rows of the sheet of that title, and its notes."""
    (found,) = [sheet for sheet in two_runs_sheets(two) if sheet.title == title]
    return [tuple(text.strip() for text in row) for row in found.rows], found.notes


def test_a_line_has_seeds_means_the_difference_and_its_tests():
    two = compared({"naive": OLD, "ewc": OLD, "gem": OLD}, {"naive": UP, "ewc": NEARLY, "gem": OLD})
    rows, _ = sheet(two, "domain-il/split-digits: ACC")
    # Mean of 0.01, -0.01, 0.01 is 0.0033, sd 0.0115, half width 0.0287, p = 0.6667.
    assert rows == [
        ("naive", "3", "3", "0.823", "0.853", "0.030 ± 0.025", "0.0351", "0.0702", "0/3"),
        ("ewc", "3", "3", "0.823", "0.827", "0.003 ± 0.029", "0.6667", "0.6667", "0/3"),
        ("gem", "3", "3", "0.823", "0.823", "=", "–", "–", "3/3"),
    ]


def test_a_sure_difference_has_a_star_and_the_level_is_said():
    two = compared({"naive": OLD}, {"naive": UP}, level=0.9)
    ((*_, holm, _),), notes = sheet(two, "domain-il/split-digits: ACC")
    assert holm == "0.0351*"
    assert "Holm: p corrected for all tests of the scenario and metric; * differs at the 90 % level" in notes
    assert "A, B: means over n seeds; B − A: ± 90 % half-width, paired by seed (Student t)" in notes


def test_a_scenario_in_which_every_cell_is_the_same_has_one_short_table():
    two = compared({"naive": OLD, "ewc": OLD}, {"naive": OLD, "ewc": OLD | {3: 0.5}}, metrics=("acc", "bwt"))
    assert [sheet.title for sheet in two_runs_sheets(two)] == [
        "domain-il/split-digits: every cell the same bit for bit",
        "What else differs",
    ]
    rows, notes = sheet(two, "domain-il/split-digits: every cell the same bit for bit")
    assert rows == [("naive", "3", "3/4", "3/3"), ("ewc", "3", "4", "3/3")]
    assert notes == (
        "same: of the seeds that are complete in both runs, those with the same whole accuracy matrix",
    )


def test_every_metric_has_a_table_and_a_metric_that_nobody_has_its_reason():
    metrics = ("acc", "bwt", "intransigence")
    sheets = two_runs_sheets(compared({"naive": OLD}, {"naive": UP}, metrics=metrics))
    assert [sheet.title for sheet in sheets] == [
        "domain-il/split-digits: ACC",
        "domain-il/split-digits: BWT",
    ]
    assert "INT: no complete joint trial with the same settings and seed" in sheets[0].notes


def test_a_metric_that_one_run_lacks_is_a_dash_with_the_reason():
    a = seeds_of(rows_of({"naive": OLD}), "joint", OLD)
    two = compared(a, {"naive": UP}, metrics=("intransigence",))
    rows, notes = sheet(two, "domain-il/split-digits: INT")
    # (0.9 + ACC) / 2 subtracted from itself, since joint has the same matrix.
    assert rows == [("naive", "3", "0/3", "0.000", "–", "–", "–", "–", "–")]
    assert "naive in B: no complete joint trial with the same settings and seed" in notes


def test_seeds_that_are_lacking_are_counted():
    b = seeds_of(rows_of({"naive": {0: 0.81, 1: 0.7}}), "naive", {2: 0.9}, status=FAILED)
    ((_, n_a, n_b, *_),), _ = sheet(compared({"naive": OLD}, b), "domain-il/split-digits: ACC")
    assert (n_a, n_b) == ("3", "2/3")


def test_samples_that_are_not_paired_are_named():
    two = compared({"naive": OLD, "ewc": OLD}, {"naive": UP, "ewc": {7: 0.9, 8: 0.8}})
    rows, notes = sheet(two, "domain-il/split-digits: ACC")
    assert [row[-1] for row in rows] == ["0/3", "–"]
    assert "independent samples, fewer than two seeds being shared (Welch): ewc" in notes


def test_looks_are_counted_where_there_was_more_than_one():
    a, b = made_sweep("a", rows_of({"naive": OLD})), made_sweep("b", rows_of({"naive": UP}))
    _, notes = sheet(compare_runs(a, b, metrics=["acc"]), "domain-il/split-digits: ACC")
    assert not any("look" in note for note in notes)
    thrice = frozenset(START + timedelta(hours=hour) for hour in range(3))
    again = replace(b, cells=[replace(cell, drivers=thrice) for cell in b.cells])
    _, notes = sheet(compare_runs(a, again, metrics=["acc"]), "domain-il/split-digits: ACC")
    assert notes[-1].startswith("looks: the seeds of A came with 1 command, those of B with 3 commands; ")


def test_what_is_in_one_run_alone_is_listed_with_the_reason():
    a = seeds_of(rows_of({"naive": OLD, "ewc": OLD}), "naive", OLD, kind="task-il")
    b = rows_of({"naive": OLD, "pnn": OLD, "gem": OLD})
    rows, notes = sheet(compared(a, b), "In one run alone")
    assert rows == [("domain-il/split-digits", "ewc", "pnn, gem"), ("task-il/split-digits", "naive", "")]
    assert notes == ()


def test_a_scenario_on_other_data_is_in_one_run_alone_and_says_why():
    def run(name, digest):
        sweep = made_sweep(name, seeds_of(rows_of({"naive": OLD}), "naive", OLD, kind="task-il"))
        domain, task = sweep.cells
        return replace(sweep, cells=[domain, replace(task, data_digest=digest)])

    two = compare_runs(run("a", "d1"), run("b", "d2"), metrics=["acc"])
    rows, notes = sheet(two, "In one run alone")
    assert rows == [("task-il/split-digits", "naive", "naive")]
    (note,) = notes
    assert note.startswith("task-il/split-digits: not compared: data d1 -> d2, ")


def test_another_version_of_the_results_is_said_above_all():
    a = made_sweep("a", rows_of({"naive": OLD}))
    for accs in (OLD, UP):
        two = compare_runs(a, made_sweep("b", rows_of({"naive": accs}), results_version=2), metrics=["acc"])
        first = two_runs_sheets(two)[0]
        assert first.notes[0].startswith("mind: results version 1 -> 2, ")


FINE = "domain-il/split-digits"


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ({"naive": OLD}, {"naive": OLD}, ["The one cell is the same bit for bit"]),
        ({"naive": OLD, "ewc": OLD}, {"naive": OLD, "ewc": OLD}, ["All 2 cells are the same bit for bit"]),
        (
            {"naive": OLD, "ewc": OLD},
            {"naive": OLD, "ewc": UP},
            [
                "1 of 2 cells is the same bit for bit",
                f"1 is better in B (ewc, {FINE}: ACC +0.030, BWT +0.030)",
            ],
        ),
        (
            {"naive": UP},
            {"naive": OLD},
            [
                "The one cell is not the same bit for bit",
                f"1 is worse in B (naive, {FINE}: ACC -0.030, BWT -0.030)",
            ],
        ),
        (
            {"naive": OLD, "ewc": OLD},
            {"naive": NEARLY, "ewc": NEARLY},
            ["None of 2 cells is the same bit for bit", "2 cannot be told apart"],
        ),
        (
            {"naive": OLD, "ewc": {0: 0.8}, "gem": OLD},
            {"naive": OLD, "ewc": {0: 0.7}, "pnn": OLD, "si": OLD},
            [
                "1 of 2 cells in both is the same bit for bit",
                f"1 has too few seeds to tell (ewc, {FINE})",
                "1 cell is only in A",
                "2 cells are only in B",
            ],
        ),
    ],
)
def test_the_conclusion_is_a_sentence(a, b, said):
    assert conclusion(compared(a, b, metrics=("acc", "bwt"))) == "; ".join(said) + "."


def test_the_conclusion_counts_what_diverged_in_one_run_or_in_both():
    a = seeds_of(rows_of({"naive": OLD}), "ewc", OLD, status=DIVERGED)
    b = seeds_of(rows_of({"naive": {0: 0.80, 1: 0.82}}), "naive", {2: 0.1}, status=DIVERGED)
    assert conclusion(compared(a, seeds_of(b, "ewc", OLD, status=DIVERGED))) == (
        "1 of 2 cells is the same bit for bit; "
        "1 has no complete seed in either run (ewc, domain-il/split-digits); 1 seed ended otherwise."
    )


def test_the_conclusion_names_three_and_counts_the_rest():
    methods = ("naive", "ewc", "gem", "si", "lwf")
    two = compared(*({method: {0: acc} for method in methods} for acc in (0.8, 0.7)))
    assert conclusion(two).endswith("gem, domain-il/split-digits and 2 more).")


def test_everything_fits_eighty_columns_and_no_number_is_cut():
    long = ("naive", "ewc-separate", "intransigence")
    a = seeds_of(rows_of(dict.fromkeys(long, OLD)), "pnn", OLD, hyperparameters={"how": "a" * 30})
    b = seeds_of(rows_of(dict.fromkeys(long, UP)), "pnn", UP, hyperparameters={"how": "b" * 30})
    two = compared(a, b, metrics=("acc", "bwt"))
    lines = screen(drawn(two_runs_sheets(two), width=80))
    assert max(map(len, lines)) <= 80
    line = next(line for line in lines if line.startswith("naive"))
    assert " ".join(line.split()) == "naive 3 3 0.823 0.853 0.030 ± 0.025 0.0351 0.1404 0/3"


def test_markdown_has_the_runs_the_conclusion_and_every_table():
    two = compared({"naive": OLD, "ewc": OLD}, {"naive": UP})
    text = to_markdown(two)
    assert heading(two) == ["A: runs/a", "B: runs/b"]
    assert text.startswith(
        f"- A: runs/a\n- B: runs/b\n\n{conclusion(two)}\n\n### domain-il/split-digits: ACC\n"
    )
    assert "| naive |   3 |   3 | 0.823 | 0.853 | 0.030 ± 0.025 | 0.0351 | 0.0351* |  0/3 |" in text
    assert "### In one run alone" in text
