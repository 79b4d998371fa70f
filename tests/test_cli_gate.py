"""`clsweep gate`: exit codes, messages, and a table that agrees with the rows on disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from commands import clsweep, spec, store
from typer.testing import CliRunner

from cli import app

SWEEP = """
name: new
seeds: 3
scenarios: [{kind: domain-il, stream: permuted-digits, tasks: 3}]
methods: [naive, joint, replay: {ratio: {grid: [0.5, 0.8]}}]
model: {hidden: [16]}
train: {iterations: 20, lr: 0.1}
"""
AGAINST_NAIVE = ("--challenger-cell", "replay ratio=0.8", "--champion-cell", "naive")
GENEROUS = ("--max-forgetting", "1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with two runs: `new` of four cells and `old` of naive alone."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert clsweep("run", spec(SWEEP), "--local").exit_code == 0
        old = ("--set", "name=old", "--set", "methods=[naive]")
        assert clsweep("run", "tiny.yaml", "--local", *old).exit_code == 0
    return folder


@pytest.fixture(autouse=True)
def here(finished, tmp_path, monkeypatch):
    """A folder of the test's own with a copy of the runs."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def final_accuracies(run, method, hyperparameters):
    """ACC by seed, straight from the rows."""
    trials = store(run).trials()
    ours = trials.filter(
        pc.and_(
            pc.equal(trials["method"], method), pc.match_substring(trials["hyperparameters"], hyperparameters)
        )
    )
    rows = store(run).accuracy().to_pylist()
    return {
        trial["seed"]: np.mean(
            [
                row["accuracy"]
                for row in rows
                if (row["trial_id"], row["after_task"]) == (trial["trial_id"], 2)
            ]
        )
        for trial in ours.to_pylist()
    }


def test_a_challenger_that_surely_does_well_enough_passes():
    result = clsweep("gate", "runs/new", "runs/old", "--challenger-cell", "replay ratio=0.8", *GENEROUS)
    assert result.exit_code == 0, result.output
    assert [line.strip() for line in result.output.splitlines() if line.strip()][-1] == "passes"
    ours, theirs = final_accuracies("new", "replay", "0.8"), final_accuracies("old", "naive", "{")
    differences = [ours[seed] - theirs[seed] for seed in range(3)]
    half = 4.302653 * np.std(differences, ddof=1) / np.sqrt(3)
    low, high = np.mean(differences) - half, np.mean(differences) + half
    line = next(line for line in result.output.splitlines() if line.startswith("ACC difference"))
    assert line.split()[2:6] == [f"{np.mean(differences):.4f}", f"{low:.4f}", "to", f"{high:.4f}"]


def test_a_challenger_that_does_not_has_exit_code_1():
    result = clsweep("gate", "runs/old", "runs/new", "--champion-cell", "replay ratio=0.8")
    assert result.exit_code == 1, result.output
    assert "fails: " in result.output


def test_an_undecided_gate_has_exit_code_1_and_says_what_would_decide():
    for path in Path("runs/new/trials").iterdir():
        row = next(row for row in store("new").trials().to_pylist() if row["trial_id"] == path.stem)
        if row["seed"] > 0:
            store("new").write_trial(row | {"status": "diverged"})
    result = clsweep("gate", "runs/new", "runs/new", *AGAINST_NAIVE)
    assert result.exit_code == 1, result.output
    assert "undecided: ACC, FM, BWT" in result.output
    assert "challenger: 1 of 3 seeds complete" in result.output
    assert "one seed has no interval" in result.output


def test_two_cells_of_one_run_can_be_compared():
    assert clsweep("gate", "runs/new", "runs/new", *AGAINST_NAIVE, *GENEROUS).exit_code == 0
    for again in ("runs/new", "runs/../runs/new", f"file://{Path.cwd()}/runs/new"):
        same = clsweep("gate", "runs/new", again, "--challenger-cell", "naive", "--champion-cell", "naive")
        assert same.exit_code == 2
        assert "is both the challenger and the champion" in same.stderr


def test_the_gate_fits_eighty_columns():
    result = clsweep("gate", "runs/new", "runs/old", "--challenger-cell", "replay ratio=0.5")
    assert max(len(line) for line in result.output.splitlines()) <= 80


def test_no_number_of_the_gate_is_cut_short_on_a_narrow_screen():
    arguments = ["gate", "runs/new", "runs/old", "--challenger-cell", "replay ratio=0.5"]
    narrow = CliRunner().invoke(app, arguments, env={"COLUMNS": "60"}).output
    assert max(len(line) for line in narrow.splitlines()) <= 60
    words = {word for word in clsweep(*arguments).output.split() if "─" not in word}
    assert words <= set(narrow.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runs/now", "runs/old"], "no run at runs/now; did you mean runs/new?"),
        (
            ["runs/new", "runs/old"],
            (
                "name the challenger in domain-il/permuted-digits with --challenger-cell; "
                "in runs/new: naive, joint, replay ratio=0.5, replay ratio=0.8"
            ),
        ),
        (
            ["runs/new", "runs/old", "--challenger-cell", "replay ratio=.8"],
            (
                "--challenger-cell: runs/new has no 'replay ratio=.8' in domain-il/permuted-digits; "
                "did you mean 'replay ratio=0.8'?"
            ),
        ),
        (
            ["runs/new", "runs/old", "--scenario", "domain-il/permuted"],
            "no scenario 'domain-il/permuted'; did you mean 'domain-il/permuted-digits'?",
        ),
    ],
)
def test_a_wrong_request_is_one_message(arguments, message):
    result = clsweep("gate", *arguments)
    assert (result.exit_code, result.stderr) == (2, f"clsweep: {message}\n")


@pytest.mark.parametrize("option", [("--max-acc-drop", "2"), ("--level", "95"), ("--max-forgetting", "nan")])
def test_a_threshold_or_level_that_cannot_be_is_refused(option):
    assert clsweep("gate", "runs/new", "runs/new", *AGAINST_NAIVE, *option).exit_code == 2


def test_the_thresholds_and_the_level_are_those_given():
    options = (
        "--max-acc-drop",
        "0.125",
        "--max-bwt-drop",
        "0.25",
        "--max-forgetting",
        "0.375",
        "--level",
        "0.8",
    )
    output = clsweep("gate", "runs/new", "runs/new", *AGAINST_NAIVE, *options).output
    for text in ("> -0.1250", "> -0.2500", "< 0.3750", "80 % interval"):
        assert text in output


def test_a_damaged_part_is_named_and_its_seed_is_lacking():
    part = next(Path("runs/old/accuracy").iterdir())
    part.write_bytes(part.read_bytes()[:100])
    result = clsweep("gate", "runs/old", "runs/new", "--champion-cell", "naive", *GENEROUS)
    assert f"cannot read {part}" in result.output.replace("\n", "")
    assert "challenger: 2 of 3 seeds complete" in result.output
    assert result.exit_code == 1
