"""`clsweep plan`: what would run and how long it should take, without running it."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pyarrow.compute as pc
import pytest
from commands import clsweep, parts, spec, store

from cl import registry


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty current folder, and no Ray to import."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "orchestrator.on_ray", raising=False)


def planned(*arguments):
    result = clsweep("plan", *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def rows(text):
    """The lines of the table as words."""
    return [line.split() for line in text.partition("\n\n")[0].splitlines()]


def test_a_new_sweep_is_all_to_run_and_nothing_is_written():
    text = planned(spec())
    assert rows(text) == [
        ["scenario", "method", "trials", "reused", "new"],
        ["class-il/split-digits", "naive", "2", "0", "2"],
        ["joint", "2", "0", "2"],
        ["ewc", "2", "0", "2"],
        ["replay", "2", "0", "2"],
        ["all", "8", "0", "8"],
    ]
    assert "excluded: nothing" in text
    assert [path.name for path in Path().iterdir()] == ["tiny.yaml"]


def test_a_shipped_sweep_is_planned_by_its_name():
    text = planned("quickstart", "--set", "seeds=2", "--set", "train.epochs=1")
    assert {"class-il/split-digits", "domain-il/permuted-digits"} <= {words[0] for words in rows(text)}


def test_what_is_complete_is_not_to_run():
    clsweep("run", spec(), "--local", "--set", "seeds=1")
    before = parts()
    assert rows(planned("tiny.yaml", "--set", "seeds=3"))[1:] == [
        ["class-il/split-digits", "naive", "3", "1", "2"],
        ["joint", "3", "1", "2"],
        ["ewc", "3", "1", "2"],
        ["replay", "3", "1", "2"],
        ["all", "12", "4", "8"],
    ]
    assert parts() == before


def test_failed_and_interrupted_trials_run_again_and_diverged_ones_do_not():
    clsweep("run", spec(), "--local")
    for row in store().trials().to_pylist():
        status = {"naive": "failed", "joint": "diverged", "ewc": "running", "replay": "complete"}
        store().write_trial(row | {"status": status[row["method"]]})
    text = planned("tiny.yaml")
    assert rows(text) == [
        ["scenario", "method", "trials", "reused", "new", "again"],
        ["class-il/split-digits", "naive", "2", "0", "0", "2"],
        ["joint", "2", "2", "0", "0"],
        ["ewc", "2", "0", "0", "2"],
        ["replay", "2", "2", "0", "0"],
        ["all", "8", "4", "0", "4"],
    ]
    assert "\nagain: 4 trials that failed or were interrupted\n" in text


def test_what_a_changed_spec_does_not_plan_is_stale_and_the_plan_says_why():
    clsweep("run", spec(), "--local")
    clsweep("run", "tiny.yaml", "--local", "--set", "train.iterations=4", "--set", "seeds=1")
    for row in store().trials().filter(pc.field("method") == "ewc").to_pylist():
        store().write_trial(row | {"data_digest": "0123456789abcdef", "trial_id": row["trial_id"][::-1]})
    text = planned("tiny.yaml", "--set", "methods=[naive, joint, ewc]", "--set", "seeds=1")
    assert ["all", "3", "3", "0"] in rows(text)
    lines = [line.rstrip() for line in text.splitlines()]
    start = lines.index("stale: 12 trials of this run, which the spec does not plan now")
    digest = store().trials().filter(pc.field("method") == "naive")["data_digest"][0].as_py()[:8]
    assert sorted(lines[start + 1 :]) == [
        "  1  train.iterations 4 -> 5, data digest 01234567 -> " + digest,
        "  2  data digest 01234567 -> " + digest,
        "  3  method replay is not planned",
        "  3  seed 1 is not planned",
        "  3  train.iterations 4 -> 5",
    ]


def test_a_finished_sweep_has_nothing_left_to_run():
    clsweep("run", spec(), "--local")
    assert "\nnothing is left to run\n" in planned("tiny.yaml")


def test_the_time_comes_from_a_calibration_first_and_from_earlier_trials_later():
    # The line may be broken anywhere.
    text = " ".join(planned(spec()).split())
    assert re.search(r"expected: about (\d+ min )?\d+ s, \d+ trials? at a time", text)
    assert "from a short calibration on this machine" in text
    clsweep("run", "tiny.yaml", "--local", "--set", "methods=[naive]")
    text = " ".join(planned("tiny.yaml", "--set", "seeds=3").split())
    assert "1 trial from earlier timings, the others from a short calibration" in text
    text = " ".join(planned("tiny.yaml", "--set", "seeds=3", "--set", "methods=[naive]").split())
    assert "from the timings of earlier trials" in text


def test_a_sweep_that_cannot_work_can_still_be_planned():
    assert "0 s of training" in planned(spec(), "--set", "train.lr=1e30", "--set", "train.clip_norm=null")


def test_what_is_suboptimal_runs_with_a_warning():
    warning = (
        "warning: class-il/split-digits: DomainMLP is suboptimal in class-il: "
        "classes that are still to come compete from the start"
    )
    text = planned(spec(), "--set", "model.name=DomainMLP")
    assert " ".join(text.split()).count(warning) == 1
    assert ["all", "8", "0", "8"] in rows(text)
    ran = clsweep("run", "tiny.yaml", "--local", "--set", "model.name=DomainMLP", "--set", "seeds=1")
    assert warning in ran.output
    assert ran.exit_code == 0


def test_a_sweep_of_which_nothing_can_run_is_refused_and_reads_no_data():
    refused = clsweep("plan", spec(), "--set", "methods=[pnn, packnet]", "--data-dir", "nowhere")
    assert refused.exit_code == 2
    where = "  class-il/split-digits with "
    assert refused.stderr.splitlines() == [
        "clsweep: nothing of tiny can run:",
        where + "pnn: pnn cannot run in class-il because it selects its column by the task id",
        where + "packnet: packnet cannot run in class-il because it selects its weights by the task id",
    ]
    mnist = "scenarios=[class-il/split-mnist]"
    unread = clsweep("plan", "tiny.yaml", "--set", "methods=[pnn]", "--set", mnist, "--data-dir", "nowhere")
    assert "nothing of tiny can run" in unread.stderr


def test_a_model_that_the_data_does_not_suit_is_refused_before_anything_runs():
    deep = clsweep("run", spec(), "--local", "--set", "model={name: ConvNet, channels: [2, 2, 2, 2]}")
    assert deep.exit_code == 2
    assert deep.stderr == (
        "clsweep: class-il/split-digits: ConvNet: its 4 convolutions halve the image each, so it must be "
        "at least 16 x 16; the data's shape is (8, 8)\n"
    )
    assert not Path("runs").exists()


def test_a_memory_with_too_few_places_for_the_classes_is_refused_before_anything_runs():
    scenarios = "scenarios=[class-il/split-digits, {kind: class-il, stream: permuted-digits, tasks: 3}]"
    small = "methods=[replay: {memory: per-class, buffer_size: {grid: [9, 29]}}]"
    refused = clsweep("plan", spec(), "--set", scenarios, "--set", small)
    assert refused.exit_code == 2
    few = "{}: replay: buffer_size {} is less than one example of each of {} classes; give at least {}, or "
    assert [line.removesuffix("memory 'reservoir'") for line in refused.stderr.splitlines()] == [
        "clsweep: tiny has 3 problems:",
        "  " + few.format("class-il/split-digits", 9, 10, 10),
        "  " + few.format("class-il/permuted-digits", 9, 30, 30),
        "  " + few.format("class-il/permuted-digits", 29, 30, 30),
    ]
    assert "excluded: nothing" in planned("tiny.yaml", "--set", small.replace("9, 29", "10, 30"))


def test_a_progressive_network_that_outgrows_its_budget_is_warned_of(monkeypatch):
    monkeypatch.setattr("orchestrator.preparation.PARAMETER_BUDGET", 9_000)
    scenario = "scenarios=[{kind: task-il, stream: split-digits, tasks: 3}]"
    small = planned(spec(), "--set", scenario, "--set", "methods=[pnn]")
    # Hidden [16] on 64 pixels: columns of 1040, 1296 and 1552 hidden parameters, and heads of 34.
    assert "warning" not in small
    grown = planned(
        "tiny.yaml", "--set", scenario, "--set", "methods=[pnn, naive]", "--set", "model.hidden=[32]"
    )
    # Columns of 2080, 3104 and 4128, and heads of 66: 9510 in all.
    assert (
        "warning: task-il/split-digits: pnn will have 9,510 parameters after the last of 3 tasks, more than "
        "9,000; packnet keeps one network's size"
    ) in " ".join(grown.split())


def test_what_cannot_be_combined_is_excluded_with_the_reason(monkeypatch):
    picky = replace(registry.METHODS["ewc"], kinds=("task-il",), needs="needs to be told the task")
    monkeypatch.setattr(registry, "METHODS", MappingProxyType({**registry.METHODS, "ewc": picky}))
    result = clsweep("plan", spec())
    text = " ".join(result.output.split())
    reason = "class-il/split-digits with ewc: ewc cannot run in class-il because it needs to be told the task"
    assert f"excluded: {reason}" in text
    assert ["all", "6", "0", "6"] in rows(result.output)
    ran = " ".join(clsweep("run", "tiny.yaml", "--local").output.split())
    assert f"excluded: {reason}" in ran
    assert sorted(store().trials()["method"].to_pylist()) == sorted(["naive", "joint", "replay"] * 2)


@pytest.mark.parametrize("mistake", ["methods=[ewk]", "train.lr=0", "scenarios.0.taks=3"])
def test_a_wrong_spec_is_refused_as_by_run(mistake):
    refused = clsweep("plan", spec(), "--set", mistake)
    assert refused.exit_code == 2
    assert refused.stderr == clsweep("run", "tiny.yaml", "--local", "--set", mistake).stderr


def test_a_damaged_part_is_named_and_its_trial_runs_again():
    clsweep("run", spec(), "--local", "--set", "seeds=1")
    part = next(Path("runs/tiny/trials").iterdir())
    part.write_text("not Parquet")
    result = clsweep("plan", "tiny.yaml")
    assert result.exit_code == 0
    assert f"cannot read {part}" in result.output
    assert ["all", "8", "3", "5"] in rows(result.output)
    again = clsweep("run", "tiny.yaml", "--local", "--set", "seeds=1")
    assert "4 trials, 3 of them done before" in again.output
    assert "cannot read" not in clsweep("plan", "tiny.yaml").output


def test_another_storage_has_other_trials():
    clsweep("run", spec(), "--local", "--storage", "elsewhere")
    assert ["all", "8", "0", "8"] in rows(planned("tiny.yaml"))
    assert ["all", "8", "8", "0"] in rows(planned("tiny.yaml", "--storage", "elsewhere"))
