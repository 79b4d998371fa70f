"""What a person sees at 80 columns, and what a program reads."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from results.layout import STYLES, numbers, plain_table, roomiest, seeds
from results.notes import bca_note
from results.schema import COMPLETE, DIVERGED, FAILED, RUNNING, STOPPED
from results.statistics import Interval
from results.summary import CellSummary
from results.tables import matrix_text, summary_tables, to_markdown

NAN = float("nan")
NO_FWT = {"fwt": "undefined in class-il: unseen classes have no output"}
NO_LOSS = "undefined, since each task trains a fresh model"


def interval(mean: float, half_width: float | None, n: int = 5) -> Interval:
    return Interval(n, mean, None if half_width is None else half_width / 2, half_width)


def cell(
    label: str,
    means: Mapping[str, tuple[float, float | None]],
    *,
    reasons: Mapping[str, str] | None = None,
    seeds: Sequence[str] = (COMPLETE,) * 5,
    missing: tuple[int, ...] = (),
    scenario: str = "class-il/split-digits",
    matrix: Sequence[Sequence[float]] = ((1.0, 0.5), (NAN, 0.75)),
) -> CellSummary:
    n = seeds.count(COMPLETE)
    return CellSummary(
        scenario=scenario,
        kind=scenario.partition("/")[0],
        scenario_settings={"tasks": None},
        data_digest="d1",
        results_version=1,
        method=label.partition(" ")[0],
        hyperparameters={"lambda": 1.0},
        model={"hidden": [256, 256]},
        train={"lr": 0.01},
        scenario_label=scenario,
        label=label,
        seeds=dict(enumerate(seeds)),
        missing=missing,
        metrics={name: interval(mean, half, n) for name, (mean, half) in means.items()},
        reasons=reasons or {},
        values={},
        matrices={seed: np.array(matrix) for seed, status in enumerate(seeds) if status == COMPLETE},
    )


def full(acc: float, *, fwt: bool = False) -> dict[str, tuple[float, float | None]]:
    means = {
        "acc": (acc, 0.012),
        "bwt": (-0.9876, 0.0014),
        "fm": (0.991, 0.002),
        "intransigence": (-0.0001, 0.01),
    }
    return means | ({"fwt": (0.5, 0.05)} if fwt else {})


CLASS_IL = [
    cell("naive", full(0.199), reasons=NO_FWT),
    cell(
        "joint",
        {"acc": (0.9434, 0.0125), "intransigence": (0.0, 0.0)},
        reasons=NO_FWT | dict.fromkeys(("bwt", "fm"), NO_LOSS),
    ),
    cell("ewc lambda=1", full(0.2), reasons=NO_FWT),
    cell(
        "ewc lambda=10000", full(0.3), reasons=NO_FWT, seeds=[COMPLETE, COMPLETE, COMPLETE, DIVERGED, FAILED]
    ),
    cell("replay ratio=0.25", full(0.87), reasons=NO_FWT),
]


def lines(cells: Sequence[CellSummary], width: int = 80, **options: object) -> list[str]:
    """The tables as a terminal of that width shows them, without trailing blanks."""
    console = Console(width=width, file=io.StringIO(), color_system=None)
    for table in summary_tables(cells, width=width, **options):
        console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def colours(table: Table) -> list[list[tuple[str, str]]]:
    """What a terminal of 200 columns shows of a table: per line each character with its style."""
    console = Console(width=200, file=io.StringIO(), force_terminal=True)
    rendered = console.render_lines(table, pad=False)
    return [[(char, str(part.style or "none")) for part in line for char in part.text] for line in rendered]


def test_a_table_at_80_columns_has_one_aligned_line_per_cell():
    assert lines(CLASS_IL) == [
        "class-il/split-digits",
        "method               n          ACC           BWT           FM  FWT          INT",
        "────────────────────────────────────────────────────────────────────────────────",
        "naive                5  0.199±0.012  -0.988±0.001  0.991±0.002  –    0.000±0.010",
        "joint                5  0.943±0.013       –            –        –    0.000±0.000",
        "ewc lambda=1         5  0.200±0.012  -0.988±0.001  0.991±0.002  –    0.000±0.010",
        "ewc lambda=10000   3/5  0.300±0.012  -0.988±0.001  0.991±0.002  –    0.000±0.010",
        "replay ratio=0.25    5  0.870±0.012  -0.988±0.001  0.991±0.002  –    0.000±0.010",
        "FWT: undefined in class-il: unseen classes have no output",
        "BWT, FM of joint: undefined, since each task trains a fresh model",
        "failed: ewc lambda=10000 (seed 4)",
        "diverged: ewc lambda=10000 (seed 3)",
        "mean ± 95 % half-width over n seeds (Student t); INT: intransigence",
    ]


def test_a_wide_terminal_gets_a_roomy_table():
    assert "replay ratio=0.25    5  0.870 ± 0.012  -0.988 ± 0.001  0.991 ± 0.002" in "\n".join(
        lines(CLASS_IL, 120)
    )


def test_a_terminal_too_narrow_for_intervals_shows_the_means_and_says_so():
    shown = lines([cell("replay ratio=0.25", full(0.87, fwt=True))], 60)
    assert shown[3] == "replay ratio=0.25 5 0.870 -0.988 0.991 0.500 0.000"
    assert " ".join(shown[4:]) == "too narrow for intervals; mean over n seeds; INT: intransigence"


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_columns_that_are_drawn_in_one_piece_look_as_cell_by_cell(style):
    table = plain_table(style.gap)
    table.add_column("method", overflow="fold", min_width=12)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column(Text("two\nlines", justify="right"), no_wrap=True)
    intervals = [interval(0.5, 0.25), None, interval(-0.125, None, n=1), interval(100.0, 12.5)]
    for label, n, value in zip(
        ("a", "b[c]", "", "für 1 é"), (5, 4, 0, 3), numbers(intervals, style), strict=True
    ):
        table.add_row(Text(label), seeds(n, 5), value)
    chosen, drawn = roomiest(lambda _: [table], 200)
    assert chosen == STYLES[0]
    assert len(drawn[0].rows) == 1
    assert colours(drawn[0]) == colours(table)


def test_a_label_of_two_lines_keeps_its_numbers_beside_it():
    shown = lines([cell("two\nlines", full(0.25)), cell("other", full(0.75))], 80)
    assert [line.split()[0] for line in shown[3:6]] == ["two", "lines", "other"]
    assert ["0.250" in line for line in shown[3:6]] == [True, False, False]


@pytest.mark.parametrize("width", [60, 70, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(width):
    wide = [cell("replay ratio=0.25", full(0.87, fwt=True), scenario="domain-il/permuted-digits")]
    shown = lines([*CLASS_IL, *wide], width)
    assert max(map(len, shown)) <= width
    assert "…" not in "".join(shown)
    assert sum(".870" in line for line in shown) == 2


def test_one_seed_shows_its_mean_without_an_interval():
    shown = lines([cell("naive", {"acc": (0.5, None)}, seeds=[COMPLETE])], metrics=["acc"])
    assert shown[3] == "naive   1  0.500"


def test_reasons_that_cells_do_not_share_name_the_cells():
    some = [
        cell(f"ewc lambda={k}", {}, reasons={"acc": "no complete trial"}, seeds=[FAILED]) for k in range(5)
    ]
    text = "\n".join(lines([*some, cell("naive", {"acc": (0.5, 0.1)})], metrics=["acc"]))
    assert "ACC of ewc lambda=0, ewc lambda=1, ewc lambda=2 and 2 more: no complete trial" in text


def test_trials_that_are_not_in_the_means_are_counted():
    seeds = [COMPLETE, RUNNING, STOPPED, FAILED, DIVERGED]
    text = lines([cell("naive", {"acc": (0.5, None)}, seeds=seeds, missing=(5, 6))], metrics=["acc"])
    assert text[3].split() == ["naive", "1/7", "0.500"]
    assert {
        "failed: naive (seed 3)",
        "diverged: naive (seed 4)",
        "stopped: naive (seed 2)",
        "trials: 1 running, 2 not started",
    } <= set(text)


def test_the_fwt_of_task_il_says_that_its_head_is_not_trained():
    text = "\n".join(lines([cell("naive", full(0.5, fwt=True), scenario="task-il/split-digits")]))
    assert "FWT in task-il: accuracy with a head that is not trained yet" in text


def test_brackets_in_labels_are_text_and_not_style():
    text = "\n".join(lines([cell("naive model.hidden=[bold]", {"acc": (0.5, 0.1)})], metrics=["acc"]))
    assert "naive model.hidden=[bold]" in text


def test_from_twenty_seeds_on_it_is_said_where_the_bootstrap_intervals_are():
    few, many = (cell("naive", full(0.2), seeds=[COMPLETE] * n) for n in (19, 20))
    assert bca_note([few]) == []
    [note] = bca_note([few, many])
    assert "--spread" in note


def test_each_scenario_has_its_table_and_the_legend_stands_once_at_the_end():
    other = cell("naive", full(0.9, fwt=True), scenario="domain-il/permuted-digits")
    text = lines([*CLASS_IL, other])
    second = text.index("domain-il/permuted-digits")
    assert (text[0], text[second - 1]) == ("class-il/split-digits", "")
    assert text[second + 3].startswith("naive")
    assert text[-1] == "mean ± 95 % half-width over n seeds (Student t); INT: intransigence"
    assert sum("Student" in line for line in text) == 1
    assert summary_tables([]) == []


def test_a_matrix_is_laid_out_by_task_with_a_dash_for_what_is_not_yet_seen():
    assert matrix_text(CLASS_IL[0]) == "\n".join(
        [
            "class-il/split-digits  naive",
            "accuracy after each task, mean of 5 seeds",
            "            T0    T1",
            "────────────────────",
            "Task 0 | 1.000 0.500",
            "Task 1 |     — 0.750",
        ]
    )


def test_a_missing_cell_of_a_matrix_is_not_taken_for_an_unseen_task():
    text = matrix_text(cell("naive", {}, matrix=[[1.0, NAN], [0.5, 1.0]], seeds=[COMPLETE]))
    assert text.splitlines()[1] == "accuracy after each task, 1 seed"
    assert text.splitlines()[4:] == ["Task 0 | 1.000     –", "Task 1 |     — 1.000"]


def test_a_matrix_of_ten_tasks_and_more_stays_aligned():
    widths = {len(line) for line in matrix_text(cell("naive", {}, matrix=np.ones((11, 11)))).splitlines()[2:]}
    assert len(widths) == 1


def test_markdown_has_a_section_per_scenario():
    assert to_markdown(CLASS_IL[1:4], metrics=["acc", "fwt"]) == "\n".join(
        [
            "### class-il/split-digits",
            "",
            "| method           |   n |           ACC | FWT |",
            "| ---------------- | --: | ------------: | --: |",
            "| joint            |   5 | 0.943 ± 0.013 |   – |",
            "| ewc lambda=1     |   5 | 0.200 ± 0.012 |   – |",
            "| ewc lambda=10000 | 3/5 | 0.300 ± 0.012 |   – |",
            "",
            "- FWT: undefined in class-il: unseen classes have no output",
            "- failed: ewc lambda=10000 (seed 4)",
            "- diverged: ewc lambda=10000 (seed 3)",
            "",
            "mean ± 95 % half-width over n seeds (Student t)",
            "",
        ]
    )
    assert to_markdown([]) == ""


def test_the_time_of_training_has_a_column_only_where_it_costs_no_room():
    cells = [
        replace(cell("naive", {"acc": (0.2, 0.01)}), train_s=7.25),
        replace(cell("gem", {"acc": (0.5, 0.01)}), train_s=123.4),
        cell("replay", {}, seeds=[FAILED]),
    ]
    wide = lines(cells, metrics=["acc"])
    assert wide[1].endswith("ACC  train s")
    assert [line.split()[-1] for line in wide[3:6]] == ["7.25", "123", "–"]
    assert not any("train s" in line for line in lines(cells, width=28, metrics=["acc"]))
    assert to_markdown(cells, metrics=["acc"]).splitlines()[2].endswith("| train s |")
