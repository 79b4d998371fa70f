"""The live view: what fits on a screen, how it is drawn over itself, and what logs get in its place."""

from __future__ import annotations

import contextlib
import io
import sys
import threading
from types import SimpleNamespace

import made
import pytest
from commands import wait_until
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text
from screen import Screen

import orchestrator.live
import orchestrator.live_cluster
from orchestrator.live import shown
from orchestrator.live_layout import Block, Column, Picture, laid_out
from orchestrator.live_region import Region
from orchestrator.progress import Progress

# What fits on a screen.


def block(name, total, *, title="", room=0):
    """Rows ``name 0``, ``name 1``, ... of which the first ones are the most telling."""
    return Block(
        (Column(), Column()), total, lambda count: [(name, str(k)) for k in range(count)], title, room
    )


def picture(*blocks, facts=("2/4 trials", "3 min left", "1 failed"), troubles=(), share=0.5):
    return Picture(share, [Text(fact) for fact in facts], troubles, blocks)


def rows(picture, width=80, height=24, **options):
    return [row.plain.rstrip() for row in laid_out(picture, width, height, **options)]


def test_the_head_is_a_bar_and_what_it_comes_to():
    assert rows(picture(), width=47) == ["━━━━━━──────  2/4 trials, 3 min left, 1 failed"]
    assert rows(picture(), width=200) == [f"{'━' * 20}{'─' * 20}  2/4 trials, 3 min left, 1 failed"]


def test_a_narrow_head_has_no_bar_and_more_lines():
    assert rows(picture(), width=39) == ["2/4 trials, 3 min left, 1 failed"]
    assert rows(picture(), width=25) == ["2/4 trials, 3 min left", "1 failed"]


def test_a_bar_is_full_only_once_all_is_done():
    done = [rows(picture(share=share), width=47)[0][:12] for share in (0.0, 0.04, 0.05, 0.999, 1.0)]
    assert done == ["─" * 12, "─" * 12, "╸" + "─" * 11, "━" * 11 + "╸", "━" * 12]
    assert rows(picture(share=0.5), width=47, ascii_only=True)[0][:12] == "######------"


def test_where_there_is_room_blocks_have_titles_and_are_apart():
    assert rows(picture(block("a", 2), block("b", 1, title="of b")), height=9)[1:] == [
        *("", "a  0", "a  1"),
        *("", "of b", "b  0"),
    ]


def test_where_there_is_little_they_are_closer():
    assert rows(picture(block("a", 2), block("b", 1, title="of b")), height=7)[1:] == ["a  0", "a  1", "b  0"]


def test_what_does_not_fit_is_counted():
    assert rows(picture(block("a", 20)), height=7)[1:] == ["", "a  0", "a  1", "a  2", "... and 17 more"]


def test_what_matters_more_is_served_first_once_all_have_a_few_rows():
    crowded = picture(block("a", 9), block("b", 9), block("c", 9))
    few = [
        "a  0",
        "a  1",
        "... and 7 more",
        "b  0",
        "b  1",
        "... and 7 more",
        "c  0",
        "c  1",
        "... and 7 more",
    ]
    assert rows(crowded, height=11)[1:] == few
    assert rows(crowded, height=10)[1:] == [*few[:7], "... and 8 more"]
    assert rows(crowded, height=9)[1:] == ["a  0", "a  1", "a  2", "... and 6 more", *few[3:6]]
    assert rows(crowded, height=5)[1:] == few[:3]
    assert len(rows(crowded, height=2)) == 1


def test_rows_are_kept_free_for_what_comes_and_goes():
    assert rows(picture(block("a", 1, room=3), block("b", 1)), height=20)[1:] == [
        *("", "a  0", "", ""),
        *("", "b  0"),
    ]
    assert rows(picture(block("a", 0, room=1)), height=20)[1:] == ["", ""]


def test_trouble_comes_before_the_details():
    words = "the storage does not answer at all; trying again for 120 s"
    told = rows(picture(block("a", 9), troubles=[words]), width=40, height=6)
    assert told[1:] == [
        "the storage does not answer at all;",
        "trying again for 120 s",
        "a  0",
        "... and 8 more",
    ]
    told = rows(picture(troubles=["word " * 100]), width=40, height=24)
    assert told[1:] == ["word word word word word word word word"] * 2 + [
        "word word word word word word word …"
    ]


NAMES = (Column(least=6), Column(right=True), Column(least=4, goes=1))


def named(*cells, width=80):
    """How *cells* are drawn."""
    return rows(picture(Block(NAMES, len(cells), lambda count: cells[:count])), width=width)[2:]


def test_columns_stand_below_each_other():
    assert named(("ewc lambda=1", "9 s", "x"), ("naive", "10 s", "yy")) == [
        "ewc lambda=1   9 s  x",
        "naive         10 s  yy",
    ]


@pytest.mark.parametrize(
    ("width", "row"),
    [
        (37, "ewc lambda=1000  9 s  class-il/split"),
        (36, "ewc lam…a=1000  9 s  class-il/split"),
        (29, "ewc l…1000  9 s  class…split"),
        (19, "ewc…00  9 s  cl…it"),
        (18, "ewc…00  9 s  cl…t"),
        (17, "ewc l…=1000  9 s"),
    ],
)
def test_a_narrow_screen_cuts_names_in_their_middle_and_then_leaves_out_columns(width, row):
    assert named(("ewc lambda=1000", "9 s", "class-il/split"), width=width)[-1] == row


SIZES = st.integers(0, 30)


@given(st.lists(st.tuples(SIZES, SIZES), max_size=4), st.integers(40, 130), st.integers(5, 60), st.booleans())
def test_nothing_is_wider_or_higher_than_the_screen_and_nothing_is_lost_uncounted(
    sizes, width, height, trouble
):
    blocks = [block(f"b{number}", total, title="t", room=room) for number, (total, room) in enumerate(sizes)]
    drawn = rows(picture(*blocks, troubles=["no storage; " * 20] * trouble), width, height)
    assert len(drawn) < height
    assert all(len(row) < width for row in drawn)
    left = [number for number, (total, _) in enumerate(sizes) if total]
    for place, row in enumerate(drawn):
        if row.startswith("... and "):
            number = int(drawn[place - 1].split()[0][1:])
            shown = sum(row.startswith(f"b{number} ") for row in drawn)
            assert int(row.split()[2]) == sizes[number][0] - shown
            left.remove(number)
    for number in left:
        assert sum(row.startswith(f"b{number} ") for row in drawn) in (0, sizes[number][0])


# How it is drawn.


@pytest.fixture
def screen():
    """A terminal of 40 columns and 10 rows, with a line from before."""
    screen = Screen(40, 10)
    screen.write("$ clsweep run\n")
    return screen


def terminal(screen):
    return Console(file=screen, force_terminal=True)


@pytest.fixture
def region(screen):
    return Region(terminal(screen))


def draw(region, *rows, above=()):
    region.measured()
    region.draw([Text(row) for row in rows], above=[Text(line) for line in above])


def test_rows_are_drawn_over_those_of_before(screen, region):
    draw(region, "one of these is long", "two")
    assert screen.all == ["$ clsweep run", "one of these is long", "two"]
    draw(region, "one", "two and", "three", "four")
    assert screen.all == ["$ clsweep run", "one", "two and", "three", "four"]
    draw(region, "1")
    assert screen.all == ["$ clsweep run", "1"]
    draw(region, "1", "2")
    assert screen.all == ["$ clsweep run", "1", "2"]


def test_what_is_the_same_is_not_drawn_again(screen, region):
    draw(region, "one", "two")
    written = len(screen.written)
    draw(region, "one", "two")
    assert len(screen.written) == written
    draw(region, "one", "three")
    assert len(screen.written) == written + 1, "in one piece, so that nobody sees half of it"


def test_a_row_that_stays_is_never_blank_in_between(screen, region):
    draw(region, "one", "two", "three")
    draw(region, "one", "four", "three")
    assert "\x1b[2Kone" not in screen.written[-1]
    assert "\x1b[2J" not in "".join(screen.written)
    assert "\x1b[H" not in "".join(screen.written)


def test_what_is_said_meanwhile_stays_above(screen, region):
    draw(region, "one", "two")
    draw(region, "one", "two", above=["failed: naive seed 1: a cause that is longer than the screen is wide"])
    draw(region, "1", "2", "3", above=["failed: naive seed 2", "failed: naive seed 3"])
    assert screen.all == [
        "$ clsweep run",
        "failed: naive seed 1: a cause that is lo",
        "nger than the screen is wide",
        "failed: naive seed 2",
        "failed: naive seed 3",
        *"123",
    ]
    region.leave()
    assert screen.all[-1] == "failed: naive seed 3"


def test_the_terminal_is_left_clean(screen, region):
    draw(region, "one", "two")
    assert not screen.cursor_is_shown
    region.leave()
    region.leave()
    assert screen.all == ["$ clsweep run"]
    assert screen.cursor_is_shown
    draw(region, "three")
    assert screen.all == ["$ clsweep run"], "it does not come back"
    draw(region, "three", above=["failed: naive seed 1"])
    assert screen.all == ["$ clsweep run", "failed: naive seed 1"]


LONG = ["x" * 39, "short", "y" * 39, "z" * 30]


@pytest.mark.parametrize(("columns", "rows"), [(20, 10), (12, 30), (79, 10), (40, 30), (90, 6), (40, 6)])
def test_after_a_change_of_size_only_the_new_rows_are_there(screen, region, columns, rows):
    draw(region, *LONG)
    screen.resize(columns, rows)
    draw(region, "one", "two")
    assert "".join(screen.all) == "$ clsweep runonetwo"


def test_rows_that_went_above_a_lower_screen_are_taken_away_once_it_is_higher_again(screen, region):
    draw(region, *LONG, *LONG)
    screen.resize(30, 5)
    draw(region, "one", "two", "three")
    assert screen.all[-3:] == ["one", "two", "three"]
    screen.resize(60, 30)
    draw(region, "one", "two", "three")
    assert screen.all == ["$ clsweep run", "one", "two", "three"]


def test_the_size_is_that_of_the_terminal_and_not_of_standard_input(region, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert region.measured() == (40, 10)
    monkeypatch.setattr("os.get_terminal_size", lambda _: (0, 0))
    assert region.measured() == (80, 25), "some pseudo-terminals have no size"


# Where it is shown.

TRIALS = [made.trial(seed=seed) for seed in range(4)]
COMPLETE = made.outcome([0.5, None], [1.0, None], [0.5, 1.0], status="complete")
FAILED = made.outcome([0.5, None], status="failed", cause="ValueError: no [room] left")


@pytest.fixture
def progress():
    return Progress(
        {t.id: 1.0 for t in TRIALS}, {t.id: ("class-il/split-digits", "naive") for t in TRIALS}, {}
    )


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(orchestrator.live, "REFRESH_S", 0.01)


def learn(progress, *outcomes):
    for trial, outcome in zip(TRIALS, outcomes, strict=False):
        progress.started(trial)
        progress.reported(trial, outcome)


def test_in_a_terminal_it_is_live_and_then_gone(progress):
    screen = Screen()
    with shown(progress, terminal(screen)):
        learn(progress, COMPLETE, FAILED)
        wait_until(lambda: any("2/4 trials" in row for row in screen.all))
        assert screen.all[0] == "failed: naive seed 1 in class-il/split-digits: ValueError: no [room] left"
        assert screen.all[-1].split() == ["class-il/split-digits", "naive", "n=1", "0.750"]
    assert screen.all == ["failed: naive seed 1 in class-il/split-digits: ValueError: no [room] left"]
    assert screen.cursor_is_shown


def test_the_last_state_is_drawn_however_short_the_sweep(progress):
    screen = Screen()
    with shown(progress, terminal(screen)):
        learn(progress, COMPLETE, FAILED, COMPLETE, COMPLETE)
    assert "4/4 trials" in "".join(screen.written)


def test_an_interruption_leaves_the_terminal_clean(progress):
    screen = Screen()
    with contextlib.suppress(KeyboardInterrupt), shown(progress, terminal(screen)) as leave:
        wait_until(lambda: screen.all)
        leave()
        assert screen.all == []
        assert screen.cursor_is_shown
        raise KeyboardInterrupt
    assert screen.all == []


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}])
def test_a_log_gets_failures_and_a_last_line_without_control_characters(progress, environment):
    log = io.StringIO()
    with shown(progress, Console(file=log, _environ=environment)):
        learn(progress, COMPLETE, FAILED)
        wait_until(lambda: "failed" in log.getvalue())
    first, last = log.getvalue().splitlines()
    assert first == "failed: naive seed 1 in class-il/split-digits: ValueError: no [room] left"
    assert last.startswith("2/4 trials, 0 running, 1 failed, time left: ")


def test_a_terminal_that_understands_nothing_gets_plain_lines(progress):
    screen = Screen()
    with shown(progress, Console(file=screen, _environ={"TERM": "dumb"})):
        learn(progress, *[COMPLETE] * 4)
    assert screen.written == ["4/4 trials, 0 running, time left: 0 s\n"]


def test_a_log_gets_a_line_now_and_then(progress, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(orchestrator.live, "time", SimpleNamespace(monotonic=lambda: now[0]))
    log = io.StringIO()
    with shown(progress, Console(file=log)):
        for passed, lines in ((9.9, 0), (0.2, 1), (9.0, 1), (1.0, 2)):
            now[0] += passed
            wait_until(lambda lines=lines: log.getvalue().count("\n") == lines)
    assert log.getvalue().count("0/4 trials, 0 running, time left: not known yet\n") == 3


def test_an_interrupted_log_has_all_failures_but_no_last_line(progress):
    log = io.StringIO()
    with contextlib.suppress(KeyboardInterrupt), shown(progress, Console(file=log)):
        learn(progress, FAILED)
        raise KeyboardInterrupt
    assert log.getvalue() == "failed: naive seed 0 in class-il/split-digits: ValueError: no [room] left\n"


class Stuck(Screen):
    """A terminal that somebody has stopped."""

    def __init__(self):
        super().__init__()
        self.goes_on = threading.Event()
        self.is_stuck = threading.Event()

    def write(self, text):
        """Wait."""
        self.is_stuck.set()
        self.goes_on.wait()
        return super().write(text)


def test_nobody_waits_for_a_terminal_that_is_stopped(progress):
    screen = Stuck()
    screen.goes_on.set()
    with shown(progress, terminal(screen)):
        screen.goes_on.clear()
        learn(progress, COMPLETE, FAILED)
        screen.is_stuck.wait()
        learn(progress, COMPLETE, FAILED)
        screen.goes_on.set()


class Full(io.StringIO):
    """A file on a disk without room."""

    def write(self, text):
        """Fail."""
        del text
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_does_not_end_the_sweep(progress):
    console = Console(file=Full())
    with pytest.raises(OSError, match="No space"), shown(progress, console):
        learn(progress, FAILED, COMPLETE)
    assert progress.ended == {"failed": 1, "complete": 1}


# What a process prints itself.


def test_what_a_trial_prints_in_this_process_stays_above(progress, monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with shown(progress, Console(force_terminal=True)):
        wait_until(lambda: screen.all)
        sys.stdout.write("from a\nplug-in\nhalf a line")
        wait_until(lambda: "plug-in" in screen.all)
        assert screen.all[:2] == ["from a", "plug-in"]
        assert "0/4 trials" in screen.all[2]
        assert sys.stdout.isatty()
    assert screen.all == ["from a", "plug-in", "half a line"]
    assert sys.stdout is screen


def test_what_goes_elsewhere_is_not_caught(progress, monkeypatch):
    elsewhere = Screen()
    monkeypatch.setattr(sys, "stdout", elsewhere)
    screen = Screen()
    with shown(progress, terminal(screen)):
        sys.stdout.write("chatter\n")
        assert elsewhere.all == ["chatter"]
    assert screen.all == []


# What is in use.


def test_what_is_in_use_is_asked_and_drawn(progress):
    screen = Screen()
    with shown(progress, terminal(screen), lambda: "2 of 4 CPUs in use on 1 node"):
        progress.started(TRIALS[0])
        wait_until(lambda: "running; 2 of 4 CPUs in use on 1 node" in screen.all)


def test_a_cluster_that_does_not_answer_keeps_nobody_waiting(progress):
    screen, answer = Screen(), threading.Event()

    def ask():
        answer.wait()
        return "too late"

    with shown(progress, terminal(screen), ask):
        learn(progress, *[COMPLETE] * 4)
        wait_until(lambda: any("4/4 trials" in row for row in screen.all))
    answer.set()
    assert "too late" not in "".join(screen.written)


def test_a_cluster_that_is_gone_is_not_spoken_of(progress, monkeypatch):
    monkeypatch.setattr(orchestrator.live, "ASK_EVERY_S", 0.01)
    screen, answers = Screen(), iter(["all in use", "all in use"])

    def ask():
        return next(answers)  # and then it raises

    with shown(progress, terminal(screen), ask):
        progress.started(TRIALS[0])
        wait_until(lambda: "running" in screen.all)


def test_a_log_does_not_ask(progress):
    with shown(progress, Console(file=io.StringIO()), lambda: pytest.fail("asked")):
        learn(progress, *[COMPLETE] * 4)


@pytest.mark.parametrize(
    ("there", "free", "alive", "words"),
    [
        ({"CPU": 2.0}, {"CPU": 0.5}, [True], "1.5 of 2 CPUs in use on 1 node"),
        ({"CPU": 2.0}, {}, [True, False, True], "2 of 2 CPUs in use on 2 nodes"),
        (
            {"CPU": 64.0, "GPU": 4.0, "memory": 1e9},
            {"CPU": 63.8, "GPU": 3.75},
            [True] * 5,
            "0.2 of 64 CPUs and 0.25 of 4 GPUs in use on 5 nodes",
        ),
        ({}, {}, [True], "nothing in use on 1 node"),
    ],
)
def test_what_is_in_use_of_a_cluster_is_said_in_words(monkeypatch, there, free, alive, words):
    ray = SimpleNamespace(
        cluster_resources=lambda: there,
        available_resources=lambda: free,
        nodes=lambda: [{"Alive": each} for each in alive],
    )
    monkeypatch.setattr(orchestrator.live_cluster, "ray", ray)
    assert orchestrator.live_cluster.in_use() == words
