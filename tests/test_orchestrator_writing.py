"""The thread that writes: in time, the last word only, patient with storage that fails, and stoppable."""

from __future__ import annotations

import threading
import time

import pytest
from commands import wait_until

from orchestrator.writing import Writer
from results.storage import StoreError


class Page:
    """Something to write on, which refuses so many times."""

    def __init__(self, refusals=0):
        self.refusals = refusals
        self.written = []
        self.tried = 0

    def write(self, word):
        """The job that writes *word*."""

        def job():
            self.tried += 1
            if self.tried <= self.refusals:
                raise StoreError("cannot write page: no ink")
            self.written.append(word)

        return job


def test_what_is_put_is_written_when_it_is_due_and_the_soonest_first():
    page, writer = Page(), Writer()
    writer.put("late", page.write("late"), within_s=600)
    writer.put("soon", page.write("soon"), within_s=0.05)
    writer.put("now", page.write("now"))
    wait_until(lambda: len(page.written) == 2)
    assert page.written == ["now", "soon"]
    writer.flush()
    assert page.written == ["now", "soon", "late"]


def test_of_what_waits_under_one_key_only_the_last_is_written_at_the_time_of_the_first():
    page, writer = Page(), Writer()
    start = time.monotonic()
    writer.put("trial", page.write("first"), within_s=0.2)
    writer.put("trial", page.write("second"), within_s=600)
    wait_until(lambda: bool(page.written))
    assert time.monotonic() - start >= 0.2
    assert page.written == ["second"]


def test_storage_that_fails_for_a_while_is_tried_again_and_the_trouble_is_said_until_it_is_over():
    said = []
    page, writer = Page(refusals=2), Writer(patience_s=60, on_trouble=said.append)
    writer.put("trial", page.write("word"))
    writer.flush()
    assert page.written == ["word"]
    assert [trouble and trouble.partition(";")[0] for trouble in said] == [
        "cannot write page: no ink",
        "cannot write page: no ink",
        None,
    ]
    assert "trying again for " in said[0]


def test_storage_that_keeps_failing_ends_the_writing_and_nothing_more_is_tried():
    page, writer = Page(refusals=1000), Writer(patience_s=0.3)
    writer.put("trial", page.write("word"))
    with pytest.raises(StoreError, match="no ink"):
        writer.flush()
    tried = page.tried
    assert tried >= 2
    writer.put("other", page.write("more"))
    with pytest.raises(StoreError, match="no ink"):
        writer.flush()
    assert (page.tried, page.written) == (tried, [])


def test_a_write_that_raises_anything_else_is_not_tried_again_and_reaches_the_driver():
    def broken():
        raise ZeroDivisionError

    writer = Writer()
    writer.put("trial", broken)
    with pytest.raises(ZeroDivisionError):
        writer.flush()


def test_leaving_writes_what_waits_at_once_and_does_not_wait_for_storage_that_fails():
    page, writer = Page(), Writer()
    writer.put("trial", page.write("word"), within_s=600)
    assert writer.leave(within_s=60) == 0
    assert page.written == ["word"]

    failing, impatient = Page(refusals=1000), Writer(patience_s=600)
    impatient.put("trial", failing.write("word"))
    wait_until(lambda: failing.tried >= 1)
    start = time.monotonic()
    assert impatient.leave(within_s=60) == 1
    assert time.monotonic() - start < 30


def test_leaving_gives_up_a_write_that_hangs():
    free = threading.Event()
    writer = Writer()
    writer.put("trial", free.wait)
    assert writer.leave(within_s=0.1) == 1
    free.set()


def test_an_abandoned_writer_writes_nothing_more():
    page, writer = Page(), Writer()
    writer.put("trial", page.write("word"), within_s=600)
    writer.abandon(StoreError("another driver has taken over"))
    with pytest.raises(StoreError, match="taken over"):
        writer.flush()
    assert page.written == []
