"""Pictures made of characters: the right ones in the right columns, and never wider than the terminal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_rows import Rows

from results.schema import FAILED
from results.terminal import curves_text, metrics_text


def cells_of(matrices, kind="domain-il", failed=()):
    """Cells of the methods with the matrices of seeds 0, 1, ..."""
    rows = Rows()
    for method, its in matrices.items():
        for seed, R in enumerate(its):
            rows.add(method, seed, R, kind=kind, status=FAILED if (method, seed) in failed else "complete")
    return rows.cells


def single(value):
    """The matrix of a stream of one task."""
    return [[value]]


# ACC 0.5 ± 12.706 * 0.1 / 2 of ewc: from -0.1353 to 1.1353.
WIDE = {"ewc": [single(0.45), single(0.55)], "naive": [single(0.5), single(0.5)]}


def test_a_mean_and_its_interval_lie_where_the_ruler_says():
    title, ewc, naive, ruler, *_ = metrics_text(cells_of(WIDE), "acc", 50).splitlines()
    assert title == "domain-il/split-digits: ACC, higher is better"
    # The name takes 5 columns, the number 6, each with 2 behind. The mean is in the middle of the other 35.
    assert ewc == "ewc     0.500  ├" + "─" * 16 + "●" + "─" * 16 + "┤"
    assert naive == "naive   0.500  " + " " * 17 + "●"
    assert ruler == " " * 15 + "-0.135" + " " * 24 + "1.135"


def test_guessing_is_a_mark_at_acc_and_no_difference_one_elsewhere():
    cells = [replace(cell, chance=0.5) for cell in cells_of({"ewc": [single(0.4)], "si": [single(0.6)]})]
    lines = metrics_text(cells, "acc", 53).splitlines()
    # 40 columns are left, from 0.4 to 0.6; 0.5 is column 19.5, which rounds to the even 20.
    assert lines[1] == "ewc   0.400  ●" + " " * 19 + "┊"
    assert lines[2] == "si    0.600  " + " " * 20 + "┊" + " " * 18 + "●"
    fell = {"ewc": [[[0.9, 0.5], [0.1, 0.9]]], "si": [[[0.5, 0.9], [0.1, 0.9]]]}
    lines = metrics_text(cells_of(fell), "bwt", 53).splitlines()
    assert lines[1:3] == ["ewc  -0.400  ●" + " " * 19 + "┊", "si    0.400" + " " * 22 + "┊" + " " * 18 + "●"]


@pytest.mark.parametrize("metric", ["acc", "fwt"])
def test_what_is_undefined_is_a_dash_with_its_reason(metric):
    R = [[1.0, 0.25], [None, 0.5]]
    cells = cells_of({"ewc": [R, R], "si": [R, R]}, "class-il", {("si", 0), ("si", 1), ("ewc", 1)})
    text = metrics_text(cells, metric, 80)
    if metric == "acc":
        assert "si (0/2 seeds)        –\n" in text
        assert "ewc (1/2 seeds)   0.375" in text
        assert "ACC of si: no complete trial" in text
        assert "├" not in text.splitlines()[1]  # one seed has no interval
    else:
        assert "●" not in text.partition("\n\n")[0]
        assert "FWT of ewc: undefined in class-il: unseen classes have no output" in text


def test_every_scenario_has_a_part_and_the_legend_comes_last():
    cells = cells_of(WIDE)
    both = [*cells, *(replace(cell, scenario_label="other") for cell in cells)]
    first, second, legend = metrics_text(both, "acc", 200).split("\n\n")
    assert (first.partition(":")[0], second.partition(":")[0]) == ("domain-il/split-digits", "other")
    assert legend == (
        "●, ├─┤: mean and 95 % interval (Student t), n = 2 seeds; ┊: guessing, where it is in the picture"
    )


def test_curves_are_letters_that_name_the_lines_below():
    # After two tasks a has 0.5 and b 1.0 of everything seen.
    cells = cells_of({"ewc": [[[1.0, 0.2], [0.1, 0.8]]], "si": [[[1.0, 1.0], [0.1, 1.0]]]})
    text = curves_text(cells, 60)
    plot, _, rows = text.partition("\ndomain-il/split-digits: accuracy on a task as tasks are")
    ends = [line.rstrip("│")[-1] for line in plot.splitlines() if line.endswith("│")]
    assert (ends[0], ends[-1]) == ("b", "a")
    assert plot.startswith(
        "domain-il/split-digits: mean accuracy on the tasks learned,\nagainst their number\n"
    )
    assert "1.000┤b" in plot
    assert "0.500┤" in plot
    assert rows.splitlines()[2:] == [
        "      task 0 task 1",
        "a ewc █▂      ▇",
        "b si  ██      █",
    ]


def test_a_block_is_an_eighth_of_the_way_from_0_to_1_and_a_point_stands_for_no_value():
    R = [[0.0, 0.124, 0.126, 0.5, 0.99, 1.0], *([None] * 6 for _ in range(5))]
    line = curves_text(cells_of({"ewc": [R]}, "class-il"), 60).splitlines()[-1]
    assert line.startswith("a ewc ▁▁▂▅██")
    assert line.split()[3:] == ["·" * n for n in (5, 4, 3, 2, 1)]


def test_one_task_has_no_curve_and_nothing_complete_no_text():
    assert curves_text(cells_of({"ewc": [single(1.0)]}), 80).splitlines()[1:] == ["      task 0", "a ewc █"]
    assert curves_text(cells_of({"ewc": [single(1.0)]}, failed={("ewc", 0)}), 60) == ""
    assert (curves_text([], 60), metrics_text([], "acc", 60)) == ("", "")


def test_of_many_tasks_those_that_fit_are_shown_and_of_many_lines_those_that_have_a_letter():
    many = np.full((20, 20), 0.5).tolist()
    heads = next(line for line in curves_text(cells_of({"ewc": [many]}), 80).splitlines() if "task 0" in line)
    assert heads.split() == ["task", "0", "task", "10", "task", "19"]
    lines = curves_text(cells_of({f"m{place}": [single(0.5)] for place in range(60)}), 80).splitlines()
    assert len([line for line in lines if line.endswith("▅")]) == 52
    assert lines[-1] == "These are 52 of 60 lines."


@pytest.mark.parametrize("width", [40, 80, 200])
def test_nothing_is_wider_than_the_terminal_whose_size_does_not_matter(width, monkeypatch):
    R = np.linspace(0, 1, 25).reshape(5, 5).tolist()
    cells = cells_of({"my.very.long.module.of.methods:MyVeryLongMethod": [R, R], "ewc": [R, R]})
    texts = [f"{metrics_text(cells, 'acc', width)}\n{curves_text(cells, width)}"]
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "5")
    texts.append(f"{metrics_text(cells, 'acc', width)}\n{curves_text(cells, width)}")
    assert texts[0] == texts[1]
    assert max(map(len, texts[0].splitlines())) <= width
    assert "\x1b" not in texts[0]
    assert not any(line.endswith(" ") for line in texts[0].splitlines())
