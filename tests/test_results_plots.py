"""What the pictures draw: every number where it belongs, and nothing where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_rows import Rows
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cl.metrics import acc
from results import plots
from results.across import TAUS, normalised, profile
from results.families import families
from results.matrices import Array
from results.plots.bands import band, seen_accuracy
from results.plots.curves import shown_tasks
from results.plots.style import METHOD_LOOKS
from results.schema import FAILED
from results.statistics import mean_interval

# Three seeds on two tasks; ACC 0.7, 0.8, 0.9 and 0.65 each.
EWC = [[[0.9, 0.6], [0.1, 0.8]], [[0.9, 0.7], [0.2, 0.9]], [[0.9, 0.8], [0.3, 1.0]]]
NAIVE = [[[0.9, 0.4], [0.1, 0.9]], [[0.9, 0.5], [0.2, 0.8]], [[0.9, 0.6], [0.3, 0.7]]]


def cells_of(kind="domain-il", status=None, **methods):
    """Cells of the methods, with the matrices of seeds 0, 1, ..."""
    rows = Rows()
    for method, matrices in methods.items():
        for seed, R in enumerate(matrices):
            rows.add(method, seed, R, kind=kind, status=(status or {}).get((method, seed), "complete"))
    return rows.cells


def axes_of() -> Axes:
    return Figure().subplots()


def texts_of(figure) -> str:
    return " ".join(word for text in figure.texts for word in text.get_text().split())


def points(axes, look) -> list[list[float]]:
    """The points that are drawn one by one with that marker."""
    return [line.get_xydata().tolist()[0] for line in axes.lines if line.get_marker() == look.marker]


def segments(collection) -> list[list[list[float]]]:
    return [segment.tolist() for segment in collection.get_segments()]


def test_a_band_is_the_interval_of_every_place_and_empty_where_a_seed_has_no_value():
    arrays = [np.array([[0.9, 0.5]]), np.array([[0.7, 0.6]]), np.array([[0.8, np.nan]])]
    found = band(arrays, 0.9)
    expected = mean_interval([0.9, 0.7, 0.8], 0.9)
    assert (found.n, found.mean[0, 0]) == (3, pytest.approx(expected.mean))
    assert found.half_width[0, 0] == pytest.approx(expected.half_width)
    assert np.isnan([found.mean[0, 1], found.half_width[0, 1]]).all()
    assert band(arrays[:1], 0.9).half_width is None
    with pytest.raises(ValueError, match="at least one seed"):
        band([], 0.9)


def test_the_accuracy_on_what_was_seen_ends_at_acc_and_does_not_read_tasks_to_come():
    R: Array = np.array([[0.9, 0.8, 0.7], [np.nan, 0.6, 0.5], [np.nan, np.nan, 0.3]])
    assert seen_accuracy(R) == pytest.approx([0.9, 0.7, 0.5])
    assert seen_accuracy(R)[-1] == pytest.approx(acc(R))


def test_a_matrix_shows_the_mean_and_beside_it_the_half_width():
    (cell,) = cells_of(ewc=EWC)
    figure = plots.matrix_figure([cell])
    mean, half, *bars = figure.axes
    assert mean.images[0].get_array().tolist() == pytest.approx(np.mean(EWC, axis=0))
    expected = mean_interval([0.6, 0.7, 0.8]).half_width
    assert half.images[0].get_array()[0, 1] == pytest.approx(expected)
    assert (mean.get_xlabel(), mean.get_ylabel()) == ("after task", "accuracy on task")
    assert mean.get_ylim() == (1.5, -0.5)  # task 0 on top
    assert mean.images[0].get_clim() == (0, 1)
    assert [bar.get_xlabel() for bar in bars] == ["mean accuracy", "half width of the 95 % interval"]
    assert "mean and 95 % interval (Student t), n = 3 seeds" in texts_of(figure)


def test_what_has_no_accuracy_is_hatched_and_has_no_number():
    R = [[1.0, 0.25], [None, 0.5]]
    (cell,) = cells_of("class-il", naive=[R, R])
    axes = plots.accuracy_matrix(axes_of(), cell)
    assert axes.images[0].get_array().mask.tolist() == [[False, False], [True, False]]
    assert [patch.get_hatch() for patch in axes.patches] == ["/////"]
    # 1.0 is a whole, .25 and .50 are two parts each.
    written = sorted(tuple(place) for line in axes.lines[1:] for place in line.get_xydata().tolist())
    assert written == [(0, 0), (1, 0), (1, 0), (1, 1), (1, 1)]
    (whole,) = cells_of(ewc=EWC)
    assert not plots.accuracy_matrix(axes_of(), whole).patches


def test_numbers_are_only_written_where_they_can_be_read():
    (cell,) = cells_of(ewc=[np.full((40, 40), 0.5).tolist()])
    axes = plots.accuracy_matrix(axes_of(), cell)
    assert len(axes.lines) == 1  # the steps
    assert len(axes.get_xticks()) <= 6


def test_one_seed_has_no_half_width_and_the_panel_says_so():
    (cell,) = cells_of(ewc=EWC[:1])
    figure = plots.matrix_figure([cell])
    _, half, *bars = figure.axes
    assert [text.get_text() for text in half.texts] == ["n = 1:\nno interval"]
    assert not half.images
    assert [bar.get_xlabel() for bar in bars] == ["mean accuracy"]
    assert "n = 1 seed: no interval" in texts_of(figure)


def test_cells_without_a_complete_trial_are_named_and_none_at_all_is_refused():
    cells = cells_of(status={("naive", 0): FAILED}, ewc=EWC[:1], naive=NAIVE[:1])
    assert "no complete trial: naive" in texts_of(plots.matrix_figure(cells))
    assert "no complete trial: naive" in texts_of(plots.forgetting_figure(cells))
    for draw in (plots.matrix_figure, plots.forgetting_figure):
        with pytest.raises(ValueError, match="no cell has a complete trial"):
            draw(cells[1:])
    with pytest.raises(ValueError, match="no cell has any of the metrics"):
        plots.metrics_figure(cells[1:])


def test_a_curve_begins_where_its_task_is_learned_with_a_band_and_a_thin_line_before():
    cells = cells_of(ewc=EWC)
    axes = plots.task_curve(axes_of(), cells, 1)
    curve, learned = axes.lines
    assert curve.get_xydata().tolist() == [[2, pytest.approx(0.9)]]
    assert learned.get_xdata() == [2, 2]
    area, before = axes.collections
    low, high = mean_interval([0.8, 0.9, 1.0]).ends
    assert area.get_paths()[0].vertices[:2].tolist() == [[2, pytest.approx(low)], [2, pytest.approx(high)]]
    assert segments(before) == [[[1, pytest.approx(0.2)], [2, pytest.approx(0.9)]]]


def test_a_curve_of_one_seed_has_no_band_and_one_of_unseen_classes_no_line_before():
    R = [[1.0, 0.25], [None, 0.5]]
    axes = plots.task_curve(axes_of(), cells_of("class-il", naive=[R]), 1)
    assert not axes.collections
    assert axes.lines[0].get_xydata().tolist() == [[2, 0.5]]


def test_the_mean_over_tasks_learned_is_taken_per_seed():
    axes = plots.average_curve(axes_of(), cells_of(ewc=EWC))
    assert axes.lines[0].get_xydata().tolist() == [[1, pytest.approx(0.9)], [2, pytest.approx(0.8)]]
    low, high = mean_interval([0.7, 0.8, 0.9]).ends
    # There along the lower end and back along the upper one.
    assert axes.collections[0].get_paths()[0].vertices[1:3, 1].tolist() == pytest.approx([low, high])


def test_a_fresh_model_per_task_keeps_what_it_could_do():
    scratch = [[0.9, 0.1, 0.2], [0.0, 0.8, 0.1], [0.0, 0.0, 0.7]]
    axes = plots.task_curve(axes_of(), cells_of(scratch=[scratch]), 0)
    assert axes.lines[0].get_ydata().tolist() == [0.9, 0.9, 0.9]
    axes = plots.average_curve(axes_of(), cells_of(scratch=[scratch]))
    assert axes.lines[0].get_ydata().tolist() == pytest.approx([0.9, 0.85, 0.8])


def test_every_task_has_a_panel_or_of_many_tasks_eleven_have():
    figure = plots.forgetting_figure(cells_of(ewc=EWC))
    assert [axes.get_title() for axes in figure.axes] == ["mean over tasks learned", "task 0", "task 1"]
    many = cells_of(ewc=[np.full((50, 50), 0.5).tolist()])
    figure = plots.forgetting_figure(many)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["mean over tasks learned", *(f"task {task}" for task in shown_tasks(50))]
    assert len(titles) == 12
    assert "11 of the 50 tasks" in texts_of(figure)
    chosen = plots.forgetting_figure(many, tasks=[7])
    assert [axes.get_title() for axes in chosen.axes] == ["mean over tasks learned", "task 7"]


def test_final_metrics_have_a_row_per_cell_with_interval_and_seeds():
    cells = cells_of(naive=NAIVE, ewc=EWC)
    axes = plots.metric_rows(axes_of(), cells, "acc")
    bars, ends, seeds = axes.collections
    interval = mean_interval([0.7, 0.8, 0.9])
    assert segments(bars)[1] == [[pytest.approx(x), pytest.approx(0.92)] for x in interval.ends]
    assert points(axes, METHOD_LOOKS["ewc"]) == [[pytest.approx(0.8), pytest.approx(0.92)]]
    assert seeds.get_offsets()[3:].tolist() == [[pytest.approx(x), 1.27] for x in (0.7, 0.8, 0.9)]
    assert len(ends.get_offsets()) == 4
    assert [label.get_text() for label in axes.get_yticklabels()] == ["naive", "ewc"]
    assert axes.get_ylim() == (1.6, -0.6)  # the first on top
    assert axes.get_xlabel() == "higher is better"


def test_guessing_and_joint_training_are_lines_at_acc_alone():
    cells = [replace(cell, chance=0.5) for cell in cells_of(joint=EWC, naive=NAIVE)]
    lines = {line.get_label(): line.get_xdata() for line in plots.metric_rows(axes_of(), cells, "acc").lines}
    assert lines["chance"] == [0.5, 0.5]
    assert lines["joint"] == pytest.approx([0.8, 0.8])
    others = plots.metric_rows(axes_of(), cells, "fwt").lines
    assert {"chance", "joint"}.isdisjoint(line.get_label() for line in others)
    assert "lines at ACC: guessing (dotted), the mean of joint (solid)" in texts_of(
        plots.metrics_figure(cells)
    )


def test_an_undefined_metric_is_a_dash_or_a_note_but_never_0():
    R = [[1.0, 0.25], [None, 0.5]]
    cells = cells_of("class-il", {("ewc", 0): FAILED}, naive=[R, R], ewc=[R, R])
    figure = plots.metrics_figure(cells, metrics=("acc", "fwt"))
    assert [axes.get_title() for axes in figure.axes] == ["ACC"]
    assert "FWT: undefined in class-il: unseen classes have no output" in texts_of(figure)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["naive", "ewc (1/2 seeds)"]
    lost = cells_of("class-il", {("ewc", 0): FAILED, ("ewc", 1): FAILED}, naive=[R, R], ewc=[R, R])
    axes = plots.metric_rows(axes_of(), lost, "acc")
    assert [(text.get_text(), text.xy[1]) for text in axes.texts] == [("–", 1)]
    empty = plots.metric_rows(axes_of(), lost, "fwt")
    assert [text.xy[1] for text in empty.texts] == [0, 1]


def test_differences_that_holm_rejects_are_filled_as_the_better_one_and_others_are_hollow():
    near = [[[0.9, 0.6], [0.1, 0.7]], [[0.9, 0.7], [0.2, 0.9]], [[0.9, 0.9], [0.3, 1.0]]]
    far = [[[0.9, 0.1], [0.1, 0.1]], [[0.9, 0.2], [0.2, 0.2]], [[0.9, 0.3], [0.3, 0.31]]]
    cells = cells_of(ewc=EWC, si=near, naive=far)
    (family,) = families(cells)
    axes = plots.paired_differences(axes_of(), family, looks=plots.looks_of(cells))
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [f"{pair.first} − {pair.second}" for pair in family.pairs]
    found = {}
    for pair, line in zip(family.pairs, axes.lines, strict=False):
        assert line.get_xdata() == pytest.approx([pair.difference.mean])
        assert pair.rejected(0.95) == ("naive" in {pair.first, pair.second})
        found[frozenset((pair.first, pair.second))] = line.get_marker(), to_hex(line.get_markerfacecolor())
    ewc, si = (METHOD_LOOKS[name] for name in ("ewc", "si"))
    assert found == {
        frozenset(("ewc", "si")): ("o", "#ffffff"),
        frozenset(("ewc", "naive")): (ewc.marker, ewc.colour.lower()),
        frozenset(("si", "naive")): (si.marker, si.colour.lower()),
    }


def test_differences_have_a_zero_line_a_shaded_margin_and_say_the_family():
    (family,) = families(cells_of(ewc=EWC, naive=NAIVE), margin=0.03)
    figure = plots.difference_figure(family)
    (axes,) = figure.axes
    assert [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2] == [[0, 0]]
    (shade,) = axes.patches
    assert (shade.get_x(), shade.get_width()) == (-0.03, 0.06)
    said = texts_of(figure)
    assert "n = 3 shared seeds" in said
    assert "paired t tests in the family: 1);" in said
    assert "shaded: below 0.03" in said


def test_a_pair_without_a_shared_seed_is_a_dash():
    rows = Rows().add("ewc", 0, EWC[0]).add("naive", 1, NAIVE[0])
    (family,) = families(rows.cells)
    axes = plots.paired_differences(axes_of(), family)
    assert [text.get_text() for text in axes.texts] == ["–"]


def test_many_pairs_stand_in_several_panels_of_one_scale():
    methods = {f"m{place}": EWC for place in range(10)}  # 45 pairs
    (family,) = families(cells_of(**methods))
    figure = plots.difference_figure(family)
    assert [len(axes.get_yticklabels()) for axes in figure.axes] == [23, 22]
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()


def test_speed_has_the_time_on_a_logarithmic_axis_and_leaves_out_what_has_none():
    ewc, naive, si = cells_of(ewc=EWC, naive=NAIVE, si=NAIVE)
    cells = [replace(ewc, train_s=12.0), replace(naive, train_s=2.0), replace(si, train_s=None)]
    figure = plots.speed_figure(cells)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert points(axes, METHOD_LOOKS["ewc"]) == [[12.0, pytest.approx(0.8)]]
    assert points(axes, METHOD_LOOKS["si"]) == []
    assert "no ACC or no time: si" in texts_of(figure)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("training time of a trial (s, mean over seeds)", "ACC")
    with pytest.raises(ValueError, match="both ACC and a training time"):
        plots.speed_figure([cells[2]])


def test_profiles_are_the_share_of_runs_above_each_score_and_the_same_again():
    cells = [replace(cell, chance=0.1) for cell in cells_of(joint=EWC, naive=NAIVE)]
    scores = normalised(cells)
    drawn = [plots.performance_profiles(axes_of(), scores) for _ in range(2)]
    line = drawn[0].lines[0]
    assert line.get_xdata().tolist() == TAUS.tolist()
    assert line.get_ydata().tolist() == profile(scores.methods["naive"]).tolist()
    first, again = (axes.collections[0].get_paths()[0].vertices.tolist() for axes in drawn)
    assert first == again
    assert "n = 3 runs of each method; bands: pointwise 95 %" in texts_of(plots.profile_figure(scores))
    with pytest.raises(ValueError, match="no scores"):
        plots.profile_figure(normalised(cells[1:]))
