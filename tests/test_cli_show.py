"""`clsweep show`: the tables of a run in every format, and runs that cannot be shown."""

from __future__ import annotations

import csv
import io
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from commands import clsweep, spec, store

from cl.metrics import METRICS
from results.tidy import SUMMARY
from results.transfer_tables import TRANSFER

SWEEP = """
name: tiny
seeds: 3
scenarios:
  - {kind: domain-il, stream: split-digits, tasks: 3}
  - {kind: class-il, stream: split-digits, tasks: 3}
methods: [naive, joint, ewc: {lambda: {grid: [1, 100]}}]
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


def scores(method, after, scenario="domain-il/split-digits"):
    """Per seed the test accuracies after a task, straight from the rows."""
    rows = (
        store()
        .accuracy()
        .filter(
            (pc.field("method") == method)
            & (pc.field("after_task") == after)
            & (pc.field("scenario") == scenario)
        )
    )
    by_seed = {}
    for row in sorted(rows.to_pylist(), key=lambda row: row["eval_task"]):
        by_seed.setdefault(row["seed"], []).append(row["accuracy"])
    return [by_seed[seed] for seed in sorted(by_seed)]


def test_a_cell_shows_the_mean_over_seeds_and_its_interval():
    accs = [np.mean(values) for values in scores("naive", after=2)]
    half = 4.302653 * np.std(accs, ddof=1) / np.sqrt(3)
    line = next(line for line in shown().splitlines() if line.startswith("naive"))
    line = line.replace(" ± ", "±").replace("±.", "±0.")
    assert line.split()[:3] == ["naive", "3", f"{np.mean(accs):.3f}±{half:.3f}"]


def test_every_cell_is_a_line_of_its_scenarios_table():
    lines = shown().splitlines()
    starts = [lines.index(title) for title in ("domain-il/split-digits", "class-il/split-digits")]
    for start in starts:
        table = [" ".join(line.split("  ")[0].split()) for line in lines[start + 3 : start + 7]]
        assert table == ["naive", "joint", "ewc lambda=1", "ewc lambda=100"]


def test_tables_fit_eighty_columns():
    assert max(len(line) for line in shown("--matrix").splitlines()) <= 80


def test_undefined_metrics_are_a_dash_with_the_reason_below():
    text = shown()
    naive = [line.split() for line in text.splitlines() if line.startswith("naive")][1]
    assert "–" in naive, "FWT in class-il"
    assert "unseen classes have no output" in text


def test_the_matrix_of_a_cell_is_the_mean_of_its_seeds_in_the_articles_layout():
    lines = shown("--matrix").splitlines()
    start = next(i for i, line in enumerate(lines) if line.split() == ["T0", "T1", "T2"])
    columns = [np.mean(scores("naive", after), axis=0) for after in range(3)]
    assert lines[start - 2].split() == ["domain-il/split-digits", "naive"]
    assert "3 seeds" in lines[start - 1]
    assert [line.split() for line in lines[start + 2 : start + 5]] == [
        ["Task", str(i), "|", *(f"{columns[j][i]:.3f}" if i <= j else "—" for j in range(3))]
        for i in range(3)
    ]


def test_csv_has_a_line_per_cell_and_metric():
    rows = list(csv.DictReader(io.StringIO(shown("--format", "csv"))))
    assert len(rows) == 2 * 4 * len(METRICS)
    assert set(rows[0]) == set(SUMMARY.names)
    [acc] = [r for r in rows if (r["kind"], r["label"], r["metric"]) == ("domain-il", "naive", "acc")]
    assert float(acc["mean"]) == pytest.approx(np.mean([np.mean(v) for v in scores("naive", after=2)]))


def test_markdown_has_a_table_per_scenario():
    text = shown("--format", "markdown")
    assert [line for line in text.splitlines() if line.startswith("### ")] == [
        "### domain-il/split-digits",
        "### class-il/split-digits",
    ]
    assert len([line for line in text.splitlines() if re.match(r"\| (naive|joint|ewc) ", line)]) == 8


def test_parquet_goes_to_a_file_with_the_summarys_schema():
    assert shown("--format", "parquet", "--output", "summary.parquet") == ""
    table = pq.read_table("summary.parquet")
    assert table.schema.equals(SUMMARY)
    assert table.num_rows == 2 * 4 * len(METRICS)


@pytest.mark.parametrize("form", ["csv", "markdown"])
def test_a_file_gets_what_the_screen_would(form):
    assert shown("--format", form, "-o", "summary.txt") == ""
    assert Path("summary.txt").read_text() == shown("--format", form)


def test_parquet_is_not_for_the_screen():
    result = clsweep("show", "runs/tiny", "--format", "parquet")
    assert result.exit_code == 2
    assert "--output" in result.stderr


@pytest.mark.parametrize("option", ["--matrix", "--tasks"])
def test_what_is_text_goes_with_no_other_format(option):
    result = clsweep("show", "runs/tiny", "--format", "csv", option)
    assert result.exit_code == 2
    assert option in result.stderr


def test_a_file_that_cannot_be_written_is_one_message():
    for form in ("csv", "parquet"):
        result = clsweep("show", "runs/tiny", "--format", form, "--output", "no/such/folder/file")
        assert result.exit_code == 2
        assert "no/such/folder/file" in result.stderr


def test_a_run_that_does_not_exist_is_refused_with_the_nearest_name():
    result = clsweep("show", "runs/tinny")
    assert result.exit_code == 2
    assert result.stderr == "clsweep: no run at runs/tinny; did you mean runs/tiny?\n"


def test_a_damaged_part_is_named_and_its_seed_is_missing():
    part = next(Path("runs/tiny/accuracy").iterdir())
    part.write_bytes(part.read_bytes()[:100])
    text = shown()
    assert f"cannot read {part}" in text
    assert "The next run repeats the trials whose parts cannot be read." in text
    assert "trials: 1 not started" in text
    assert "2/3" in text


@pytest.mark.parametrize("content", [b"seeds: [", b"PAR1\xff\xfe"])
def test_a_damaged_spec_is_named_and_the_rows_are_shown_all_the_same(content):
    whole = shown()
    Path("runs/tiny/sweep.yaml").write_bytes(content)
    text = shown()
    assert text.startswith(whole)
    assert "runs/tiny/sweep.yaml" in text.removeprefix(whole)


def test_rows_can_be_shown_without_a_spec_beside_them():
    whole = shown()
    Path("runs/tiny/sweep.yaml").unlink()
    assert shown() == whole


def test_a_run_can_be_shown_when_its_data_is_gone(blobs):
    np.savez(
        "mine.npz", x_train=blobs.x_train, y_train=blobs.y_train, x_test=blobs.x_test, y_test=blobs.y_test
    )
    scenario = "{kind: class-il, stream: split, data: mine.npz}"
    mine = f"{{name: mine, seeds: 1, scenarios: [{scenario}], methods: [naive]}}"
    ran = clsweep("run", spec(mine, "mine.yaml"), "--local", "--set", "train.iterations=2")
    assert ran.exit_code == 0
    Path("mine.npz").unlink()
    result = clsweep("show", "runs/mine")
    assert result.exit_code == 0, result.output
    table = result.output.partition("Trials of all settings are shown")[0]
    assert table
    assert ran.output.endswith(table)


def test_trials_of_earlier_settings_are_shown_only_if_asked():
    clsweep("run", "tiny.yaml", "--local", "--set", "methods=[naive]", "--set", "train.lr=0.2")
    text = shown()
    assert len([line for line in text.splitlines() if line.startswith("naive")]) == 2
    assert "24 trials of earlier settings are not shown; --all shows them." in text
    everything = shown("--all")
    assert "train.lr=0.1" in everything
    assert "train.lr=0.2" in everything
    assert "earlier settings" not in everything


def test_the_hint_on_earlier_settings_is_no_line_of_a_csv_file():
    clsweep("run", "tiny.yaml", "--local", "--set", "methods=[naive]", "--set", "train.lr=0.2")
    result = clsweep("show", "runs/tiny", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert "24 trials of earlier settings" in result.stderr
    assert len(rows) == 2 * len(METRICS)
    assert {row["method"] for row in rows} == {"naive"}


def test_a_cell_without_a_complete_seed_has_no_matrix():
    for row in store().trials().filter(pc.field("method") == "joint").to_pylist():
        store().write_trial(row | {"status": "failed", "error_cause": "OSError: disk full", "error": "..."})
    text = shown("--matrix")
    assert "6 trials failed: OSError: disk full" in text
    assert text.count("T0") == 6, "of eight cells"


def test_a_sweep_that_is_still_running_shows_what_is_there():
    row = store().trials().to_pylist()[0]
    store().write_trial(row | {"status": "running", "ended_at": None})
    assert "1 running" in shown()


def test_a_folder_that_only_has_a_spec_shows_what_is_to_come():
    shutil.rmtree("runs/tiny/trials")
    shutil.rmtree("runs/tiny/accuracy")
    text = shown()
    assert text.count("0/3") == 8
    assert text.count("trials: 12 not started") == 2


def test_seeds_and_cells_that_have_not_started_are_counted():
    for row in store().trials().filter((pc.field("method") == "ewc") | (pc.field("seed") == 2)).to_pylist():
        Path(f"runs/tiny/trials/{row['trial_id']}.parquet").unlink()
    text = shown()
    assert (text.count("2/3"), text.count("0/3")) == (4, 4)
    assert text.count("trials: 8 not started") == 2


def test_trials_of_other_data_are_not_shown():
    row = store().trials().to_pylist()[0]
    earlier = {"trial_id": "other", "data_digest": "other", "started_at": datetime(2020, 1, 1, tzinfo=UTC)}
    whole = shown()
    store().write_trial(row | earlier | {"status": "failed"})
    assert shown() == whole + "1 trial of earlier settings is not shown; --all shows it.\n"


def with_scratch():
    """Run the sweep again with the reference of forward transfer; what that printed."""
    added = spec(SWEEP.replace("[naive,", "[naive, scratch,"))
    ran = clsweep("run", added, "--local")
    assert ran.exit_code == 0
    return ran.output


def first_epoch(method, task):
    """By seed the accuracy after the first epoch in domain-il, straight from the rows."""
    return {
        row["seed"]: row["first_epoch_accuracy"]
        for row in store().tasks().to_pylist()
        if (row["method"], row["task"], row["scenario"]) == (method, task, "domain-il/split-digits")
    }


def test_forward_transfer_is_shown_wherever_there_is_a_model_from_scratch_to_compare_with():
    assert "forward transfer" not in shown()
    ran = with_scratch()
    text = shown()
    assert ran.endswith(text)
    assert text.count(": forward transfer\n") == 2
    assert text.endswith("\n\n" + shown("--transfer"))
    assert shown("--transfer").startswith("domain-il/split-digits: forward transfer\n")
    assert max(map(len, text.splitlines())) <= 80


def test_forward_transfer_is_the_difference_from_scratch_on_the_same_seed():
    with_scratch()
    rows = list(csv.DictReader(io.StringIO(shown("--transfer", "--format", "csv"))))
    assert len(rows) == 2 * 4 * 3 * 3, "scenarios, cells but joint, tasks and their mean, measures"
    [row] = [
        row
        for row in rows
        if (row["kind"], row["label"], row["task"], row["measure"])
        == ("domain-il", "naive", "2", "first_epoch")
    ]
    own, alone = first_epoch("naive", 2), first_epoch("scratch", 2)
    assert float(row["mean"]) == pytest.approx(np.mean(list(own.values())))
    assert float(row["gain"]) == pytest.approx(np.mean([own[seed] - alone[seed] for seed in range(3)]))


def test_forward_transfer_of_a_method_needs_no_line_of_scratch_beside_it():
    with_scratch()
    text = shown("--transfer", "--method", "naive")
    lines = [line.split()[1] for line in text.splitlines() if line.startswith(("1 ", "2 ", "mean "))]
    assert set(lines) >= {"naive"}
    assert "scratch" not in lines
    assert text in shown("--method", "naive")


def test_forward_transfer_goes_to_files_as_the_summary_does():
    with_scratch()
    assert shown("--transfer", "--format", "parquet", "--output", "transfer.parquet") == ""
    assert pq.read_table("transfer.parquet").schema.equals(TRANSFER)
    assert shown("--transfer", "--format", "markdown").count("### ") == 2


def test_forward_transfer_without_a_model_from_scratch_says_what_to_add():
    result = clsweep("show", "runs/tiny", "--transfer", "--output", "untouched.txt")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "clsweep: runs/tiny: forward transfer is measured against the method scratch"
    )
    assert "add scratch to the methods of the spec" in result.stderr
    assert not Path("untouched.txt").exists()


@pytest.mark.parametrize("option", ["--matrix", "--tasks"])
def test_forward_transfer_is_printed_alone(option):
    result = clsweep("show", "runs/tiny", "--transfer", option)
    assert result.exit_code == 2
    assert f"--transfer is printed alone; it does not go with {option}" in result.stderr


def test_tasks_are_printed_with_what_they_cost_and_what_methods_say_of_themselves():
    lines = shown("--tasks").splitlines()
    assert lines.count("domain-il/split-digits: cost") == lines.count("class-il/split-digits: cost") == 1
    assert max(map(len, lines)) <= 80
    start = lines.index("domain-il/split-digits  naive")
    R = np.mean([scores("naive", after) for after in range(3)], axis=1)
    rows = [line.split() for line in lines[start + 4 : start + 7]]
    assert [row[:2] for row in rows] == [[str(k), f"{R[k, k]:.3f}"] for k in range(3)]
    assert [row[3] for row in rows] == ["20"] * 3, "steps"
    assert "Fisher" in "".join(lines)


def test_a_damaged_part_of_the_tasks_is_named_once_it_is_needed():
    part = next(Path("runs/tiny/tasks").iterdir())
    part.write_bytes(part.read_bytes()[:100])
    assert f"cannot read {part}" not in shown()
    assert f"cannot read {part}" in shown("--tasks")
