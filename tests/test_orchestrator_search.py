"""Searches driven by hand: planted scores in place of training."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from made import trial
from scipy import stats

from orchestrator.search import Findings, Result, Want, result_of, rungs, search
from results.statistics import mean_interval
from sweeps.spaces import Space
from sweeps.spec import load_spec
from sweeps.studies import Study
from sweeps.tuning import TuneSettings

TASKS = 5
LOGARITHMIC = {"lambda": Space("loguniform", (1, 1e6))}
SEEDS = [7, 11, 13, 17, 19, 23]

Score = Callable[[dict, int, int], float]
"""Of a configuration, on a seed, after so many tasks."""


def study(space: dict | None = None, grid: Sequence[object] = (), *, label="class-il/split-digits") -> Study:
    """A study of EWC: a *space*, or a *grid* of lambdas."""
    reported = trial("ewc", tasks=TASKS, label=label)
    cells = tuple({**reported.hyperparameters, "lambda": value} for value in grid)
    return Study(reported, (reported.scenario, "d1g175"), space or {}, cells, val_share=0.1)


def settings(search: str = "random", scheduler: str = "none", **values: object) -> TuneSettings:
    """A section ``tune``; a grid has no number of configurations."""
    count = {} if search == "grid" else {"configs": 20}
    return TuneSettings.model_validate({"search": search, "scheduler": scheduler, **count, **values})


def drive(
    what: Study,
    how: TuneSettings,
    score: Score,
    seeds: Sequence[int] = SEEDS,
    tasks: int = TASKS,
    *,
    order: Callable[[list[Want]], Iterable[Want]] = iter,
    result: Callable[[Want, Callable[[int], float]], Result] | None = None,
) -> tuple[Findings, list[list[Want]]]:
    """What a search finds, and the batches that it asked for, results arriving in *order*.

    *result* makes a trial's result of what it would score after so many tasks.
    """
    found = Findings(tasks)
    going, batches = search(what, how, seeds, found), []

    def told(want: Want) -> Result:
        scored = partial(score, found.candidates[want.candidate], want.seed)
        if result:
            return result(want, scored)
        return Result(tuple(map(scored, range(1, want.tasks + 1))), complete=want.tasks == tasks)

    try:
        batch = next(going)
        while True:
            batches.append(list(batch))
            batch = going.send({want: told(want) for want in order(list(batch))})
    except StopIteration:
        return found, batches


def luck(seed: int) -> float:
    """What a seed does to everybody."""
    return (seed % 5 - 2) * 0.03


def planted(hyperparameters: dict, seed: int, tasks: int) -> float:
    """Best at lambda 1000, whoever is lucky; worse with every task."""
    away = abs(math.log10(hyperparameters["lambda"]) - 3)
    own = math.sin(seed * 1000 + hyperparameters["lambda"]) * 0.002
    return 0.9 - 0.1 * away - 0.02 * tasks + luck(seed) + own


def winner(found: Findings) -> dict:
    """The configuration that won."""
    assert found.winner is not None
    return found.candidates[found.winner]


# What is found.


@pytest.mark.parametrize("scheduler", ["none", "halving", "race"])
def test_a_grid_finds_the_planted_best_exactly(scheduler):
    lambdas = [1.0, 10.0, 1e4, 1e3, 1e5, 100.0]
    found, _ = drive(study(grid=lambdas), settings("grid", scheduler), planted)
    assert [each["lambda"] for each in found.candidates] == lambdas
    assert winner(found)["lambda"] == 1e3


@pytest.mark.parametrize("search_seed", range(5))
@pytest.mark.parametrize(
    ("kind", "scheduler"),
    [("random", "none"), ("random", "halving"), ("random", "race"), ("tpe", "none"), ("tpe", "halving")],
)
def test_a_search_comes_near_the_planted_best(kind, scheduler, search_seed):
    """Of 20 draws over six decades none is within 0.9 of it once in 1250 times."""
    found, _ = drive(study(LOGARITHMIC), settings(kind, scheduler, search_seed=search_seed), planted)
    assert found.done
    assert len(found.candidates) == 20
    best = winner(found)["lambda"]
    assert abs(math.log10(best) - 3) < 0.9
    nearest = min(abs(math.log10(each["lambda"]) - 3) for each in found.candidates)
    assert abs(math.log10(best) - 3) < nearest + 0.1, "it is among the nearest that were tried"


def test_tpe_tries_more_near_the_best_than_chance_does():
    def near(kind: str) -> int:
        runs = (
            drive(study(LOGARITHMIC), settings(kind, configs=40, search_seed=seed), planted, SEEDS[:1])[0]
            for seed in range(5)
        )
        return sum(abs(math.log10(each["lambda"]) - 3) < 0.5 for found in runs for each in found.candidates)

    assert near("tpe") > 1.5 * near("random")


@pytest.mark.parametrize("kind", ["random", "tpe"])
def test_every_kind_of_space_is_searched_and_the_rest_is_the_default(kind):
    spaces = {
        "lambda": Space("choice", (1.0, 1000.0)),
        "gamma": Space("uniform", (0.5, 1.0)),
        "fisher_samples": Space("randint", (10, 13)),
    }
    what = study(spaces)
    found, _ = drive(what, settings(kind, configs=30), planted, SEEDS[:1])
    for each in found.candidates:
        assert {name: value for name, value in each.items() if name not in spaces} == {
            name: value for name, value in what.default.items() if name not in spaces
        }
    assert {each["lambda"] for each in found.candidates} == {1.0, 1000.0}
    assert {each["fisher_samples"] for each in found.candidates} == {10, 11, 12}
    gammas = [each["gamma"] for each in found.candidates]
    assert all(0.5 <= gamma < 1.0 for gamma in gammas)
    assert len(set(gammas)) > 10


def test_random_tries_each_of_few_choices_once():
    found, [batch] = drive(
        study({"lambda": Space("choice", (1.0, 10.0, 100.0))}), settings(configs=50), planted, SEEDS[:2]
    )
    assert sorted(each["lambda"] for each in found.candidates) == [1.0, 10.0, 100.0]
    assert len(batch) == 6


def test_tpe_may_propose_the_same_twice_and_has_the_same_results():
    choices = {"lambda": Space("choice", (1.0, 1000.0))}
    found, _ = drive(study(choices), settings("tpe", configs=12), planted, SEEDS[:2])
    assert len(found.candidates) == 12
    by_value = {}
    for number, each in enumerate(found.candidates):
        by_value.setdefault(each["lambda"], []).append(found.scores(number))
    assert all(scores.count(scores[0]) == len(scores) for scores in by_value.values())
    assert winner(found)["lambda"] == 1000.0
    assert found.winner == next(i for i, each in enumerate(found.candidates) if each["lambda"] == 1000.0)


def test_the_first_of_equals_wins():
    for scheduler in ("none", "halving", "race"):
        found, _ = drive(
            study(grid=[5.0, 2.0, 3.0]), settings("grid", scheduler), lambda *_: 0.5, SEEDS, TASKS
        )
        assert winner(found)["lambda"] == 5.0


def test_what_is_best_on_most_seeds_does_not_win_by_that():
    """It is the mean over seeds that counts."""

    def score(hyperparameters: dict, seed: int, _: int) -> float:
        return (0.1 if seed == 7 else 0.8) if hyperparameters["lambda"] == 1.0 else 0.75

    found, _ = drive(study(grid=[1.0, 2.0]), settings("grid"), score)
    assert winner(found)["lambda"] == 2.0


# What a batch is.


def test_without_a_scheduler_all_run_on_all_seeds_to_the_end_in_one_batch():
    found, batches = drive(study(grid=[1.0, 2.0]), settings("grid"), planted, [3, 4])
    assert batches == [[Want(0, 3, 5), Want(1, 3, 5), Want(0, 4, 5), Want(1, 4, 5)]]
    assert found.scores(1) == {seed: planted({"lambda": 2.0}, seed, 5) for seed in (3, 4)}


def test_tpe_hears_of_five_configurations_at_a_time():
    _, batches = drive(study(LOGARITHMIC), settings("tpe", configs=12), planted, [3, 4])
    assert [sorted({want.candidate for want in batch}) for batch in batches] == [
        [0, 1, 2, 3, 4],
        [5, 6, 7, 8, 9],
        [10, 11],
    ]
    assert all({want.seed for want in batch} == {3, 4} for batch in batches)


def test_tpe_is_told_scores_and_of_those_that_were_left_how_far_they_came(monkeypatch):
    told, tell = [], optuna.study.Study.tell

    def noted(self, trial, *values, state=None):
        intermediate = self.trials[trial.number].intermediate_values
        told.append((trial.number, state, values or intermediate))
        return tell(self, trial, *values, state=state)

    monkeypatch.setattr(optuna.study.Study, "tell", noted)
    found, _ = drive(study(LOGARITHMIC), settings("tpe", "halving", configs=5), planted, [3, 4])

    def mean(number: int, tasks: int) -> float:
        return math.fsum(planted(found.candidates[number], seed, tasks) for seed in (3, 4)) / 2

    reached = {number: int(re.findall(r"after (\d)", why)[0]) for number, why in found.left.items()}
    assert sorted(reached.values()) == [2, 2, 4]
    pruned = optuna.trial.TrialState.PRUNED
    assert told == [
        (number, pruned, {reached[number]: mean(number, reached[number])})
        if number in reached
        else (number, None, (mean(number, TASKS),))
        for number in range(5)
    ]


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        (1, []),
        (2, []),
        (3, [2]),
        (4, [2]),
        (5, [2, 4]),
        (8, [2, 4]),
        (9, [2, 4, 8]),
        (100, [2, 4, 8, 16, 32, 64]),
    ],
)
def test_rungs_double_from_two_tasks_and_end_before_the_last(tasks, expected):
    assert rungs(tasks) == expected


def test_halving_keeps_the_better_half_after_every_rung_on_all_seeds():
    lambdas = [1.0, 10.0, 1e4, 1e3, 1e5]
    found, batches = drive(study(grid=lambdas), settings("grid", "halving"), planted, [3, 4])
    # 1e3 is best, then 1e4, then 10 and 1e5 (two decades away), then 1; 10 comes before 1e5 by its sine.
    assert planted({"lambda": 10.0}, 3, 2) + planted({"lambda": 10.0}, 4, 2) > (
        planted({"lambda": 1e5}, 3, 2) + planted({"lambda": 1e5}, 4, 2)
    )
    assert batches == [
        [Want(each, seed, 2) for seed in (3, 4) for each in (0, 1, 2, 3, 4)],
        [Want(each, seed, 4) for seed in (3, 4) for each in (1, 2, 3)],
        [Want(each, seed, 5) for seed in (3, 4) for each in (2, 3)],
    ]
    assert found.left == {
        0: "after 2 tasks not in best 3",
        4: "after 2 tasks not in best 3",
        1: "after 4 tasks not in best 2",
    }
    assert found.winner == 3


def test_halving_judges_a_configuration_by_all_its_seeds():
    """On the first seed the other one is better."""

    def score(hyperparameters: dict, seed: int, _: int) -> float:
        return (0.1 if seed == 3 else 0.9) if hyperparameters["lambda"] == 1.0 else 0.3

    found, batches = drive(study(grid=[2.0, 1.0]), settings("grid", "halving"), score, [3, 4, 5])
    assert batches[1] == [Want(1, seed, 4) for seed in (3, 4, 5)]
    assert winner(found)["lambda"] == 1.0


def test_what_is_best_on_the_first_task_only_is_not_kept_for_that():
    def score(hyperparameters: dict, _: int, tasks: int) -> float:
        plastic = hyperparameters["lambda"] == 1.0
        return {1: 0.99 if plastic else 0.6}.get(tasks, 0.4 if plastic else 0.55)

    found, batches = drive(study(grid=[1.0, 2.0]), settings("grid", "halving"), score, [3])
    assert min(want.tasks for batch in batches for want in batch) == 2, "nobody is judged after one task"
    assert list(found.left) == [0]
    assert winner(found)["lambda"] == 2.0


def test_halving_of_two_tasks_stops_nobody():
    found, batches = drive(study(grid=[1.0, 2.0, 3.0]), settings("grid", "halving"), planted, [3], tasks=2)
    assert batches == [[Want(0, 3, 2), Want(1, 3, 2), Want(2, 3, 2)]]
    assert found.left == {}


def test_halving_uses_no_more_of_a_result_than_it_asked_for():
    """Trials that another run brought to their end change nothing, whatever they say of later tasks."""

    def score(hyperparameters: dict, seed: int, tasks: int) -> float:
        late = 0.3 * (hyperparameters["lambda"] > 1e3) * (tasks > 2)
        return planted(hyperparameters, seed, tasks) + late

    def further(_: Want, scored: Callable[[int], float]) -> Result:
        return Result(tuple(map(scored, range(1, TASKS + 1))), complete=True)

    what, how = study(LOGARITHMIC), settings("tpe", "halving")
    assert drive(what, how, score, result=further) == drive(what, how, score)


def test_a_race_gives_seeds_in_turn_and_whoever_is_behind_gets_no_more():
    lambdas = [1e3, 10.0, 1.0]
    found, batches = drive(study(grid=lambdas), settings("grid", "race"), planted, SEEDS)
    # One look, at four of the six seeds: 0.2 and 0.3 behind with next to no spread.
    assert batches == [[Want(each, seed, 5) for seed in SEEDS[:4] for each in (0, 1, 2)]]
    assert found.left.keys() == {1, 2}
    assert found.left[1].endswith(" behind no. 1")
    assert found.winner == 0


def test_a_race_among_equals_gives_everybody_all_seeds():
    seeds = list(range(9))
    found, batches = drive(study(grid=[1.0, 2.0]), settings("grid", "race"), lambda *_: 0.5, seeds)
    assert [sorted({want.seed for want in batch}) for batch in batches] == [[0, 1, 2, 3], [4, 5], [6, 7], [8]]
    assert all({want.candidate for want in batch} == {0, 1} for batch in batches)
    assert found.left == {}


def test_a_race_goes_on_among_those_that_are_left():
    """One is clearly behind; of the other two it is not known until later."""

    def score(hyperparameters: dict, seed: int, _: int) -> float:
        value = hyperparameters["lambda"]
        close = 0.03 * math.sin(3 * seed) if value == 2.0 else 0.0
        return {1.0: 0.9, 2.0: 0.885 + close, 3.0: 0.2 + 0.02 * math.cos(seed)}[value] + luck(seed)

    seeds = list(range(14))
    found, batches = drive(study(grid=[1.0, 2.0, 3.0]), settings("grid", "race"), score, seeds)
    assert {want.candidate for want in batches[0]} == {0, 1, 2}
    assert all({want.candidate for want in batch} == {0, 1} for batch in batches[1:])
    assert len(batches) > 2
    assert next(iter(found.left)) == 2
    assert found.scores(2).keys() == set(seeds[:4])
    assert found.winner == 0


def test_who_left_a_race_does_not_win_it_though_its_few_seeds_were_the_lucky_ones():
    def score(hyperparameters: dict, seed: int, _: int) -> float:
        late = seed > 4
        own = {1.0: 0.8, 2.0: 0.7, 3.0: 0.79 + 0.01 * math.sin(9 * seed)}[hyperparameters["lambda"]]
        return own - 0.5 * late

    found, _ = drive(study(grid=[1.0, 2.0, 3.0]), settings("grid", "race"), score, list(range(1, 9)))
    assert 1 in found.left
    assert min(found.scores(1).values()) > max(np.mean(list(found.scores(each).values())) for each in (0, 2))
    assert found.winner == 0


def test_the_level_decides_who_leaves():
    def score(hyperparameters: dict, seed: int, _: int) -> float:
        return 0.5 + (0.02 + 0.01 * math.sin(seed * 1.7)) * (hyperparameters["lambda"] == 1.0)

    seeds, grid = list(range(5)), study(grid=[1.0, 2.0])
    strict, _ = drive(grid, settings("grid", "race", level=1e-6), score, seeds)
    loose, _ = drive(grid, settings("grid", "race", level=0.05), score, seeds)
    assert strict.left == {}
    assert list(loose.left) == [1]


# Reproducible.

SEARCHES = [
    ("random", "none"),
    ("random", "halving"),
    ("random", "race"),
    ("tpe", "none"),
    ("tpe", "halving"),
]


@pytest.mark.parametrize(("kind", "scheduler"), SEARCHES)
def test_the_same_spec_and_seed_give_the_same_search(kind, scheduler):
    how = settings(kind, scheduler, search_seed=3)
    assert drive(study(LOGARITHMIC), how, planted) == drive(study(LOGARITHMIC), how, planted)


@pytest.mark.parametrize(("kind", "scheduler"), SEARCHES)
def test_another_search_seed_gives_other_configurations(kind, scheduler):
    one, other = (
        drive(study(LOGARITHMIC), settings(kind, scheduler, search_seed=seed), planted)[0] for seed in (3, 4)
    )
    lambdas = [{each["lambda"] for each in found.candidates} for found in (one, other)]
    assert lambdas[0].isdisjoint(lambdas[1])


@pytest.mark.parametrize(("kind", "scheduler"), [("grid", "halving"), ("grid", "race"), *SEARCHES])
@limits(max_examples=30, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_the_order_in_which_results_arrive_changes_nothing(kind, scheduler, random):
    what = study(grid=[1.0, 10.0, 1e3, 1e5]) if kind == "grid" else study(LOGARITHMIC)
    how = settings(kind, scheduler) if kind == "grid" else settings(kind, scheduler, configs=8)

    def shuffled(wanted: list[Want]) -> list[Want]:
        return random.sample(wanted, len(wanted))

    assert drive(what, how, planted, order=shuffled) == drive(what, how, planted)


def test_a_method_tries_the_same_configurations_in_every_scenario():
    found, _ = drive(study(LOGARITHMIC), settings(), planted)
    other, _ = drive(
        study(LOGARITHMIC, label="task-il/split-digits"), settings(), lambda *_: 0.5, SEEDS[:1], 2
    )
    assert found.candidates == other.candidates


@pytest.mark.parametrize("kind", ["random", "tpe"])
def test_more_configurations_begin_with_the_same(kind):
    few, _ = drive(study(LOGARITHMIC), settings(kind, configs=10), planted)
    more, _ = drive(study(LOGARITHMIC), settings(kind, configs=20), planted)
    assert more.candidates[:10] == few.candidates
    assert len(more.candidates) == 20


def test_what_tpe_proposes_depends_on_what_was_found():
    found, _ = drive(study(LOGARITHMIC), settings("tpe"), planted)
    other, _ = drive(study(LOGARITHMIC), settings("tpe"), lambda *each: -planted(*each))
    assert found.candidates[:10] == other.candidates[:10], "which are drawn at random"
    assert found.candidates != other.candidates


# Results.

# Two tasks right away; 1.0 and 0.5 after the second; three tasks, the last not learned.
R = np.array([[1.0, 0.5, np.nan], [np.nan, 0.7, np.nan], [np.nan, np.nan, np.nan]])
WHOLE = np.array([[1.0, 0.5, 0.3], [np.nan, 0.7, 0.6], [np.nan, np.nan, 0.9]])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("val_acc", (1.0, 0.6, 0.6)),
        ("val_average_incremental_accuracy", (1.0, 0.8, 2.2 / 3)),
        ("val_worst_task_accuracy", (1.0, 0.5, 0.3)),
    ],
)
def test_a_result_is_the_metric_of_all_tasks_so_far(metric, expected):
    assert result_of(WHOLE, "complete", metric, 0.1) == Result(pytest.approx(expected), complete=True)
    assert result_of(R, "running", metric, 0.1) == Result(pytest.approx(expected[:2]), complete=False)


@pytest.mark.parametrize("status", ["diverged", "failed"])
def test_a_trial_that_ended_badly_scores_chance_from_there_on(status):
    """What it had before stays, since that is what it was judged by."""
    assert result_of(R, status, "val_acc", 0.1) == Result(pytest.approx((1.0, 0.6, 0.1)), complete=False)
    nothing = np.full((3, 3), np.nan)
    assert result_of(nothing, status, "val_acc", 0.1) == Result((0.1, 0.1, 0.1), complete=False)


def test_a_process_lost_after_the_last_task_scores_chance_all_the_same():
    assert result_of(WHOLE, "failed", "val_acc", 0.1).at(3) == 0.1


def test_a_configuration_with_a_diverged_seed_counts_that_seed_as_chance():
    def result(want: Want, _: Callable[[int], float]) -> Result:
        if want.candidate == 1:
            return Result((0.6,), complete=True)
        return Result((1.0,), complete=True) if want.seed == 3 else Result((0.1,), complete=False)

    found, _ = drive(study(grid=[1.0, 2.0]), settings("grid"), planted, [3, 4], 1, result=result)
    assert found.scores(0) == {3: 1.0, 4: 0.1}
    assert found.winner == 1


@pytest.mark.parametrize(("kind", "scheduler"), [("grid", "none"), ("grid", "race"), ("grid", "halving")])
def test_a_search_in_which_nothing_was_complete_has_no_winner(kind, scheduler):
    def diverged(*_: object) -> Result:
        return Result((0.1,) * TASKS, complete=False)

    found, _ = drive(study(grid=[1.0, 2.0]), settings(kind, scheduler), planted, result=diverged)
    assert found.done
    assert found.winner is None
    assert found.leader is None


def test_there_is_no_winner_before_the_end_but_a_leader():
    found = Findings(TASKS)
    going = search(study(LOGARITHMIC), settings("tpe"), SEEDS, found)
    values = [0.1, 0.3, 0.5, 0.5, 0.2]
    going.send({want: Result((values[want.candidate],) * TASKS, complete=True) for want in next(going)})
    assert not found.done
    assert found.winner is None
    assert found.leader == 2


# Noise: whoever wins among equals was lucky on validation data, and the report does not know of it.

TRUTH = 0.7
NOISY = """
name: noisy
seeds: 5
scenarios: [class-il/split-digits]
methods: [ewc: {{lambda: {{grid: {candidates}}}}}]
tune: {{search: grid, scheduler: {scheduler}, seeds: 5}}
"""


@pytest.mark.parametrize(("scheduler", "runs"), [("none", 400), ("race", 100), ("halving", 100)])
def test_the_report_of_a_winner_among_equals_is_unbiased(scheduler, runs, tmp_path):
    """A trial has its luck on validation and on test data alike, but not on another seed."""
    candidates = list(range(200))
    path = tmp_path / "noisy.yaml"
    path.write_text(NOISY.format(candidates=candidates, scheduler=scheduler))
    spec = load_spec(str(path))
    columns = {seed: i for i, seed in enumerate(dict.fromkeys([*spec.tune.seeds, *spec.seeds]))}
    random, tasks = np.random.default_rng(20260401), 3
    covered, promised, reported, again = 0, [], [], []
    for _ in range(runs):
        trials = random.normal(TRUTH, 0.02, size=(len(candidates), len(columns)))
        validation = trials + random.normal(0, 0.01, size=trials.shape)
        test = trials + random.normal(0, 0.01, size=trials.shape)

        def score(hyperparameters: dict, seed: int, _: int, values: np.ndarray = validation) -> float:
            return float(values[int(hyperparameters["lambda"]), columns[seed]])

        what = study(grid=list(map(float, candidates)))
        found, _ = drive(what, spec.tune.settings, score, spec.tune.seeds, tasks)
        interval = mean_interval(test[found.winner, [columns[seed] for seed in spec.seeds]].tolist())
        covered += abs(interval.mean - TRUTH) <= interval.half_width
        reported.append(interval.mean)
        promised.append(np.mean(list(found.scores(found.winner).values())))
        again.append(test[found.winner, [columns[seed] for seed in spec.tune.seeds]].mean())
    low, high = stats.binom.ppf([0.0005, 0.9995], runs, 0.95)
    assert low <= covered <= high
    assert abs(np.mean(reported) - TRUTH) < 4 * math.hypot(0.02, 0.01) / math.sqrt(len(spec.seeds) * runs)
    assert np.mean(promised) - TRUTH > 0.015, "what validation promised is far off"
    assert np.mean(again) - TRUTH > 0.01, "as is the test of the selected trials themselves"
