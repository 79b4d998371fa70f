"""A sweep that is tuned as a source of trials: what it hands out, what it gives up, and how it goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import made
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cl.training import Score, TaskReport
from orchestrator.course import Course
from orchestrator.identity import StreamFacts, scenario_key
from orchestrator.outcome import Outcome
from orchestrator.pieces import Piece
from orchestrator.provenance import by_a_search, say_so
from orchestrator.search import result_of
from orchestrator.suggestions import Suggestions
from orchestrator.tuning import TunedSweep
from results.store import Store
from sweeps.spaces import Space
from sweeps.studies import Study
from sweeps.trials import Trial
from sweeps.tuning import TuneSettings, Tuning

TASKS, CHANCE = 5, 0.1
FACTS = StreamFacts(TASKS, CHANCE)
SELECTION, REPORT = (1_000_000, 1_000_001), (0, 1, 2)
SPACE = {"lambda": Space("loguniform", (1, 1e6))}
CHOICES = {"lambda": Space("choice", (1.0, 100.0, 1e5))}


def ewc(lambdas=(), space=None, method="ewc"):
    reported = made.trial(method, tasks=TASKS)
    grid = tuple({**reported.hyperparameters, "lambda": value} for value in lambdas)
    return Study(reported, (reported.scenario, "d1g175"), space or {}, grid, val_share=0.1)


def course(study, search="grid", scheduler="none", *, selection=SELECTION, report=REPORT, **values):
    section = {"search": search, "scheduler": scheduler, **values}
    return Course(study, Tuning(TuneSettings.model_validate(section), selection, {}, {}), report, FACTS)


def naive():
    """A method that has nothing to search."""
    return course(ewc(method="naive"))


COURSES = {
    "none": lambda: [course(ewc([1.0, 10.0, 100.0])), naive()],
    "halving": lambda: [course(ewc([1.0, 1e5, 10.0, 3e5, 100.0]), scheduler="halving"), naive()],
    "race": lambda: [course(ewc([1.0, 1e4, 3.0]), scheduler="race", selection=range(50, 59))],
    "tpe": lambda: [course(ewc(space=SPACE), "tpe", configs=7)],
    "tpe, halving": lambda: [course(ewc(space=SPACE), "tpe", "halving", configs=12), naive()],
    "tpe, few choices": lambda: [course(ewc(space=CHOICES), "tpe", "halving", configs=12)],
}
"""By the names of searches: fresh studies."""


def score(trial, tasks):
    """Best at lambda 100 in the end; each configuration has its ups and downs, and every seed its luck.

    Above 1e5 all looks well before the third task.
    """
    value = trial.hyperparameters.get("lambda", 1.0)
    if value > 1e5 and tasks < 3:
        return 0.95
    own = 0.02 * math.sin(value * tasks + trial.seed)
    return 0.8 - 0.05 * abs(math.log10(value) - 2) + own + 0.01 * (trial.seed % 3)


def diverges_at(trial):
    """The task in which a trial diverges; one that it does not have if it never does."""
    value = trial.hyperparameters.get("lambda", 1.0)
    return 3 if value > 1e5 and trial.seed % 2 else TASKS


def outcome(trial, learned, status="running"):
    """What *trial* reports after so many tasks; ACC of its first r tasks is `score` of r."""
    split = trial.scored_on
    reports = [
        TaskReport(
            after,
            tuple(Score(i, split, score(trial, after + 1) if i <= after else None, 10) for i in range(TASKS)),
        )
        for after in range(-1, learned)
    ]
    return Outcome(tuple(reports), status)


class Interrupted(Exception):  # noqa: N818 - reads as what happened
    """The process has died."""


@dataclass
class World:
    """Runs what a source hands out, and keeps what a store would.

    Args:
        random: decides how many run at a time and which of them is quickest.
        until: dies after so many reports.
    """

    random: np.random.Generator
    until: int | None = None
    disk: dict[str, tuple[Trial, int, str]] = field(default_factory=dict)
    """A trial, how many tasks it learned, and its status."""
    learned: list[tuple[str, int]] = field(default_factory=list)
    """What was learned, in order."""

    def rebuilt(self, courses):
        """The sweep as the next process finds it."""
        known = {
            each: result_of(outcome(trial, learned).matrix("val"), status, "val_acc", CHANCE)
            for each, (trial, learned, status) in self.disk.items()
            if trial.scored_on == "val"
        }
        ended = {each for each, (*_, status) in self.disk.items() if status != "running"}
        stopped = {each for each, (*_, status) in self.disk.items() if status == "stopped"}
        return TunedSweep(courses, known, frozenset(ended), frozenset(stopped))

    def run(self, sweep, watch=lambda: None):
        """Run *sweep* to its end."""
        running: list[Piece] = []
        while not sweep.finished:
            while len(running) < self.random.integers(1, 5) and (piece := sweep.next()):
                running.append(piece)
            self._learn(sweep, running.pop(self.random.integers(len(running))), watch)

    def _learn(self, sweep, piece, watch):
        trial, until = piece
        _, before, _ = self.disk.get(trial.id, (trial, 0, "running"))
        for task in range(before, min(until or TASKS, TASKS)):
            if self.until == len(self.learned):
                raise Interrupted
            self.learned.append((trial.id, task))
            if task == diverges_at(trial):
                heard = outcome(trial, task, "diverged")
            else:
                heard = outcome(trial, task + 1, "complete" if task == TASKS - 1 else "running")
            self.disk[trial.id] = (trial, heard.learned, heard.status)
            sweep.heard(trial, heard)
            for each in sweep.leaving():
                self.disk[each.id] = (each, self.disk[each.id][1], "stopped")
            watch()
            if heard.status != "running":
                return


def undisturbed(courses, seed=0):
    world = World(np.random.default_rng(seed))
    world.run(world.rebuilt(courses))
    return world


def findings(courses):
    return [each.found for each in courses]


def handed_out(sweep):
    pieces = []
    while piece := sweep.next():
        pieces.append(piece)
    return pieces


def settled(sweep, pieces):
    """Let *pieces* be learned as far as they are to be."""
    for trial, until in pieces:
        learned = until or TASKS
        sweep.heard(trial, outcome(trial, learned, "complete" if learned == TASKS else "running"))


# What is handed out.


def test_a_search_comes_first_and_then_its_winner_and_the_default():
    [study] = courses = [course(ewc([1.0, 100.0]))]
    sweep = TunedSweep(courses, {})
    first = handed_out(sweep)
    assert [(each.scored_on, each.hyperparameters["lambda"], each.seed, until) for each, until in first] == [
        ("val", value, seed, TASKS) for seed in SELECTION for value in (1.0, 100.0)
    ]
    assert study.reports() == []
    settled(sweep, first)
    assert study.chosen["lambda"] == 100.0
    default = study.study.default["lambda"]
    assert [
        (each.scored_on, each.hyperparameters["lambda"], each.seed, until)
        for each, until in handed_out(sweep)
    ] == [("test", value, seed, None) for seed in REPORT for value in (100.0, default)]


def test_a_default_that_wins_is_reported_once():
    default = ewc().default["lambda"]
    sweep = TunedSweep([course(ewc([1e6, default]))], {})
    settled(sweep, handed_out(sweep))
    assert [each.seed for each, _ in handed_out(sweep)] == list(REPORT)


def test_without_a_winner_the_default_is_reported_alone():
    sweep = TunedSweep([course(ewc([1.0, 2.0]))], {})
    for each, _ in handed_out(sweep):
        sweep.heard(each, outcome(each, 2, "diverged"))
    assert [(each.hyperparameters, each.seed) for each, _ in handed_out(sweep)] == [
        (ewc().default, seed) for seed in REPORT
    ]


def test_what_has_nothing_to_search_is_reported_at_once():
    sweep = TunedSweep([naive()], {})
    assert handed_out(sweep) == [Piece(naive().study.report_trial({}, seed)) for seed in REPORT]


def test_nothing_comes_while_the_next_step_depends_on_what_is_out():
    sweep = TunedSweep([course(ewc([1.0, 2.0]), scheduler="halving")], {})
    *others, last = handed_out(sweep)
    settled(sweep, others)
    assert sweep.next() is None
    assert not sweep.finished
    settled(sweep, [last])
    assert {until for _, until in handed_out(sweep)} == {4}


def test_a_paused_trial_is_handed_out_again_with_more_tasks():
    sweep = TunedSweep([course(ewc([1.0, 2.0]), scheduler="halving")], {})
    first = handed_out(sweep)
    assert {until for _, until in first} == {2}
    trial = first[0].trial
    assert sweep.is_out(trial)
    sweep.heard(trial, outcome(trial, 1))
    assert sweep.is_out(trial), "it has a task to go"
    sweep.heard(trial, outcome(trial, 2))
    assert not sweep.is_out(trial)
    settled(sweep, first[1:])
    again = handed_out(sweep)
    kept = {each.id for each, _ in again}
    assert len(again) == 2
    assert kept < {each.id for each, _ in first}
    assert [each.id for each in sweep.leaving()] == [each.id for each, _ in first if each.id not in kept]
    assert sweep.leaving() == []


def test_a_trial_that_had_gone_further_than_anybody_heard_pauses_all_the_same():
    """Its checkpoint is ahead of its rows when a driver is killed."""
    sweep = TunedSweep([course(ewc([1.0, 2.0]), scheduler="halving")], {})
    for trial, _ in handed_out(sweep):
        sweep.heard(trial, outcome(trial, 3))
        assert not sweep.is_out(trial)
    assert {until for _, until in handed_out(sweep)} == {4}


def test_again_hands_out_what_is_out_in_its_order_and_nothing_that_has_ended():
    sweep = TunedSweep([course(ewc([1.0, 2.0, 3.0]))], {})
    pieces = [sweep.next() for _ in range(4)]
    settled(sweep, [pieces[1]])
    sweep.again()
    assert not sweep.is_out(pieces[0].trial)
    assert [sweep.next() for _ in range(3)] == [pieces[0], pieces[2], pieces[3]]
    assert len(handed_out(sweep)) == 2


def test_again_does_not_hand_out_what_paused():
    sweep = TunedSweep([course(ewc([1.0, 2.0]), scheduler="halving")], {})
    first, second, *_ = handed_out(sweep)
    settled(sweep, [first])
    sweep.again()
    assert sweep.next() == second


def test_what_nobody_asked_for_is_nobodys_business():
    sweep = TunedSweep([course(ewc([1.0, 2.0]))], {})
    stranger = made.trial("replay", tasks=TASKS)
    sweep.heard(stranger, outcome(stranger, TASKS, "complete"))
    assert (sweep.done, len(handed_out(sweep))) == (0, 4)


def test_two_scenarios_that_search_the_same_share_their_trials():
    study = ewc([1.0, 2.0])
    other = Study(
        made.trial("ewc", label="class-il/permuted-digits"), study.searched, {}, study.grid, study.val_share
    )
    courses = [course(study), course(other)]
    sweep = TunedSweep(courses, {})
    pieces = handed_out(sweep)
    assert len(pieces) == 4
    settled(sweep, pieces)
    assert sweep.done == 4
    assert courses[0].found == courses[1].found
    assert courses[0].chosen
    assert len(handed_out(sweep)) == 4 * len(REPORT)


def test_a_configuration_that_came_up_twice_runs_once_and_is_not_given_up_while_one_of_them_stays():
    courses = COURSES["tpe, few choices"]()
    world = undisturbed(courses)
    [found] = findings(courses)
    assert len(found.candidates) == 12
    assert len(found.left) > 0
    val = {each: status for each, (one, _, status) in world.disk.items() if one.scored_on == "val"}
    assert len(val) <= 3 * len(SELECTION)
    for number in set(range(12)) - set(found.left):
        assert {val[courses[0].trial_of(number, seed).id] for seed in SELECTION} == {"complete"}
    assert len(world.learned) == len(set(world.learned))


def test_the_trials_of_equals_are_not_given_up_with_one_of_them():
    """As TPE may propose the same twice; the first of equals stays, and its trials are the other's too."""
    sweep = TunedSweep([course(ewc([1.0, 100.0, 100.0, 10.0]), scheduler="halving")], {})
    settled(sweep, handed_out(sweep))
    assert {each.hyperparameters["lambda"] for each in sweep.leaving()} == {1.0, 10.0}
    settled(sweep, handed_out(sweep))
    assert sweep.courses[0].found.left.keys() == {0, 2, 3}
    assert sweep.leaving() == []
    assert [(each.hyperparameters["lambda"], until) for each, until in handed_out(sweep)] == [(100.0, 5)] * 2


# Whatever the timing, and wherever it was interrupted.


@pytest.mark.parametrize("name", COURSES)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_order_of_results_changes_nothing(name, seed):
    expected, courses = COURSES[name](), COURSES[name]()
    first, second = undisturbed(expected), undisturbed(courses, seed)
    assert findings(courses) == findings(expected)
    assert second.disk == first.disk
    assert [each.reports() for each in courses] == [each.reports() for each in expected]


@pytest.mark.parametrize("name", COURSES)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), interruptions=st.lists(st.integers(0, 60), max_size=3))
def test_a_sweep_that_was_interrupted_anywhere_ends_as_if_it_had_not_been(name, seed, interruptions):
    expected = COURSES[name]()
    first = undisturbed(expected)
    world = World(np.random.default_rng(seed))
    for more in interruptions:
        world.until = len(world.learned) + more
        try:
            world.run(world.rebuilt(COURSES[name]()))
        except Interrupted:
            continue
    world.until, courses = None, COURSES[name]()
    world.run(world.rebuilt(courses))
    assert findings(courses) == findings(expected)
    assert world.disk == first.disk
    assert sorted(world.learned) == sorted(first.learned), "nothing is learned twice or left out"


@pytest.mark.parametrize("name", COURSES)
def test_a_sweep_that_is_done_has_nothing_to_run(name):
    courses = COURSES[name]()
    world = undisturbed(courses)
    again = COURSES[name]()
    sweep = world.rebuilt(again)
    assert sweep.finished
    assert sweep.next() is None
    assert findings(again) == findings(courses)
    assert sweep.done == sweep.at_most > 0


@pytest.mark.parametrize("name", COURSES)
def test_nothing_is_handed_out_twice(name):
    sweep = TunedSweep(COURSES[name](), {})
    world, pieces = World(np.random.default_rng(3)), []
    take = sweep.next

    def noted():
        pieces.append(take())
        return pieces[-1]

    sweep.next = noted
    world.run(sweep)
    taken = [(piece.trial.id, piece.until) for piece in pieces if piece]
    assert len(taken) == len(set(taken))


def test_a_divergence_after_a_rung_does_not_change_what_was_decided_at_it():
    """It was kept for what it had until then, and the other is not taken up in its place."""
    make = COURSES["halving"]
    expected = make()
    first = undisturbed(expected)
    kept = [each for each, (_, learned, status) in first.disk.items() if (learned, status) == (3, "diverged")]
    assert kept, "the case that is meant"
    courses = make()
    first.rebuilt(courses)
    assert findings(courses) == findings(expected)


def test_a_failed_trial_scores_chance_now_and_runs_again_the_next_time():
    courses = [course(ewc([1.0, 100.0]))]
    sweep = TunedSweep(courses, {})
    pieces = handed_out(sweep)
    settled(sweep, [each for each in pieces if each.trial.hyperparameters["lambda"] == 1.0])
    bad = [each for each in pieces if each.trial.hyperparameters["lambda"] == 100.0]
    for trial, _ in bad:
        sweep.heard(trial, outcome(trial, 1, "failed"))
    assert courses[0].found.scores(1) == dict.fromkeys(SELECTION, CHANCE)
    assert courses[0].chosen["lambda"] == 1.0

    found = courses[0].found.results[0]
    known = {courses[0].trial_of(0, seed).id: found[seed] for seed in SELECTION}
    again = TunedSweep([course(ewc([1.0, 100.0]))], known, frozenset(known))
    assert handed_out(again) == bad


def test_more_configurations_than_an_earlier_search_had_take_up_what_it_had_given_up():
    """With more of them the better half is larger; what was stopped goes on."""
    few = [course(ewc([1e4, 100.0]), scheduler="halving")]
    world = undisturbed(few)
    given_up = [each for each, (*_, status) in world.disk.items() if status == "stopped"]
    assert len(given_up) == len(SELECTION)
    more = [course(ewc([1e4, 100.0, 9e4, 1e5]), scheduler="halving")]
    sweep = world.rebuilt(more)
    before = sweep.done
    assert before == 2 * len(SELECTION), "and the reports of a choice that is open again do not count"
    world.run(sweep)
    assert more[0].found.left.keys() == {0, 2, 3}
    assert [world.disk[each][1:] for each in given_up] == [(4, "stopped")] * len(SELECTION)
    expected = [course(ewc([1e4, 100.0, 9e4, 1e5]), scheduler="halving")]
    undisturbed(expected)
    assert findings(more) == findings(expected)


def test_results_of_a_longer_search_are_not_given_up():
    """A trial that another search brought to its end stays complete, though this one leaves it."""
    world = undisturbed([course(ewc([1e4, 100.0]))])
    halved = [course(ewc([1e4, 100.0]), scheduler="halving")]
    sweep = world.rebuilt(halved)
    assert sweep.finished
    assert sweep.leaving() == []
    assert halved[0].found.left.keys() == {0}


# Counts.


@pytest.mark.parametrize("name", COURSES)
@pytest.mark.parametrize("seed", range(3))
def test_counts_agree_from_the_beginning_to_the_end(name, seed):
    courses = COURSES[name]()
    world = World(np.random.default_rng(seed))
    sweep, counts = world.rebuilt(courses), []
    world.run(sweep, lambda: counts.append((sweep.done, sweep.at_most)))
    distinct = len(world.disk)
    done, most = zip(*counts, strict=True)
    assert list(most) == sorted(most, reverse=True), "at most is never exceeded later"
    assert done[-1] == most[-1] == distinct
    assert all(a <= b for a, b in counts)
    if name != "tpe, few choices":  # where what was given up may come up again
        assert list(done) == sorted(done)


def test_the_best_so_far_is_compared_over_as_many_seeds_as_any_has():
    sweep = TunedSweep([course(ewc([1.0, 100.0, 1e4]))], {})
    study = sweep.courses[0]
    assert sweep.best(study) is None
    first, second, third = (sweep.next().trial for _ in range(3))
    assert {each.seed for each in (first, second, third)} == {SELECTION[0]}
    sweep.heard(first, outcome(first, TASKS, "complete"))
    assert sweep.best(study) == (first.hyperparameters, pytest.approx(score(first, TASKS)), 1)
    sweep.heard(second, outcome(second, TASKS, "complete"))
    assert score(second, TASKS) > score(first, TASKS)
    assert sweep.best(study) == (second.hyperparameters, pytest.approx(score(second, TASKS)), 1)
    again = sweep.next().trial  # the first configuration again, on the other seed
    assert again.hyperparameters == first.hyperparameters
    sweep.heard(again, outcome(again, TASKS, "complete"))
    both = (score(first, TASKS) + score(again, TASKS)) / 2
    assert sweep.best(study) == (first.hyperparameters, pytest.approx(both), 2)


def test_at_most_is_what_would_run_if_nobody_left():
    sweep = TunedSweep(COURSES["halving"](), {})
    assert sweep.at_most == 5 * len(SELECTION) + 2 * len(REPORT) + len(REPORT)
    race = TunedSweep(COURSES["race"](), {})
    assert race.at_most == 3 * 9 + 2 * len(REPORT)


def test_a_study_says_how_far_it_is():
    [study] = courses = [course(ewc([1.0, 100.0]))]
    sweep = TunedSweep(courses, {})
    assert sweep.state(study) == "searching, 2 configurations left"
    settled(sweep, handed_out(sweep))
    assert sweep.state(study) == "reporting, 0 of 6 trials"
    first, *others = handed_out(sweep)
    settled(sweep, [first])
    assert sweep.state(study) == "reporting, 1 of 6 trials"
    settled(sweep, others)
    assert sweep.state(study) == "done"


# What Ray Tune is told.


def test_suggestions_are_the_pieces_and_an_end():
    left: list[Trial] = []
    sweep = TunedSweep([course(ewc([1.0, 2.0]), scheduler="halving")], {})
    suggestions = Suggestions(sweep, left.append, lambda piece: {"trial": piece})

    def suggested():
        config = suggestions.suggest("its id")
        return config and config["trial"]

    first = [suggested() for _ in range(4)]
    assert [until for _, until in first] == [2] * 4
    assert suggested() is None
    settled(sweep, first)
    assert left == []
    second = [suggested(), suggested()]
    assert [until for _, until in second] == [4, 4]
    assert {each.id for each in left} == {each.id for each, _ in first} - {each.id for each, _ in second}
    settled(sweep, second)
    settled(sweep, [suggested(), suggested()])
    settled(sweep, [suggested() for _ in range(2 * len(REPORT))])
    assert suggestions.suggest("its id") == "FINISHED"


# How it is said what was chosen.

COLUMNS = ("protocol", "chosen_on", "chosen_by", "selection_seeds", "configs")


def said(columns):
    return [columns.get(name) for name in COLUMNS]


FIXED = ["fixed", None, None, None, None]
BY_A_GRID = ["val-stream", "class-il/split-digits", "grid, none", list(SELECTION), 2]


def test_a_trial_says_that_it_searches_or_was_chosen_or_is_fixed():
    courses = [course(ewc([1.0, 100.0])), naive()]
    provenance = by_a_search(courses)
    searching = courses[0].trial_of(0, SELECTION[0])
    assert said(provenance(searching)) == BY_A_GRID
    undisturbed(courses)
    winner, default, *_ = courses[0].reports()
    assert said(provenance(winner)) == BY_A_GRID
    assert said(provenance(default)) == FIXED
    assert said(provenance(courses[1].reports()[0])) == FIXED


def test_a_default_that_was_chosen_says_so():
    default = ewc().default["lambda"]
    courses = [course(ewc([1e6, default]))]
    undisturbed(courses)
    assert said(by_a_search(courses)(courses[0].reports()[0])) == BY_A_GRID


def test_rows_that_an_earlier_search_wrote_say_what_this_one_chose(tmp_path):
    store = Store(tmp_path / "run")
    default = ewc().default["lambda"]
    chosen_before, chosen_now = [course(ewc([1e6, default]))], [course(ewc([default, 100.0]))]
    for courses in (chosen_before, chosen_now):
        undisturbed(courses)
    provenance = by_a_search(chosen_before)
    stranger = made.trial("replay", tasks=TASKS)
    reports = chosen_before[0].reports()
    recording = made.recorder(
        store,
        {scenario_key(each): FACTS for each in (*reports, stranger)},
        provenance=lambda each: provenance(each) if each != stranger else {"protocol": "fixed"},
    )
    for each in (*reports, stranger):
        recording.started(each)
        recording.reported(each, outcome(each, TASKS, "complete"))
    recording.writer.flush()

    def rows():
        return {row["trial_id"]: row for row in store.trials().to_pylist()}

    before = rows()
    assert [said(before[each.id]) for each in reports] == [BY_A_GRID] * len(REPORT)
    say_so(store, chosen_now[0].reports(), by_a_search(chosen_now))
    after = rows()
    assert [said(after[each.id]) for each in reports] == [FIXED] * len(REPORT)
    others = {name for name in before[stranger.id] if name not in COLUMNS}
    for each, row in before.items():
        assert {name: row[name] for name in others} == {name: after[each][name] for name in others}
    assert after[stranger.id] == before[stranger.id]

    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "trials").iterdir()}
    say_so(store, chosen_now[0].reports(), by_a_search(chosen_now))
    assert {path: path.stat().st_mtime_ns for path in written} == written, "what is right is not written"
