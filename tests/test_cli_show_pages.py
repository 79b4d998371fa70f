"""`clsweep show`: comparisons, power, spread, all scenarios at once, and which lines are shown."""

from __future__ import annotations

import csv
import io
import re
import shutil

import pyarrow.parquet as pq
import pytest
from commands import clsweep, spec

from cl.metrics import METRICS
from cl.registry import METHODS
from results.sweep import FRESH, JOINT
from results.tidy import ACROSS, COMPARISONS, SUMMARY

SWEEP = """
name: tiny
seeds: 4
scenarios:
  - {kind: domain-il, stream: split-digits, tasks: 3}
  - {kind: class-il, stream: split-digits, tasks: 3}
methods: [naive, joint, replay, ewc: {lambda: {grid: [1, 100]}}]
model: {hidden: [16]}
train: {iterations: 20, lr: 0.1}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with the run of SWEEP in it."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert clsweep("run", spec(SWEEP), "--local").exit_code == 0
    return folder


@pytest.fixture(autouse=True)
def here(finished, tmp_path, monkeypatch):
    """A folder of the test's own with a copy of the run."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def shown(*arguments):
    result = clsweep("show", "runs/tiny", *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments):
    result = clsweep("show", "runs/tiny", *arguments)
    assert result.exit_code == 2
    return " ".join(result.stderr.split())


def test_what_intransigence_and_forgetting_are_measured_by_are_the_methods_that_the_registry_calls_so():
    assert [name for name, entry in METHODS.items() if entry.cumulative] == [JOINT]
    assert {name for name, entry in METHODS.items() if entry.fresh} == set(FRESH)


def test_the_best_is_starred_and_a_grid_takes_no_part_until_one_of_its_lines_is_named():
    text = shown("--metric", "acc")
    starred = [line.split()[0] for line in text.splitlines() if "*" in line and not line.startswith("*")]
    assert starred
    assert set(starred) <= {"naive", "replay"}
    assert "*: best, or not told from the best" in text
    assert "not compared" in text
    named = shown("--metric", "acc", "--cell", "ewc lambda=100")
    assert "not compared" not in named


def test_a_line_of_a_grid_that_is_shown_alone_is_still_said_to_take_no_part():
    assert "not compared" in shown("--metric", "acc", "--method", "ewc lambda=100")
    assert "not compared" not in shown("--metric", "acc", "--method", "naive")


def test_markdown_stars_the_same_lines():
    table = [line for line in shown("--metric", "acc").splitlines() if "*" in line][:-1]
    markdown = [
        line for line in shown("--metric", "acc", "--format", "markdown").splitlines() if "\\*" in line
    ]
    assert [line.split()[0] for line in table] == [line.split()[1] for line in markdown[: len(table)]]


def test_every_two_methods_are_compared_in_every_scenario():
    text = shown("--compare")
    assert text.count("replay − naive") >= 2
    assert text.count("differences paired by seed") == 2
    assert "joint" not in text, "a reference does not compete"


def test_all_can_be_compared_with_a_baseline_which_may_be_a_reference():
    text = shown("--compare", "--baseline", "joint")
    assert "naive − joint" in text
    assert "replay − joint" in text
    assert "replay − naive" not in text
    assert "all against joint" in " ".join(text.split())


def test_comparisons_are_rows_for_programs_with_every_metric():
    rows = list(csv.DictReader(io.StringIO(shown("--compare", "--format", "csv"))))
    assert set(rows[0]) == set(COMPARISONS.names)
    assert {row["metric"] for row in rows} >= {"acc", "bwt", "fm"}
    shown("--across", "--format", "parquet", "--output", "across.parquet")
    assert pq.read_table("across.parquet").schema.equals(ACROSS)


@pytest.mark.parametrize("page", ["--compare", "--power", "--across", "--spread"])
def test_every_page_fits_eighty_columns_and_can_be_markdown(page):
    text = shown(page)
    assert text.strip()
    assert max(map(len, text.splitlines())) <= 80
    assert shown(page, "--format", "markdown").startswith("### ")


def test_power_says_what_the_seeds_can_show():
    text = " ".join(shown("--power").split())
    assert "the smallest true difference found with 80 % power" in text


def test_lines_can_be_chosen_and_ordered():
    text = shown(
        "--scenario", "class-il/split-digits", "--method", "joint", "--method", "naive", "--by", "acc"
    )
    assert "domain-il" not in text
    lines = [line.split()[0] for line in text.splitlines() if line.startswith(("joint", "naive", "replay"))]
    assert lines == ["joint", "naive"]
    assert set(next(csv.DictReader(io.StringIO(shown("--format", "csv", "--metric", "acc"))))) == set(
        SUMMARY.names
    )
    rows = list(csv.DictReader(io.StringIO(shown("--format", "csv", "--metric", "acc", "--method", "naive"))))
    assert [row["metric"] for row in rows] == ["acc", "acc"]


def test_the_level_is_an_option():
    assert "mean ± 90 % half-width" in shown("--level", "0.9")


def test_a_run_without_joint_says_why_no_scenario_counts():
    clsweep(
        "run",
        spec("""
name: tiny
seeds: 2
scenarios: [{kind: class-il, stream: split-digits, tasks: 3}]
methods: [naive, replay]
model: {hidden: [16]}
train: {iterations: 2}
"""),
        "--local",
    )
    text = " ".join(shown("--across").split())
    assert "class-il/split-digits: no complete joint, which would score 1" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--method", "nave"], "no method or line 'nave'; did you mean 'naive'?"),
        (["--scenario", "class-il/split-digit"], "did you mean 'class-il/split-digits'?"),
        (["--metric", "acx"], "no metric 'acx'; did you mean 'acc'?"),
        (["--by", "speed"], "no order 'speed'; there: method, n, train_s, acc"),
        (["--cell", "ewc lambda=10"], "did you mean 'ewc lambda=1"),
        (["--compare", "--baseline", "gem"], "no method or line 'gem'"),
        (["--baseline", "naive"], "it goes with --compare and --power"),
        (["--compare", "--power"], "--compare is printed alone; it does not go with --power"),
        (["--compare", "--matrix"], "--compare is printed alone; it does not go with --matrix"),
        (["--across", "--metric", "fm"], "--metric changes nothing in --across; leave it out"),
        (["--across", "--scenario", "class-il/split-digits"], "--scenario changes nothing in --across"),
        (["--compare", "--by", "acc"], "--by changes nothing in --compare"),
        (
            ["--format", "csv", "--output", "s3://bucket/a.csv"],
            "--output is a path on this machine; s3://...",
        ),
        (["--format", "parquet", "--output", "no/a.parquet"], "cannot write no/a.parquet: No such file"),
        (["--plot", "--format", "csv"], "--plot is part of the table; it does not go with --format csv"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_message(arguments, said):
    assert said in refused(*arguments)


def test_metrics_of_programs_are_all_of_them():
    rows = list(csv.DictReader(io.StringIO(shown("--format", "csv"))))
    assert {row["metric"] for row in rows} == set(METRICS)


@pytest.mark.parametrize("page", ["--compare", "--power", "--spread"])
def test_on_a_narrow_screen_a_page_keeps_its_names_and_whole_numbers(page, monkeypatch):
    roomy = shown(page, "--scenario", "class-il/split-digits")
    monkeypatch.setenv("COLUMNS", "40")
    narrow = shown(page, "--scenario", "class-il/split-digits")
    assert max(map(len, narrow.splitlines())) <= 40
    assert "…" not in narrow
    numbers = re.compile(r"-?\d\.\d{3}\b")
    assert sorted(numbers.findall(narrow)) == sorted(numbers.findall(roomy))
    assert narrow.count("replay") >= 2, "in each part of the table"


def test_what_is_not_compared_says_why_and_what_to_do():
    result = clsweep("run", spec(SWEEP.replace("[naive, joint, replay, ewc", "[ewc")), "--local")
    assert result.exit_code == 0
    for form in ("table", "markdown"):
        text = " ".join(shown("--compare", "--format", form).split())
        assert "no two methods can be compared yet" in text
        assert "(--cell names one): ewc lambda=1, ewc lambda=100" in text


def test_a_selection_that_leaves_no_comparison_is_told_from_none_that_can_be_made():
    text = " ".join(shown("--compare", "--method", "naive").split())
    assert "--scenario and --method show no two lines that are compared" in text


@pytest.mark.parametrize("page", ["--compare", "--power"])
def test_who_takes_no_part_is_named(page):
    text = " ".join(shown(page).split())
    assert "takes no part: ewc lambda=1, ewc lambda=100: one of several of its method" in text


def test_spread_of_a_metric_that_no_line_has_says_so():
    text = shown("--spread", "--metric", "fwt", "--scenario", "class-il/split-digits")
    assert text == "no complete trial has FWT\n"


def test_metrics_are_also_called_what_stands_at_the_head_of_their_column():
    assert shown("--metric", "INT", "--by", "INT") == shown(
        "--metric", "intransigence", "--by", "intransigence"
    )
    assert shown("--by", "Acc") == shown("--by", "acc")
