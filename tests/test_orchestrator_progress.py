"""What a person sees while a sweep runs: counts, time left and means, against hand calculations."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from made import outcome, trial
from rich.console import Console

from orchestrator.progress import Lines, Progress, duration, final_accuracy, shown

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
    monkeypatch.setattr("orchestrator.progress.time", SimpleNamespace(monotonic=lambda: time.now))
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


def drawn(*, terminal):
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=80)
    return text, console


def test_in_a_terminal_the_view_is_live(progress):
    text, console = drawn(terminal=True)
    with shown(progress, console) as watcher:
        watcher.started(NAIVE[0])
        watcher.reported(NAIVE[0], complete(0.25, 0.75))
    assert "\x1b[" in text.getvalue()
    assert "1/6 trials" in text.getvalue()
    assert "0.500" in text.getvalue()


def test_elsewhere_it_is_a_plain_line_now_and_then_and_one_at_the_end(progress, clock):
    text, console = drawn(terminal=False)
    with shown(progress, console) as watcher:
        assert isinstance(watcher, Lines)
        for t in NAIVE:
            watcher.started(t)
            clock.now += 6
            watcher.reported(t, complete(0.25, 0.75))
    lines = text.getvalue().splitlines()
    # Ten seconds have passed at the second report, at 12 s, and not again at the third, at 18 s.
    assert lines == [
        "2/6 trials, 0 running, time left: 42 s",
        "3/6 trials, 0 running, time left: 36 s",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min")],
)
def test_a_duration_reads_at_a_glance(seconds, words):
    assert duration(seconds) == words
