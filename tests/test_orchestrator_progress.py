"""What a person is told while a sweep runs: counts, time left and means, against hand calculations."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from made import outcome, trial

from cl.training import Score, TaskReport
from orchestrator.course import Course
from orchestrator.durations import duration
from orchestrator.identity import StreamFacts
from orchestrator.outcome import Outcome
from orchestrator.progress import Progress, final_accuracy
from orchestrator.tuning import TunedSweep
from orchestrator.tuning_progress import TuningProgress
from sweeps.studies import Study
from sweeps.tuning import TuneSettings, Tuning

NAIVE = [trial(seed=seed) for seed in range(3)]
JOINT = [trial("joint", seed=seed) for seed in range(3)]
PLAIN, REFERENCE = ("class-il/split-digits", "naive"), ("class-il/split-digits", "joint")
CELLS = {t.id: PLAIN for t in NAIVE} | {t.id: REFERENCE for t in JOINT}

UNTRAINED, FIRST = [0.5, None], [1.0, None]


def complete(*final):
    return outcome(UNTRAINED, FIRST, final, status="complete")


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only when told to."""
    time = SimpleNamespace(now=100.0)
    for module in ("progress", "live_trials"):
        monkeypatch.setattr(f"orchestrator.{module}.time", SimpleNamespace(monotonic=lambda: time.now))
    return time


@pytest.fixture
def progress():
    """Three naive trials of work 1 and three joint ones of work 2."""
    return Progress({t.id: 1.0 for t in NAIVE} | {t.id: 2.0 for t in JOINT}, CELLS, {})


def test_trials_done_and_running_are_counted(progress):
    assert progress.headline().startswith("0/6 trials, 0 running")
    for t in NAIVE:
        progress.started(t)
    assert progress.headline().startswith("0/6 trials, 3 running")
    progress.reported(NAIVE[0], complete(0.2, 0.8))
    progress.reported(NAIVE[1], outcome(UNTRAINED, status="failed"))
    progress.reported(NAIVE[2], outcome(UNTRAINED, status="diverged"))
    assert progress.headline().startswith("3/6 trials, 0 running, 1 failed, 1 diverged")


def test_what_earlier_runs_completed_counts_as_done_and_in_the_means():
    before = {NAIVE[0].id: 0.25, NAIVE[1].id: 0.75}
    todo = {t.id: 1.0 for t in [NAIVE[2], *JOINT]}
    resumed = Progress(todo, CELLS, before)
    assert resumed.headline().startswith("2/6 trials, 0 running")
    [(_, _, n, mean)] = resumed.means()
    assert (n, mean) == (2, "0.500 ± 3.177"), "t(0.975, 1) = 12.706; sd = 0.3536; over sqrt 2"


def test_a_trial_that_starts_over_is_running_once(progress):
    progress.started(NAIVE[0])
    progress.reported(NAIVE[0], outcome(UNTRAINED, FIRST))
    progress.started(NAIVE[0])
    assert progress.headline().startswith("0/6 trials, 1 running")


def test_there_is_no_time_left_before_anything_is_learned(progress, clock):
    assert progress.seconds_left() is None
    progress.started(NAIVE[0])
    clock.now += 5
    assert progress.seconds_left() is None
    assert progress.headline().endswith("time left: not known yet")


def test_time_left_is_work_left_at_the_pace_so_far(progress, clock):
    progress.started(NAIVE[0])
    progress.started(JOINT[0])
    clock.now += 30
    progress.reported(NAIVE[0], complete(0.2, 0.8))
    # 1 of 9 units of work in 30 s: 8 more take 240 s.
    assert progress.seconds_left() == pytest.approx(240)
    clock.now += 10
    progress.reported(JOINT[0], outcome(UNTRAINED, FIRST))
    # Half of a joint trial is one unit more: 2 units in 40 s, 7 more take 140 s.
    assert progress.seconds_left() == pytest.approx(140)
    assert progress.headline().endswith("time left: 2 min 20 s")


def test_means_and_their_intervals_tighten_with_every_seed(progress):
    for t, final in zip(NAIVE, ([0.0, 0.6], [0.0, 0.8], [0.0, 1.0]), strict=True):
        progress.started(t)
        progress.reported(t, complete(*final))
    progress.started(JOINT[0])
    progress.reported(JOINT[0], complete(0.9, 0.7))
    # ACC 0.3, 0.4, 0.5: mean 0.4, sd 0.1, t(0.975, 2) = 4.3027, half width 4.3027 * 0.1 / sqrt 3 = 0.248.
    assert list(progress.means()) == [(*PLAIN, 3, "0.400 ± 0.248"), (*REFERENCE, 1, "0.800")]


def test_only_complete_trials_enter_the_means(progress):
    progress.started(NAIVE[0])
    progress.reported(NAIVE[0], outcome(UNTRAINED, FIRST, [1.0, 1.0], status="failed"))
    assert list(progress.means()) == []


def test_a_matrix_with_a_hole_has_no_final_accuracy():
    assert final_accuracy(complete(0.5, None).matrix()) is None
    assert final_accuracy(complete(0.5, 1.0).matrix()) == 0.75


# What is drawn.

DOMAIN = [trial(seed=seed, label="domain-il/split-digits") for seed in range(2)]
BOTH = {t.id: PLAIN for t in NAIVE} | {t.id: ("domain-il/split-digits", "naive") for t in DOMAIN}


def rows(view, width=100, height=40):
    return [row.plain.rstrip() for row in view.drawn(width, height)]


def row(view, words):
    """The one row with these *words*, without its bar and with one blank between words."""
    [found] = [row for row in rows(view) if words in row]
    return " ".join(word for word in found.split() if not set(word) <= set("━╸─"))


def test_before_the_first_trial_it_says_that_it_starts(progress):
    assert rows(progress)[0].endswith("0/6 trials, starting")


def test_the_first_row_says_how_far_all_is_and_how_others_ended(progress, clock):
    for t in NAIVE:
        progress.started(t)
    clock.now += 30
    progress.reported(NAIVE[0], complete(0.2, 0.8))
    progress.reported(NAIVE[1], outcome(UNTRAINED, status="failed"))
    # 2 of 9 units in 30 s: 7 more take 105 s.
    assert rows(progress)[0].endswith("  2/6 trials, 1 min 45 s left, 1 failed, 1 running")


def test_each_scenario_has_its_own_time_left(clock):
    """It lasts until its last trial ends, and takes those of other scenarios that come before."""
    order = [*NAIVE[:2], DOMAIN[0], NAIVE[2], DOMAIN[1]]
    progress = Progress({t.id: 1.0 for t in order}, BOTH, {})
    progress.started(NAIVE[0])
    clock.now += 10
    progress.reported(NAIVE[0], complete(0.2, 0.8))
    # 10 s a trial: of class-il the last one is the fourth, of domain-il the fifth.
    assert row(progress, "1/3") == "class-il/split-digits 1/3 30 s left"
    assert row(progress, "0/2") == "domain-il/split-digits 0/2 40 s left"
    for t in order[1:4]:
        progress.started(t)
        progress.reported(t, complete(0.2, 0.8))
    # 4 trials in 10 s: the last one takes 2.5 s.
    assert row(progress, "3/3") == "class-il/split-digits 3/3 done"
    assert row(progress, "1/2") == "domain-il/split-digits 1/2 2 s left"


def test_what_a_running_trial_has_learned_shortens_the_time_left_of_its_scenario(clock):
    progress = Progress({t.id: 1.0 for t in [*NAIVE, *DOMAIN]}, BOTH, {})
    progress.started(NAIVE[0])
    clock.now += 10
    progress.reported(NAIVE[0], outcome(UNTRAINED, FIRST))
    # Half a trial in 10 s: of class-il 2.5 are left, of all 4.5.
    assert row(progress, "0/3") == "class-il/split-digits 0/3 50 s left"
    assert row(progress, "0/2") == "domain-il/split-digits 0/2 1 min 30 s left"


def test_failures_are_counted_with_their_scenario():
    progress = Progress({t.id: 1.0 for t in [*NAIVE, *DOMAIN]}, BOTH, {})
    for t, status in zip([*NAIVE, DOMAIN[0]], ["failed", "failed", "diverged", "complete"], strict=True):
        progress.started(t)
        progress.reported(t, outcome(UNTRAINED, [1.0, None], [0.5, 0.5], status=status))
    assert row(progress, "3/3") == "class-il/split-digits 3/3 done 2 failed, 1 diverged"
    assert row(progress, "1/2").endswith("left")


def test_a_running_trial_says_its_task_and_how_long_it_has_been_at_work(clock):
    progress = Progress({t.id: 1.0 for t in NAIVE}, BOTH, {}, tasks=lambda _: 2)
    progress.started(NAIVE[0])
    clock.now += 65
    progress.started(NAIVE[1])
    clock.now += 3
    assert row(progress, "seed 0") == "naive seed 0 class-il/split-digits task 1 of 2 1 min 8 s"
    assert row(progress, "seed 1") == "naive seed 1 class-il/split-digits task 1 of 2 3 s"
    progress.reported(NAIVE[0], outcome(UNTRAINED, FIRST))
    assert "task 2 of 2" in row(progress, "seed 0")
    progress.reported(NAIVE[0], complete(0.2, 0.8))
    assert not [each for each in rows(progress) if "seed 0" in each]


@pytest.mark.usefixtures("clock")
def test_a_trial_that_was_begun_before_does_not_claim_its_first_task():
    progress = Progress({t.id: 1.0 for t in NAIVE}, BOTH, {}, begun=[NAIVE[0].id], tasks=lambda _: 2)
    progress.started(NAIVE[0])
    progress.started(NAIVE[1])
    progress.waiting(NAIVE[1])
    progress.started(NAIVE[1])
    for seed in (0, 1):
        assert "class-il/split-digits taken up again 0 s" in row(progress, f"seed {seed}")
    progress.reported(NAIVE[0], outcome(UNTRAINED, FIRST))
    assert "class-il/split-digits task 2 of 2 0 s" in row(progress, "seed 0")


def test_of_many_means_those_that_changed_last_are_drawn_in_the_order_of_the_plan():
    cells = [
        trial("ewc", seed=seed, hyperparameters={"lambda": float(k)}) for k in range(1, 31) for seed in (0, 1)
    ]
    named = {t.id: ("class-il/split-digits", f"ewc lambda={t.hyperparameters['lambda']:g}") for t in cells}
    progress = Progress({t.id: 1.0 for t in cells}, named, {})
    for t in cells[::2]:
        progress.started(t)
        progress.reported(t, complete(0.2, 0.8))
    progress.started(cells[5])
    progress.reported(cells[5], complete(0.4, 0.8))
    # 13 rows: for all, the scenario, whoever runs, and means; above each of these a blank one, twice a title.
    first, *others, more = rows(progress, height=14)[8:]
    assert first == "class-il/split-digits  ewc lambda=3   n=2  0.550 ± 0.635"
    assert [each.split()[1] for each in others] == ["lambda=28", "lambda=29", "lambda=30"]
    assert more == "... and 26 more"


# News.


def news(view):
    return [line.plain for line in view.news()]


def test_a_failure_is_news_once_with_its_cause(progress):
    progress.started(JOINT[2])
    progress.reported(JOINT[2], outcome(UNTRAINED, status="failed", cause="ValueError: no\x1b[2J room\r"))
    assert news(progress) == ["failed: joint seed 2 in class-il/split-digits: ValueError: no [2J room "]
    assert news(progress) == []


def test_a_loss_that_is_not_finite_and_a_process_that_ends_are_news(progress):
    progress.started(NAIVE[0])
    progress.reported(NAIVE[0], outcome(UNTRAINED, status="diverged", cause="the loss was nan"))
    progress.started(NAIVE[1])
    progress.waiting(NAIVE[1])
    progress.waiting(NAIVE[1])
    progress.started(NAIVE[1])
    progress.reported(NAIVE[1], complete(0.2, 0.8))
    assert news(progress) == [
        "diverged: naive seed 0 in class-il/split-digits: the loss was nan",
        "lost: naive seed 1 in class-il/split-digits: its process ended; it goes on in another one",
    ]


def test_what_is_wrong_with_the_storage_is_said_until_it_works_again(progress):
    progress.storage_trouble("s3 is away;\ntrying again for 9 s")
    assert "s3 is away; trying again for 9 s" in rows(progress)
    assert ", s3 is away; trying again for 9 s, time left" in progress.headline()
    progress.storage_trouble(None)
    progress.started(NAIVE[0])
    progress.reported(NAIVE[0], outcome(UNTRAINED, FIRST, trouble="disk full"))
    assert "no checkpoint: disk full" in rows(progress)
    progress.reported(NAIVE[0], complete(0.2, 0.8))
    assert not [each for each in rows(progress) if "disk" in each or "s3" in each]


# A sweep that is tuned.

SELECTION, REPORT = (1_000_000, 1_000_001), (0, 1)


def study(method, lambdas=(), scheduler="none"):
    """A method that is searched over *lambdas*, or only reported."""
    reported = trial(method, tasks=3)
    grid = tuple({**reported.hyperparameters, "lambda": value} for value in lambdas)
    found = Study(reported, (reported.scenario, "d1g175"), {}, grid, val_share=0.1)
    how = Tuning(TuneSettings(search="grid", scheduler=scheduler), SELECTION, {}, {})
    return Course(found, how, REPORT, StreamFacts(3, 0.5), "class-il/split-digits", method)


def learned(trial, tasks, accuracy=0.75, **values):
    """What *trial* reports after so many tasks of three: the same accuracy on each."""
    scores = tuple(Score(task, trial.scored_on, accuracy, 10) for task in range(3))
    reports = tuple(TaskReport(after, scores) for after in range(-1, tasks))
    return Outcome(reports, values.pop("status", "complete" if tasks == 3 else "running"), **values)


def told(view, sweep, *accuracies):
    """Let the next trials of *sweep* learn as many tasks as they are to."""
    for accuracy in accuracies:
        trial, until = sweep.next()
        view.started(trial)
        view.reported(trial, learned(trial, until or 3, accuracy))


def test_each_search_says_how_far_it_is_and_the_best_that_it_found():
    sweep = TunedSweep([study("naive"), study("ewc", [1.0, 100.0])], {})
    view = TuningProgress(sweep)
    assert rows(view)[0].endswith("0 of at most 10 trials, starting")
    assert row(view, "naive") == "class-il/split-digits naive 0/2 reporting, 0 of 2 trials"
    # Two configurations on two seeds, then the winner and the default on two others.
    assert row(view, "ewc") == "ewc 0/8 searching, 2 configurations"
    told(view, sweep, 0.5, 0.5, 0.25, 0.75)
    assert row(view, "naive") == "class-il/split-digits naive 2/2 done"
    assert row(view, "2/8") == "ewc 2/8 searching, 2 configurations"
    assert "best so far" in rows(view)
    assert row(view, "val_acc") == "class-il/split-digits ewc val_acc 0.750 (n=1) lambda=100"
    told(view, sweep, 0.75, 0.75)
    assert row(view, "4/8") == "ewc 4/8 reporting, 0 of 4 trials"
    told(view, sweep, *[0.5] * 4)
    assert rows(view)[0].endswith("10 of 10 trials, at most 0 s left, 0 running")


def test_a_trial_of_a_search_is_called_by_what_it_tries():
    sweep = TunedSweep([study("ewc", [1.0, 100.0])], {})
    view = TuningProgress(sweep, tasks=lambda _: 3)
    first, second = sweep.next().trial, sweep.next().trial
    view.started(first)
    view.started(second)
    assert row(view, "lambda=100").startswith("ewc lambda=100 seed 1000000 class-il/split-digits task 1 of 3")
    view.reported(first, learned(first, 1, status="failed", cause="KeyError: 'x'"))
    view.reported(second, learned(second, 1, status="diverged", cause="the loss was nan"))
    assert news(view) == ["failed: ewc lambda=1 seed 1000000 in class-il/split-digits: KeyError: 'x'"]
    assert ", 0 running, 1 failed, 1 diverged, " in view.headline()


def test_a_trial_that_pauses_does_not_run():
    sweep = TunedSweep([study("ewc", [1.0, 100.0], "halving")], {})
    view = TuningProgress(sweep)
    told(view, sweep, 0.5)
    assert ", 0 running, " in view.headline()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min")],
)
def test_a_duration_reads_at_a_glance(seconds, words):
    assert duration(seconds) == words
