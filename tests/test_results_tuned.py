"""What a search came to: edges, optimism, the Pareto front, tables and pictures."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from results import plots
from results.terminal import response_text
from results.tuned import Configuration, Range, TunedStudy, pareto_front
from results.tuned_tables import configuration_tables, importance_lines, winner_tables

LAMBDA = Range((1.0, 1e6), continuous=True, logarithmic=True, numeric=True, least=0.0)
RATIO = Range((0.0, 0.9), continuous=True, logarithmic=False, numeric=True, least=0.0, most=0.999)
FISHER = Range(("exact", "empirical"), continuous=False, logarithmic=False, numeric=False)


def tried(number, value, *accs, left="", diverged=0, **more):
    """A configuration of lambda *value* with these val ACCs by seed; diverged seeds score chance, 0.1."""
    scores = [*accs, *[0.1] * diverged]
    values = {
        "acc": dict(enumerate(accs)),
        "bwt": {seed: acc - 1 for seed, acc in enumerate(accs)},
        "fm": {seed: 1 - acc for seed, acc in enumerate(accs)},
        "forgetting": {seed: 1 - acc for seed, acc in enumerate(accs)},
        "learning_accuracy": dict.fromkeys(range(len(accs)), 0.5 + value / 1e6),
    }
    return Configuration(
        number,
        {"lambda": value, **more},
        len(scores),
        sum(scores) / len(scores) if scores else None,
        values,
        diverged,
        left,
    )


CONFIGURATIONS = (
    tried(1, 100.0, 0.5, 0.7),
    tried(2, 1e3, 0.8, 0.9),
    tried(3, 10.0, 0.2, 0.3, left="0.600 behind no. 2"),
    tried(4, 9e5, diverged=2),
)

STUDY = TunedStudy(
    scenario="domain-il/permuted-digits",
    method="ewc",
    searched_on="domain-il/permuted-digits",
    protocol="val-stream",
    search="random",
    scheduler="race",
    metric="val_acc",
    selection_seeds=12,
    ranges={"lambda": LAMBDA},
    configurations=CONFIGURATIONS,
    winner=CONFIGURATIONS[1],
    trials=8,
    done=True,
    test={0: 0.7, 1: 0.8, 2: 0.75},
    default={"lambda": 300.0},
    default_test={0: 0.6, 1: 0.6, 2: 0.6},
)


def printed(parts, width=80):
    console = Console(file=io.StringIO(), width=width)
    for part in parts:
        console.print(part)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("searched", "value", "edge"),
    [
        # A twentieth of six decades is 0.3: below 10^0.3 = 1.995 and beyond 10^5.7 = 501187.
        (LAMBDA, 1.9, "below 1"),
        (LAMBDA, 2.1, None),
        (LAMBDA, 500000.0, None),
        (LAMBDA, 510000.0, "beyond 1e6"),
        # A twentieth of 0.9 is 0.045. Below 0 there is nothing.
        (RATIO, 0.01, None),
        (RATIO, 0.85, None),
        (RATIO, 0.86, "beyond 0.9"),
        (replace(RATIO, values=(0.1, 0.999)), 0.99, None),
        (replace(RATIO, values=(0.1, 0.9)), 0.11, "below 0.1"),
        (Range((1, 10, 100), continuous=False, logarithmic=True, numeric=True), 100, "beyond 100"),
        (Range((1, 10, 100), continuous=False, logarithmic=True, numeric=True), 10, None),
        (Range((5,), continuous=False, logarithmic=False, numeric=True), 5, None),
        (FISHER, "exact", None),
    ],
)
def test_an_edge_is_the_outer_twentieth_or_the_last_value_where_the_range_can_go_on(searched, value, edge):
    assert searched.edge(value) == edge


def test_optimism_is_validation_minus_test_over_different_seeds():
    assert STUDY.optimism.mean == pytest.approx(0.85 - 0.75)
    # Welch: variances 0.005 / 2 and 0.0025 / 3, 1.6 degrees of freedom: not two seeds' t alone.
    assert STUDY.optimism.half_width > 0.2
    assert replace(STUDY, winner=None).optimism is None
    assert replace(STUDY, test={}).optimism is None


points = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1)


@given(points)
def test_the_pareto_front_is_what_no_other_point_beats(some):
    front = pareto_front(some)
    assert front
    for i, (gain, cost) in enumerate(some):
        beaten = any(g >= gain and c <= cost and (g > gain or c < cost) for g, c in some)
        assert (i in front) is not beaten


def test_intervals_of_a_search_are_at_the_level_that_is_asked_for():
    narrow = replace(STUDY, level=0.5)
    assert narrow.tested(narrow.test).level == 0.5
    assert narrow.optimism.half_width < STUDY.optimism.half_width / 2
    some = replace(STUDY.winner, level=0.5)
    assert some.interval("acc").half_width < STUDY.winner.interval("acc").half_width / 2


def test_the_winner_has_its_line_and_everything_there_is_to_know_about_its_search():
    text = printed(winner_tables([STUDY]))
    words = " ".join(text.split())
    assert "domain-il/permuted-digits: chosen by val-stream (random, race, 12 selection seeds)" in words
    assert "0.850" in text
    assert "0.750" in text
    assert "0.600" in text
    assert "0.100" in text
    assert "lambda=1000" in text
    assert "ewc: 4 configurations, 1 of them left the race early, 1 diverged; 8 trials" in words
    assert "optimistic about the stream, never about the data" in words
    assert "edge" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_winner_at_the_edge_says_which_way_to_widen():
    at_the_edge = tried(5, 6e5, 0.9, 0.95)
    study = replace(STUDY, configurations=(*CONFIGURATIONS, at_the_edge), winner=at_the_edge)
    words = " ".join(printed(winner_tables([study])).split())
    assert "ewc: lambda=600000 is at the edge of its range: widen lambda beyond 1e6" in words


@pytest.mark.parametrize(
    ("done", "text"), [(False, "still searching"), (True, "no configuration was complete")]
)
def test_a_search_without_a_winner_says_why(done, text):
    assert text in printed(winner_tables([replace(STUDY, winner=None, test={}, done=done)]))


def test_what_is_not_searched_has_no_winner():
    assert list(winner_tables([replace(STUDY, ranges={})])) == []


def test_transfer_names_the_stream_that_was_searched():
    study = replace(STUDY, protocol="transfer", searched_on="domain-il/rotated-digits")
    assert "chosen by transfer on domain-il/rotated-digits" in " ".join(
        printed(winner_tables([study])).split()
    )


def test_configurations_are_ranked_by_score_and_those_that_left_come_last_with_their_n():
    lines = printed(configuration_tables([STUDY]), width=100).splitlines()
    rows = [line.split() for line in lines if line.strip()[:1].isdigit()]
    assert [row[0] for row in rows] == ["2", "1", "4", "3"]
    assert rows[0][1:4] == ["lambda=1000", "2", "0.850"]
    assert rows[0][-1] == "chosen"
    assert rows[2][1:5] == ["lambda=900000", "2", "0.100", "–"]
    assert rows[2][-2:] == ["2", "diverged"]
    assert rows[3][-4:] == ["0.600", "behind", "no.", "2"]


def test_the_score_has_no_column_where_it_is_acc():
    study = replace(STUDY, configurations=CONFIGURATIONS[:3])
    assert "val_acc" not in printed(configuration_tables([study]))
    assert "val_acc" in printed(configuration_tables([STUDY]))


def test_importance_is_a_line_per_search():
    lines = list(importance_lines({("a/b", "ewc"): {"lambda": 0.75, "gamma": 0.25}}))
    assert lines == ["a/b, ewc: importance (fANOVA): lambda 75%, gamma 25%"]


def test_the_terminal_shows_every_configuration_that_has_a_score_and_marks_the_winner():
    text = response_text(STUDY, "lambda", "acc", width=60)
    plot = text.split("┐", 1)[1]
    assert plot.count("W") == 1
    assert plot.count("o") >= 2
    assert "log10 lambda" in text
    assert all(len(line) <= 60 for line in text.splitlines())
    assert "\x1b" not in text


def test_a_response_curve_has_a_bar_for_every_configuration_and_a_cross_for_a_diverged_one():
    figure = plots.response_figure(STUDY, "lambda")
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("lambda", "ACC")
    handles = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    assert handles.keys() == {"stayed to the end", "left early", "diverged", "chosen", "default"}
    of = {
        label: handles[label].lines[0].get_xydata().tolist()
        for label in ("stayed to the end", "left early", "diverged")
    }
    assert of["stayed to the end"] == [[100.0, pytest.approx(0.6)], [1000.0, pytest.approx(0.85)]]
    assert of["left early"] == [[10.0, pytest.approx(0.25)]]
    assert of["diverged"] == [[9e5, pytest.approx(0.1)]]


def test_the_stability_plasticity_picture_joins_the_pareto_front():
    axes = plots.stability_figure(STUDY).axes[0]
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    # Forgetting is 1 - ACC and learning accuracy grows with lambda: 1e3 beats both others in both ways.
    assert lines["Pareto front"] == [[pytest.approx(0.15), pytest.approx(0.501)]]
    assert lines["chosen"] == [[pytest.approx(0.15), pytest.approx(0.501)]]


def test_categories_have_places_of_their_own():
    configurations = tuple(
        replace(each, hyperparameters={"lambda": 1.0, "fisher": fisher})
        for each, fisher in zip(CONFIGURATIONS, ("exact", "empirical", "exact", "exact"), strict=True)
    )
    study = replace(
        STUDY,
        ranges={"fisher": FISHER},
        configurations=configurations,
        winner=configurations[1],
        default={"fisher": "exact"},
    )
    axes = plots.response_figure(study, "fisher").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["exact", "empirical"]


def test_a_picture_is_written_whole_as_png_and_svg_and_is_the_same_again(tmp_path):
    paths = plots.save(plots.stability_figure(STUDY), tmp_path / "new", "one")
    again = plots.save(plots.stability_figure(STUDY), tmp_path / "again", "one")
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]
    assert [path.name for path in paths] == ["one.png", "one.svg"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["one.png", "one.svg"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert ET.fromstring(paths[1].read_text()).tag.endswith("svg")  # noqa: S314 - our own file
