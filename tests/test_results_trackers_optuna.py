"""What a tuned run tried as Optuna's storage, read back by Optuna and by its dashboard."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import optuna
import pytest
from made_rows import START, Rows
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from servers import serving

from results.schema import TRIALS, to_rows, to_table
from results.storage import StoreError
from results.trackers.optuna_storage import write_optuna
from results.tuned import Configuration, Range, TunedStudy

LAMBDA = Range((1.0, 1e6), continuous=True, logarithmic=True, numeric=True)
RATIO = Range((0.25, 0.5, 0.75), continuous=False, logarithmic=False, numeric=True)
SIZE = Range((10, 20), continuous=False, logarithmic=False, numeric=True)
HIDDEN = Range(([20], [20, 20]), continuous=False, logarithmic=False, numeric=False)


def tried(
    number: int, value: float, *accs: float, left: str = "", diverged: int = 0, seeds: int = 0
) -> Configuration:
    """A configuration of lambda *value* with these val ACCs on its complete seeds; diverged ones have 0.1."""
    scores = [*accs, *[0.1] * diverged]
    return Configuration(
        number=number,
        hyperparameters={"lambda": value, "gamma": 1.0},
        seeds=seeds or len(scores),
        score=sum(scores) / len(scores) if scores else None,
        values={"acc": {1_000_000 + i: acc for i, acc in enumerate(accs)}},
        diverged=diverged,
        left=left,
    )


TRIED = (
    tried(1, 100.0, 0.5, 0.75),
    tried(2, 1e3, 0.75, 1.0),
    tried(3, 10.0, 0.25, left="0.600 behind no. 2"),
    tried(4, 9e5, diverged=2),
    tried(5, 5.0, 0.5, diverged=1),
)

STUDY = TunedStudy(
    scenario="domain-il/split-digits",
    method="ewc",
    searched_on="domain-il/split-digits",
    protocol="val-stream",
    search="random",
    scheduler="race",
    metric="val_acc",
    selection_seeds=2,
    ranges={"lambda": LAMBDA},
    configurations=TRIED,
    winner=TRIED[1],
    trials=9,
    done=True,
    test={0: 0.5, 1: 0.75},
    default={"lambda": 300.0, "gamma": 1.0},
    default_test={0: 0.5, 1: 0.5},
)

NO_ROWS = TRIALS.empty_table()


def read(folder: Any, name: str = "domain-il/split-digits ewc") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder}/optuna.db")


def test_each_configuration_is_a_trial_with_its_score(tmp_path):
    assert write_optuna([STUDY], NO_ROWS, tmp_path) == (f"sqlite:///{tmp_path}/optuna.db", 5, 0, 0)
    study = read(tmp_path)
    assert [trial.params for trial in study.trials] == [
        {"lambda": each.hyperparameters["lambda"]} for each in TRIED
    ]
    assert [trial.value for trial in study.trials] == pytest.approx([0.625, 0.875, 0.25, None, 0.3])
    assert [trial.distributions["lambda"] for trial in study.trials] == [
        FloatDistribution(1.0, 1e6, log=True)
    ] * 5
    assert [trial.intermediate_values for trial in study.trials] == [
        {0: 0.5, 1: 0.75},
        {0: 0.75, 1: 1.0},
        {0: 0.25},
        {},
        {0: 0.5},
    ]
    assert (study.direction.name, study.best_trial.number) == ("MAXIMIZE", 1)


def test_what_left_is_pruned_and_what_was_never_complete_has_failed(tmp_path):
    write_optuna([STUDY], NO_ROWS, tmp_path)
    assert [trial.state for trial in read(tmp_path).trials] == [
        TrialState.COMPLETE,
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.FAIL,
        TrialState.COMPLETE,
    ]


def test_what_has_not_all_its_seeds_yet_runs_while_the_search_does(tmp_path):
    begun = (tried(1, 10.0, 0.5, 0.75), tried(2, 20.0, 0.5), tried(3, 30.0))
    write_optuna([replace(STUDY, configurations=begun, winner=None, done=False)], NO_ROWS, tmp_path)
    study = read(tmp_path)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "RUNNING", "RUNNING"]
    assert study.trials[1].intermediate_values == {0: 0.5}
    assert study.trials[2].datetime_complete is None


def test_what_else_is_known_of_a_configuration_and_of_its_study_is_in_their_attributes(tmp_path):
    write_optuna([STUDY], NO_ROWS, tmp_path)
    study = read(tmp_path)
    attributes = study.trials[1].user_attrs
    assert attributes["hyperparameters"] == {"lambda": 1e3, "gamma": 1.0}
    assert (attributes["no."], attributes["chosen"], attributes["seeds"], attributes["mean val_acc"]) == (
        2,
        True,
        2,
        0.875,
    )
    # The interval of two seeds is t(0.975, 1) sd / sqrt(2) = 12.7062 times half their distance.
    assert attributes["95 % half width of val_acc"] == pytest.approx(12.7062 * 0.125, rel=1e-4)
    assert (study.trials[2].user_attrs["left"], study.trials[4].user_attrs["diverged seeds"]) == (
        "0.600 behind no. 2",
        1,
    )
    assert study.user_attrs["default"] == {"lambda": 300.0, "gamma": 1.0}
    assert (study.user_attrs["winner"], study.user_attrs["test ACC of the winner"]) == (2, 0.625)
    assert study.user_attrs["searched values"] == {"lambda": [1.0, 1e6]}


@pytest.mark.parametrize(
    ("searched", "value", "distribution", "stored"),
    [
        (RATIO, 0.5, FloatDistribution(0.25, 0.75), 0.5),
        (SIZE, 20, IntDistribution(10, 20), 20),
        (HIDDEN, [20, 20], CategoricalDistribution(["[20]", "[20, 20]"]), "[20, 20]"),
    ],
)
def test_what_is_chosen_from_values_can_be_drawn_too(searched, value, distribution, stored, tmp_path):
    chosen = replace(TRIED[0], hyperparameters={"x": value})
    write_optuna(
        [replace(STUDY, ranges={"x": searched}, configurations=(chosen,), winner=chosen)], NO_ROWS, tmp_path
    )
    (trial,) = read(tmp_path).trials
    assert (trial.params, trial.distributions) == ({"x": stored}, {"x": distribution})


def test_times_are_those_of_the_trials_that_searched(tmp_path):
    rows = Rows()
    for seed in (0, 1):
        rows.add("ewc", seed, [[0.5]], hyperparameters={"gamma": 1.0, "lambda": 100.0})
    rows.add("ewc", 2, [[0.5]], hyperparameters={"gamma": 1.0, "lambda": 100.0})
    ends = {
        "t0": START + timedelta(minutes=1),
        "t1": START + timedelta(minutes=2),
        "t2": START + timedelta(minutes=9),
    }
    searching = {"t0": "val", "t1": "val", "t2": "test"}
    trials = [
        {**row, "ended_at": ends[row["trial_id"]], "scored_on": searching[row["trial_id"]]}
        for row in to_rows(rows.trials)
    ]
    write_optuna([STUDY], to_table(TRIALS, trials), tmp_path)
    first = read(tmp_path).trials[0]
    times = [
        datetime.astimezone(time).astimezone(UTC) for time in (first.datetime_start, first.datetime_complete)
    ]
    assert times == [START, START + timedelta(minutes=2)]


def test_a_study_that_nobody_searched_is_left_out_and_names_are_never_shared(tmp_path):
    write_optuna([STUDY, replace(STUDY, ranges={}, configurations=()), STUDY], NO_ROWS, tmp_path)
    names = optuna.get_all_study_names(f"sqlite:///{tmp_path}/optuna.db")
    assert names == ["domain-il/split-digits ewc", "domain-il/split-digits ewc (2)"]


def test_the_file_is_written_anew_only_if_something_is_new(tmp_path):
    write_optuna([STUDY], NO_ROWS, tmp_path)
    before = (tmp_path / "optuna.db").stat()
    assert write_optuna([STUDY], NO_ROWS, tmp_path)[1:] == (0, 0, 5)
    after = (tmp_path / "optuna.db").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    more = (*TRIED, tried(6, 50.0, 0.5, 0.5))
    assert write_optuna([replace(STUDY, configurations=more)], NO_ROWS, tmp_path)[1:] == (0, 6, 0)
    assert len(read(tmp_path).trials) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["optuna.db"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot write .*/file/out.*: Not a directory"):
        write_optuna([STUDY], NO_ROWS, tmp_path / "file" / "out")


def test_optunas_dashboard_shows_the_studies(tmp_path):
    place = write_optuna([STUDY], NO_ROWS, tmp_path / "out").place
    with serving("optuna-dashboard", [place, "--host", "127.0.0.1", "--port"], tmp_path / "log") as ask:
        (found,) = ask("/api/studies")["study_summaries"]
        assert (found["study_name"], found["directions"]) == ("domain-il/split-digits ewc", ["maximize"])
        study = ask(f"/api/studies/{found['study_id']}")
        states = [trial["state"] for trial in study["trials"]]
        assert states == ["Complete", "Complete", "Pruned", "Fail", "Complete"]
        assert [trial["number"] for trial in study["best_trials"]] == [1]
        assert json.loads(study["trials"][1]["params"][0]["param_external_value"]) == 1e3
        assert study["has_intermediate_values"]
        assert study["objective_names"] == ["val_acc"]
