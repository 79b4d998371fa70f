"""`clsweep tune` and what shows a tuned run: the whole way from a spec to the winners."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from commands import clsweep, column, parts, process, spec, store, wait_until

from results.schema import COMPLETE, STOPPED

# Three tasks, five steps each: a trial takes about 20 ms.
TUNED = """
name: tuned
seeds: 2
scenarios: [{kind: class-il, stream: split-digits, tasks: 3}]
methods: [naive, replay: {ratio: {uniform: [0.2, 0.8]}, buffer_size: {choice: [20, 50]}}]
model: {hidden: [16]}
train: {iterations: 5}
tune: {search: random, configs: 4, seeds: 2}
"""
TASKS = 3


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def done(*arguments: str) -> str:
    result = clsweep(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def tuned(*more: str) -> str:
    return done("tune", spec(TUNED, "tuned.yaml"), "--local", *more)


def rows(name: str = "tuned") -> list[dict[str, object]]:
    return store(name).trials().to_pylist()


def statuses(name: str = "tuned") -> list[str]:
    return sorted(row["status"] for row in rows(name))


def test_a_search_and_its_report_are_planned_before_they_run():
    text = done("plan", spec(TUNED, "tuned.yaml"))
    lines = [line.split() for line in text.splitlines()]
    assert ["scenario", "method", "configs", "search", "report", "done"] in lines
    assert ["replay", "4", "8", "4", "0"] in lines
    assert "random search by val_acc on selection seeds 1000000 to 1000001; val-stream: " in text
    assert "expected: at most 14 trials" in " ".join(text.split())
    assert not Path("runs").exists()


def test_the_winner_is_measured_on_seeds_and_data_that_the_search_never_saw():
    text = tuned()
    assert text.startswith("tuned: at most 14 trials; results in ")
    assert "chosen by val-stream (random, 2 selection seeds)" in text
    searching = [row for row in rows() if row["scored_on"] == "val"]
    reporting = [row for row in rows() if row["scored_on"] == "test"]
    assert {row["seed"] for row in searching} == {1_000_000, 1_000_001}
    assert {row["seed"] for row in reporting} == {0, 1}
    assert len(searching) == 8
    of = {row["trial_id"]: row for row in rows()}
    accuracy = store("tuned").accuracy().to_pylist()
    assert {(row["split"], of[row["trial_id"]]["scored_on"]) for row in accuracy} == {
        ("val", "val"),
        ("test", "test"),
    }
    assert all(json.loads(row["train"])["val_share"] == 0.1 for row in searching)


def test_every_row_says_how_its_hyperparameters_were_chosen():
    tuned()
    said = {
        (row["method"], row["scored_on"], row["protocol"], row["chosen_by"], row["configs"]) for row in rows()
    }
    assert said == {
        ("naive", "test", "fixed", None, None),
        ("replay", "val", "val-stream", "random, none", 4),
        ("replay", "test", "val-stream", "random, none", 4),
        ("replay", "test", "fixed", None, None),  # the default
    }
    chosen = [row for row in rows() if row["protocol"] == "val-stream"]
    assert all(row["chosen_on"] == "class-il/split-digits" for row in chosen)
    assert all(row["selection_seeds"] == [1_000_000, 1_000_001] for row in chosen)


def test_the_same_command_again_runs_nothing():
    tuned()
    before = parts("tuned")
    assert "tuned: 14 trials, 14 of them done before" in tuned()
    assert parts("tuned") == before
    assert "nothing is left to run" in done("plan", "tuned.yaml")


def test_more_configurations_reuse_the_trials_of_the_first_ones():
    tuned()
    before = parts("tuned")
    done("tune", "tuned.yaml", "--local", "--set", "tune.configs=6")
    searching = [row["trial_id"] for row in rows() if row["scored_on"] == "val"]
    assert len(searching) == 12
    accuracy = {path: content for path, content in before.items() if path.startswith("accuracy/")}
    assert accuracy.items() <= parts("tuned").items()
    assert {row["configs"] for row in rows() if row["protocol"] == "val-stream" and row["seed"] < 2} == {6}


def test_the_winners_are_a_sweep_whose_trials_are_those_of_the_report():
    text = tuned("--write", "best.yaml")
    assert text.endswith("the winners are in best.yaml: clsweep run best.yaml\n")
    done("run", "best.yaml", "--local")
    best = {row["trial_id"]: row for row in rows("tuned-best")}
    ours = {row["trial_id"]: row for row in rows() if row["scored_on"] == "test"}
    assert best.keys() < ours.keys()
    assert len(best) == 4  # naive and the winner
    assert all(row["protocol"] == ours[trial_id]["protocol"] for trial_id, row in best.items())
    assert {row["selection_seeds"][0] for row in best.values() if row["method"] == "replay"} == {1_000_000}
    again = clsweep("run", "best.yaml", "--local", "--set", "seeds=[1000001]")
    assert again.exit_code == 2
    assert "seeds: 1000001 selected the hyperparameters, so a report must not use them" in again.output


def test_halving_stops_half_after_two_tasks_and_says_so():
    text = tuned("--set", "tune.scheduler=halving")
    assert "replay: 4 configurations, 2 of them left the halving early; 8 trials" in text
    assert statuses() == [COMPLETE] * 10 + [STOPPED] * 4
    stopped = {row["trial_id"] for row in rows() if row["status"] == STOPPED}
    learned = [row["task"] for row in store("tuned").tasks().to_pylist() if row["trial_id"] in stopped]
    assert sorted(learned) == [0] * 4 + [1] * 4
    assert "nothing is wrong" in done("check", "runs/tuned")
    assert list(Path("runs/tuned/checkpoints").glob("*/*")) == []
    assert "all 14 trials have ended" in done("status", "runs/tuned")


def test_the_response_is_a_table_a_plot_and_pictures():
    tuned("--set", "tune.configs=10", "--set", "tune.seeds=1")
    text = done("show", "runs/tuned", "--response")
    assert "class-il/split-digits, replay: configurations on validation data" in text
    assert text.count("chosen\n") + text.count("chosen ") == 1
    assert "ratio=" in text
    assert "buffer_size=" in text
    assert "ACC on validation data" in text
    assert "importance (fANOVA): " in text
    written = [Path(line).name for line in clsweep("plot", "runs/tuned").stdout.splitlines()]
    assert "response-class-il-split-digits-replay-ratio.svg" in written
    assert "stability-plasticity-class-il-split-digits-replay.png" in written
    assert all((Path("runs/tuned/plots") / name).stat().st_size > 1000 for name in written)


def test_a_sweep_without_a_search_has_no_response():
    done("run", spec(), "--local", "--set", "seeds=1")
    result = clsweep("show", "runs/tiny", "--response")
    assert result.exit_code == 2
    assert "nothing was searched" in result.output
    assert "response-" not in clsweep("plot", "runs/tiny").stdout


@pytest.mark.parametrize(
    ("verb", "text", "hint"),
    [
        ("run", TUNED, "has the section tune; clsweep tune a.yaml searches and then reports"),
        ("tune", None, "has no section tune, which says how to search; clsweep run a.yaml runs it"),
    ],
)
def test_the_wrong_verb_names_the_right_one(verb, text, hint):
    result = clsweep(verb, spec(text, "a.yaml") if text else spec(path="a.yaml"), "--local")
    assert result.exit_code == 2
    assert hint in result.output
    assert not Path("runs").exists()


def test_pictures_that_cannot_be_written_are_one_message():
    tuned()
    Path("file").write_text("in the way")
    result = clsweep("plot", "runs/tuned", "--output", "file")
    assert result.exit_code == 2
    assert "cannot write file" in result.output


@pytest.mark.timeout(180)
def test_interrupted_on_ray_it_goes_on_and_ends_as_if_nothing_had_happened():
    done("tune", spec(TUNED, "tuned.yaml"), "--local", "--set", "tune.scheduler=halving")
    expected = {path: content for path, content in parts("tuned").items() if path.startswith("accuracy/")}
    longer = ("--set", "tune.scheduler=halving", "--storage", "again", "--checkpoint-every", "0")
    driver = process("tune", "tuned.yaml", *longer)
    trials = Path("again/tuned/trials")
    wait_until(lambda: trials.exists() and len(list(trials.iterdir())) > 2)
    driver.send_signal(signal.SIGINT)
    output, _ = driver.communicate(timeout=60)
    assert driver.returncode in {0, 130}, output
    result = process("tune", "tuned.yaml", *longer)
    output, errors = result.communicate(timeout=120)
    assert result.returncode == 0, output + errors
    again = Path("again/tuned")
    found = {
        str(path.relative_to(again)): path.read_bytes() for path in sorted(again.glob("accuracy/*.parquet"))
    }
    assert found == expected
    assert column(store("tuned", "again").trials(), "status").count(STOPPED) == 4
