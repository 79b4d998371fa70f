"""`clsweep compare`: exit codes, messages, and tables that agree with the rows on disk."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import clsweep, spec, store
from typer.testing import CliRunner

from cli import app
from results.schema import COMPLETE
from results.two_runs_rows import TWO_RUNS

SWEEP = """
name: old
seeds: 3
scenarios: [{kind: domain-il, stream: permuted-digits, tasks: 3}]
methods: [naive, joint, replay: {ratio: 0.5}]
model: {hidden: [16]}
train: {iterations: 20, lr: 0.1}
"""
TITLE = "domain-il/permuted-digits"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with three runs: `old`, `same` with the same numbers and more seeds, `slow` of another lr."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert clsweep("run", spec(SWEEP), "--local").exit_code == 0
        for name, override in (("same", "seeds=4"), ("slow", "train.lr=0.01")):
            overrides = ("--set", f"name={name}", "--set", override)
            assert clsweep("run", "tiny.yaml", "--local", *overrides).exit_code == 0
    return folder


@pytest.fixture(autouse=True)
def here(finished, tmp_path, monkeypatch):
    """A folder of the test's own with a copy of the runs."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def final_accuracies(run, method):
    """ACC by seed, straight from the rows."""
    by_seed = {}
    for row in store(run).accuracy().to_pylist():
        if (row["method"], row["after_task"]) == (method, 2):
            by_seed.setdefault(row["seed"], []).append(row["accuracy"])
    return {seed: np.mean(values) for seed, values in by_seed.items()}


def change_rows(run, method, **columns):
    """Rewrite the trials of a method."""
    for row in store(run).trials().to_pylist():
        if row["method"] == method:
            store(run).write_trial(row | columns)


def words(result):
    """What was printed, without the line breaks of the screen."""
    return " ".join(result.output.split())


def test_runs_of_the_same_numbers_do_not_differ():
    result = clsweep("compare", "runs/old", "runs/same")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[:3] == ["A: runs/old", "B: runs/same", "All 3 cells are the same bit for bit."]
    assert f"{TITLE}: every cell the same bit for bit" in lines
    assert [line.split() for line in lines if line.startswith("replay")] == [["replay", "3", "4", "3/3"]]


def test_a_change_that_is_sure_has_exit_code_1_and_is_named():
    result = clsweep("compare", "runs/old", "runs/slow")
    assert result.exit_code == 1, result.output
    assert "None of 3 cells is the same bit for bit; " in words(result)
    assert "worse in B (" in words(result)
    assert f"{TITLE}: ACC" in result.output


def test_the_difference_is_that_of_the_rows_on_disk():
    output = clsweep("compare", "runs/old", "runs/slow", "--metric", "acc").output
    old, new = final_accuracies("old", "naive"), final_accuracies("slow", "naive")
    differences = [new[seed] - old[seed] for seed in range(3)]
    half = 4.302653 * np.std(differences, ddof=1) / np.sqrt(3)
    line = next(line for line in output.splitlines() if line.startswith("naive"))
    means = [f"{np.mean(list(accs.values())):.3f}" for accs in (old, new)]
    assert line.split()[1:8] == ["3", "3", *means, f"{np.mean(differences):.3f}", "±", f"{half:.3f}"]


def test_what_else_differs_is_said():
    change_rows("slow", "naive", host="elsewhere", torch_version="9.9")
    lines = [
        " ".join(line.split()) for line in clsweep("compare", "runs/old", "runs/slow").output.splitlines()
    ]
    assert "What else differs" in lines
    assert "train.lr 0.1 0.01" in lines
    (torch,) = {str(version) for version in store("old").trials()["torch_version"].to_pylist()}
    assert f"torch_version {torch} 9.9, {torch}" in lines
    assert any(line.startswith("host ") and "elsewhere" in line for line in lines)


def test_numbers_that_cannot_be_told_apart_are_a_difference_only_if_they_must_be_exact():
    for row in store("same").accuracy().to_pylist():
        if row["method"] == "naive" and row["seed"] == 0:
            trial = row["trial_id"]
    rows = [row for row in store("same").accuracy().to_pylist() if row["trial_id"] == trial]
    store("same").write_accuracy(trial, [row | {"accuracy": row["accuracy"] / 2} for row in rows])
    result = clsweep("compare", "runs/old", "runs/same")
    assert "2 of 3 cells are the same bit for bit; 1 cannot be told apart." in words(result)
    assert result.exit_code == 0
    assert clsweep("compare", "runs/old", "runs/same", "--exact").exit_code == 1
    assert clsweep("compare", "runs/old", "runs/same", "--exact", "--method", "replay").exit_code == 0


def test_a_cell_in_one_run_alone_is_a_difference_unless_it_is_not_asked_for():
    more = ("--set", "name=more", "--set", "methods=[naive, gem]")
    assert clsweep("run", "tiny.yaml", "--local", *more).exit_code == 0
    result = clsweep("compare", "runs/more", "runs/old")
    assert result.exit_code == 1
    assert "In one run alone" in result.output
    assert "1 cell is only in A; 2 cells are only in B." in words(result)
    assert clsweep("compare", "runs/more", "runs/old", "--method", "naive").exit_code == 0


def test_a_seed_that_failed_in_one_run_is_a_difference():
    change_rows("same", "replay", status="failed", error="E", error_cause="E: lost")
    result = clsweep("compare", "runs/old", "runs/same", "--method", "replay")
    assert result.exit_code == 1
    assert "3 seeds ended otherwise" in words(result)
    assert "seeds 0, 1, 2 of replay in" in result.output


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_comparison_fits_the_screen(columns):
    arguments = ["compare", "runs/old", "runs/slow"]
    output = CliRunner().invoke(app, arguments, env={"COLUMNS": columns}).output
    assert max(len(line) for line in output.splitlines()) <= int(columns)


def test_markdown_and_csv_say_the_same_as_the_table():
    markdown = clsweep("compare", "runs/old", "runs/slow", "--format", "markdown")
    assert markdown.exit_code == 1
    assert markdown.stdout.startswith(
        "- A: runs/old\n- B: runs/slow\n\nNone of 3 cells is the same bit for bit"
    )
    assert f"### {TITLE}: ACC\n" in markdown.stdout
    written = clsweep("compare", "runs/old", "runs/slow", "--format", "csv", "--metric", "acc")
    assert written.exit_code == 1
    rows = list(csv.DictReader(io.StringIO(written.stdout)))
    assert list(rows[0]) == TWO_RUNS.names
    assert [row["cell"] for row in rows] == ["naive", "joint", "replay"]
    old, new = final_accuracies("old", "naive"), final_accuracies("slow", "naive")
    assert float(rows[0]["difference"]) == pytest.approx(
        np.mean([new[seed] - old[seed] for seed in range(3)])
    )


def test_earlier_settings_of_a_run_are_compared_if_asked_for():
    assert clsweep("run", "tiny.yaml", "--local", "--set", "train.lr=0.01").exit_code == 0
    result = clsweep("compare", "runs/old", "runs/same")
    assert result.exit_code == 1
    assert "A: 9 trials of earlier settings are not shown; --all shows them." in result.output
    everything = clsweep("compare", "runs/old", "runs/same", "--all")
    assert "3 cells are only in A" in words(everything)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runs/odl", "runs/same"], "no run at runs/odl; did you mean runs/old?"),
        (
            ["runs/old", "runs/../runs/old"],
            "runs/old and runs/../runs/old are the same run; compare it with another",
        ),
        (
            ["runs/old", "runs/same", "--scenario", "domain-il/permuted"],
            "no scenario 'domain-il/permuted'; did you mean 'domain-il/permuted-digits'?",
        ),
        (["runs/old", "runs/same", "--metric", "ac"], "no metric 'ac'; did you mean 'acc'?"),
        (
            ["runs/old", "runs/same", "--method", "repaly"],
            "no method or line 'repaly'; did you mean 'replay'?",
        ),
    ],
)
def test_a_wrong_request_is_one_message(arguments, message):
    result = clsweep("compare", *arguments)
    assert (result.exit_code, result.stderr, result.stdout) == (2, f"clsweep: {message}\n", "")


def test_runs_with_nothing_in_common_say_what_each_has():
    other = ("--set", "name=other", "--set", "scenarios=[class-il/split-digits]", "--set", "methods=[naive]")
    assert clsweep("run", "tiny.yaml", "--local", *other).exit_code == 0
    result = clsweep("compare", "runs/old", "runs/other")
    assert (result.exit_code, result.stderr.splitlines()) == (
        2,
        [
            "clsweep: runs/old and runs/other have nothing in common:",
            f"  runs/old: {TITLE} (naive, joint, replay)",
            "  runs/other: class-il/split-digits (naive)",
        ],
    )


def test_other_data_is_no_comparison():
    for row in store("same").trials().to_pylist():
        store("same").write_trial(row | {"data_digest": "elsewhere"})
    result = clsweep("compare", "runs/old", "runs/same")
    assert result.exit_code == 2
    assert f"{TITLE}: not compared: data " in result.stderr


def test_a_scenario_of_which_no_trial_has_started_is_said_to_have_none():
    shutil.rmtree("runs/same/trials")
    result = clsweep("compare", "runs/old", "runs/same")
    assert result.exit_code == 2
    assert f"{TITLE}: not compared: none of its trials has started in B" in result.stderr


def test_parquet_is_not_among_the_formats():
    result = clsweep("compare", "runs/old", "runs/same", "--format", "parquet")
    assert result.exit_code == 2
    assert "'markdown', 'csv'." in " ".join(result.stderr.replace("│", "").split())


def test_a_damaged_part_is_named_and_its_seed_is_lacking():
    part = next(Path("runs/same/accuracy").iterdir())
    part.write_bytes(part.read_bytes()[:100])
    result = clsweep("compare", "runs/old", "runs/same")
    assert f"B: cannot read {part}" in result.output.replace("\n", "")
    assert "/4" in result.output
    assert COMPLETE in result.output, "the counts of trials differ"
