"""Tuning in this process, through to its rows: no test data, interruptions, extensions."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from commands import ROOT

import orchestrator.local
import orchestrator.preparation
from cl.datasets import load
from orchestrator.options import Options
from orchestrator.preparation import prepare
from orchestrator.sweep import run_tuned
from orchestrator.tuned import tuned, tuned_studies
from orchestrator.tuning import tuned_sweep
from orchestrator.tuning_progress import TuningProgress
from results.store import Store
from sweeps.spec import load_spec

TUNED = """
name: t
seeds: 2
scenarios: [class-il/split-digits]
methods: [{methods}]
model: {{hidden: [16]}}
train: {{iterations: 12, batch_size: 32, lr: 0.1}}
tune: {{{tune}}}
"""
REPLAY = "replay: {ratio: {uniform: [0.0, 0.9]}, buffer_size: 100}"
EWC = "ewc: {lambda: {loguniform: [1, 1.0e+6]}}"
SEARCHES = {
    "none": "search: random, configs: 4, seeds: 2",
    "tpe": "search: tpe, configs: 7, seeds: 1",
    "halving": "search: random, scheduler: halving, configs: 5, seeds: 2",
    "race": "search: random, scheduler: race, configs: 4, seeds: 6",
}


@pytest.fixture
def spec(tmp_path):
    """A checked spec by its methods and its section ``tune``."""

    def make(*methods, tune=SEARCHES["none"], more=""):
        path = tmp_path / "t.yaml"
        path.write_text(TUNED.format(methods=", ".join(methods), tune=tune) + more)
        return load_spec(str(path))

    return make


class Run:
    """A tuned run in a folder."""

    def __init__(self, spec, root):
        self.spec = spec
        self.store = Store(root)

    def go(self, **options):
        """Run it, or go on with it; the sweep as it ended."""
        prepared = prepare(self.spec)
        sweep = tuned_sweep(prepared, self.store)
        assert run_tuned(prepared, sweep, self.store, Options(local=True, **options)) == 0
        return sweep

    def accuracy(self, *, without_ids=False):
        """The accuracy rows, in an order of their own."""
        table = self.store.accuracy()
        if without_ids:
            hyperparameters = {row["trial_id"]: row["hyperparameters"] for row in self.trials()}
            named = [hyperparameters[each] for each in table["trial_id"].to_pylist()]
            table = table.drop_columns("trial_id").append_column("hyperparameters", [named])
        return table.sort_by([(name, "ascending") for name in table.column_names])

    def trials(self):
        """The rows of all trials."""
        return self.store.trials().to_pylist()

    def results(self):
        """Everything that does not depend on the machine or the clock."""
        tasks = self.store.tasks().drop_columns(["train_s", "eval_s"])
        columns = ("trial_id", "status", "hyperparameters", "protocol", "chosen_by", "n_tasks", "chance")
        trials = [{name: row[name] for name in columns} for row in self.trials()]
        return (
            self.accuracy().to_pylist(),
            sorted(tasks.to_pylist(), key=lambda row: (row["trial_id"], row["task"])),
            sorted(trials, key=lambda row: row["trial_id"]),
        )

    def studies(self):
        """What each study came to, read from the rows."""
        return tuned_studies(tuned(self.store.trials(), self.store.accuracy(), self.spec))


@pytest.fixture
def run(spec, tmp_path):
    """A run that has not begun, by its methods and its section ``tune``."""
    count = iter(range(100))

    def make(*methods, tune=SEARCHES["none"], root=None):
        return Run(spec(*methods, tune=tune), root or tmp_path / f"run{next(count)}")

    return make


@pytest.fixture
def started(monkeypatch):
    """The trials that were started, in order, with the data that each was given."""
    found, outcomes_of = [], orchestrator.local.outcomes_of

    def noted(trial, data, checkpoints, until):
        found.append((trial, data))
        return outcomes_of(trial, data, checkpoints, until)

    monkeypatch.setattr(orchestrator.local, "outcomes_of", noted)
    return found


def with_other_test_data(name, data_dir=None):
    """The data set with noise in place of its test images, and other labels."""
    data = load(name, data_dir)
    random = np.random.default_rng(0)
    x_test = random.integers(0, 256, size=(37, *data.x_test.shape[1:]), dtype=np.uint8)
    y_test = np.arange(37) * 3 % 10
    return replace(data, x_test=x_test.astype(data.x_test.dtype), y_test=y_test)


# No test data.


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_is_the_same_bit_for_bit_whatever_the_test_data_is(name, run, monkeypatch):
    methods = ("naive", REPLAY if name == "race" else EWC)
    honest, garbled = (run(*methods, tune=SEARCHES[name]) for _ in range(2))
    expected = honest.go()
    monkeypatch.setattr(orchestrator.preparation, "load", with_other_test_data)
    sweep = garbled.go()
    for one, other in zip(sweep.courses, expected.courses, strict=True):
        assert one.found == other.found
        assert one.chosen == other.chosen
    val, others = (
        [row for row in each.accuracy(without_ids=True).to_pylist() if row["split"] == "val"]
        for each in (garbled, honest)
    )
    assert val == others
    assert len(val) > 0
    tested = [[study.default_test for study in each.studies()] for each in (garbled, honest)]
    assert tested[0] != tested[1], "the reports are on test data"


@pytest.mark.parametrize(
    "protocol", ["val-stream", "first-k, first_k: 2", "transfer, source: rotated-digits"]
)
def test_no_trial_of_a_search_holds_or_is_scored_on_a_test_example(protocol, run, started):
    tuning = run("naive", EWC, REPLAY, tune=f"protocol: {protocol}, search: random, configs: 2, seeds: 2")
    tuning.go()
    searching = {trial.id: data for trial, data in started if trial.scored_on == "val"}
    reporting = {trial.id: data for trial, data in started if trial.scored_on == "test"}
    assert len(searching) == 2 * 2 * 2
    for [data] in searching.values():
        assert len(data.x_test) == len(data.y_test) == 0
        assert data.x_test.base is None, "it is no view of an array that holds more"
        assert data.y_test.base is None
    assert all(len(data.x_test) for [data] in reporting.values())
    splits = {}
    for row in tuning.store.accuracy().to_pylist():
        splits.setdefault(row["trial_id"], set()).add(row["split"])
    assert all(splits[each] == {"val"} for each in searching)
    assert all(splits[each] == {"test"} for each in reporting)


def test_a_search_and_its_report_have_no_seed_in_common(run, started):
    run(EWC).go()
    seeds = {
        scored_on: {trial.seed for trial, _ in started if trial.scored_on == scored_on}
        for scored_on in ("val", "test")
    }
    assert seeds == {"val": {1_000_000, 1_000_001}, "test": {0, 1}}


def test_a_search_does_not_learn_from_what_it_is_scored_on(run):
    """Of each task a tenth is held out: what is learned and what is scored on are all training examples."""
    tuning = run(EWC, tune="search: random, configs: 2, seeds: 1")
    tuning.go()
    [digits] = prepare(tuning.spec).data["digits",]
    row, *_ = (row for row in tuning.trials() if row["scored_on"] == "val")
    assert json.loads(row["train"])["val_share"] == 0.1
    held_out = {
        each["eval_task"]: each["n_eval"]
        for each in tuning.store.accuracy().to_pylist()
        if each["trial_id"] == row["trial_id"]
    }
    assert sum(held_out.values()) == pytest.approx(0.1 * len(digits.y_train), abs=5)


# Through to the rows.


def test_the_rows_tell_what_the_search_found(run):
    tuning = run("naive", EWC, tune=SEARCHES["none"])
    sweep = tuning.go()
    naive, ewc = tuning.studies()
    course = sweep.courses[1]
    assert [each.hyperparameters for each in ewc.configurations] == course.found.candidates
    assert ewc.winner.hyperparameters == course.chosen
    for number, each in enumerate(ewc.configurations):
        assert each.values["acc"] == course.found.scores(number), "bit for bit"
    assert (naive.winner, naive.test, naive.default_test.keys()) == (None, {}, {0, 1})
    assert ewc.test.keys() == ewc.default_test.keys() == {0, 1}


@pytest.mark.parametrize("name", ["none", "halving", "race"])
def test_what_is_done_is_not_run_again(name, run, started):
    tuning = run("naive", EWC, tune=SEARCHES[name])
    tuning.go()
    before = tuning.results()
    started.clear()
    assert tuning.go().finished
    assert started == []
    assert tuning.results() == before


def test_halving_stops_half_of_the_trials_after_two_tasks_and_says_so(run, tmp_path):
    tuning = run(EWC, tune=SEARCHES["halving"], root=tmp_path / "halved")
    [course] = tuning.go(checkpoint_every_s=0.0).courses
    learned = {}
    for row in tuning.store.tasks().to_pylist():
        learned[row["trial_id"]] = learned.get(row["trial_id"], 0) + 1
    ended = sorted(
        (row["status"], learned[row["trial_id"]]) for row in tuning.trials() if row["scored_on"] == "val"
    )
    # Of 5 configurations 3 go on after two tasks and 2 after four, each on two seeds.
    assert ended == [("complete", 5)] * 4 + [("stopped", 2)] * 4 + [("stopped", 4)] * 2
    assert len(course.found.left) == 3
    left = [path for path in (tmp_path / "halved" / "checkpoints").rglob("*") if path.is_file()]
    assert left == [], "nothing goes on from there"


def test_a_race_leaves_some_behind(run):
    tuning = run(REPLAY, tune=SEARCHES["race"].replace("configs: 4", "configs: 6"))
    [course] = tuning.go().courses
    assert course.found.left
    assert all(len(course.found.scores(each)) == 4 for each in course.found.left)
    stayed = set(range(6)) - set(course.found.left)
    assert len(stayed) == 1 or all(len(course.found.scores(each)) == 6 for each in stayed)


# Interrupted.


def interrupted(monkeypatch, tuning, after, **options):
    """Run *tuning* until a person interrupts it while its report *after* is heard."""
    heard, reported = iter(range(1, 10_000)), TuningProgress.reported

    def interrupting(self, trial, outcome):
        if next(heard) == after:
            raise KeyboardInterrupt
        reported(self, trial, outcome)

    with monkeypatch.context() as patch:
        patch.setattr(TuningProgress, "reported", interrupting)
        with pytest.raises(KeyboardInterrupt):
            tuning.go(**options)


@pytest.mark.parametrize(
    ("name", "after", "checkpoint_every_s"),
    [
        ("none", [27], 0.0),
        ("tpe", [13, 20], None),
        ("halving", [2], 0.0),
        ("halving", [13, 9], None),
        ("halving", [21, 8, 7], 0.0),
        ("race", [33, 44], None),
        ("race", [85], 0.0),
    ],
)
def test_a_search_that_was_interrupted_ends_as_if_it_had_not_been(
    name, after, checkpoint_every_s, run, monkeypatch
):
    method = REPLAY if name == "race" else EWC
    undisturbed, disturbed = run(method, tune=SEARCHES[name]), run(method, tune=SEARCHES[name])
    expected = undisturbed.go()
    for count in after:
        interrupted(monkeypatch, disturbed, count, checkpoint_every_s=checkpoint_every_s)
    sweep = disturbed.go(checkpoint_every_s=checkpoint_every_s)
    assert [each.found for each in sweep.courses] == [each.found for each in expected.courses]
    assert disturbed.results() == undisturbed.results()


def test_an_interrupted_search_goes_on_with_what_it_had(run, monkeypatch, started):
    tuning = run(EWC, tune=SEARCHES["none"])
    interrupted(monkeypatch, tuning, 18)
    before = {trial.id for trial, _ in started}
    assert len(before) == 4
    complete = {each for each, status in tuning.store.statuses().items() if status == "complete"}
    assert len(complete) == 3
    started.clear()
    tuning.go()
    after = {trial.id for trial, _ in started}
    assert len(after) == 4 * 2 - 3 + 2 * 2
    assert after.isdisjoint(complete)


# Extended.


def test_another_method_is_tuned_without_running_the_first_again(run, started):
    first = run("naive", EWC)
    expected = first.go().courses
    started.clear()
    more = run("naive", EWC, REPLAY, tune=SEARCHES["none"], root=first.store.root.path)
    courses = more.go().courses
    assert {trial.method for trial, _ in started} == {"replay"}
    assert len(started) == 4 * 2 + 2 * 2
    assert [each.found for each in courses[:2]] == [each.found for each in expected]


def test_more_configurations_and_seeds_reuse_what_there_is(run, started):
    first = run(EWC, tune="search: random, configs: 3, seeds: 2")
    first.go()
    done = {row["trial_id"] for row in first.trials() if row["scored_on"] == "val"}
    assert len(done) == 6
    started.clear()
    more = run(EWC, tune="search: random, configs: 4, seeds: 3", root=first.store.root.path)
    [course] = more.go().courses
    searched = [trial for trial, _ in started if trial.scored_on == "val"]
    assert len(searched) == 4 * 3 - 6
    assert done.isdisjoint(trial.id for trial in searched)
    assert all(len(course.found.scores(each)) == 3 for each in range(4))


def test_a_race_takes_over_what_a_full_design_measured(run, started):
    full = run(REPLAY, tune=SEARCHES["none"].replace("seeds: 2", "seeds: 6"))
    full.go()
    started.clear()
    race = run(REPLAY, tune=SEARCHES["race"], root=full.store.root.path)
    alone = run(REPLAY, tune=SEARCHES["race"])
    [course] = race.go().courses
    assert [trial for trial, _ in started if trial.scored_on == "val"] == []
    assert [each.found for each in alone.go().courses] == [course.found]


# The benchmark that replays races.

specification = importlib.util.spec_from_file_location("race", ROOT / "benchmarks" / "race.py")
assert specification is not None
assert specification.loader is not None
benchmark = importlib.util.module_from_spec(specification)
sys.modules["race"] = benchmark  # where its dataclass looks for its types
specification.loader.exec_module(benchmark)

# Four configurations that differ by so much that a race drops the others at its first look, at four seeds.
CLEAR = np.array([[0.5], [0.9], [0.3], [0.1]]) + 0.001 * np.sin(np.arange(48).reshape(4, 12))


def test_a_race_that_is_clear_loses_nothing_and_takes_four_of_six_seeds(run):
    [study] = prepare(run(EWC).spec).studies
    found = benchmark.replay(study, CLEAR, 6, 20, level=0.05)
    assert (found.regret, found.bound, found.same) == (0, 0, 1)
    assert found.share == pytest.approx(4 / 6)


def test_the_regret_of_a_race_is_what_its_winner_lacks_on_fresh_seeds(run, monkeypatch):
    [study] = prepare(run(EWC).spec).studies
    monkeypatch.setattr(benchmark, "race", lambda *_: (2, 12))
    found = benchmark.replay(study, CLEAR, 6, 40, level=0.05)
    lacks = CLEAR[1] - CLEAR[2]
    # t(0.95, 11) = 1.795885 from any printed table.
    bound = lacks.mean() + 1.795885 * lacks.std(ddof=1) / np.sqrt(12)
    assert (found.regret, found.bound) == (pytest.approx(lacks.mean()), pytest.approx(bound, abs=1e-6))
    assert (found.same, found.share) == (0, 0.5)


def test_a_run_without_a_scheduler_is_replayed_and_others_are_left_out(run, monkeypatch, capsys):
    full = run("naive", REPLAY, tune="search: random, configs: 3, seeds: 9")
    raced = run(REPLAY, tune=SEARCHES["race"])
    for each in (full, raced):
        each.go()
    [course] = (
        each for each in tuned_sweep(prepare(full.spec), full.store).courses if each.study.is_searched
    )
    for number, row in enumerate(benchmark.table_of(course)):
        assert dict(zip(course.tune.seeds, row, strict=True)) == course.found.scores(number)
    capsys.readouterr()
    arguments = [full.store.root.path, raced.store.root.path, "--seeds", "5", "--repetitions", "10"]
    monkeypatch.setattr(sys, "argv", ["race.py", *arguments])
    benchmark.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "class-il/split-digits replay: 3 configurations, 9 seeds, 5 per race"
    assert lines[2] == (
        "class-il/split-digits replay: left out, its search did not run in full: scheduler race"
    )
    assert lines[3].startswith("largest bound: ")
