"""`clsweep serve`: the page is fresh, only this machine gets it, and nobody waits for anybody."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import outside
from made_rows import Rows

from orchestrator import serving
from orchestrator.serving import DRAW_EVERY_S, LOOK_EVERY_S, CannotListen, Report, listening
from results.storage import StoreError
from results.store import Store

R = [[0.9, 0.5], [0.5, 0.9]]


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        """What it says."""
        return self.now


@pytest.fixture
def store(tmp_path):
    """A run with one trial."""
    return Rows().add("naive", 0, R).written(tmp_path / "tiny")


@pytest.fixture
def clock():
    return Clock()


@contextmanager
def served(report):
    """The server of *report* on a free port, at work until the block ends."""
    with listening(report, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(server, path="/", method="GET", body=None, **headers):
    """Status, headers and body of one answer."""
    connection = http.client.HTTPConnection(serving.HOST, server.port, timeout=60)
    try:
        connection.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def add(store, seed, **columns):
    """One more trial of the run."""
    rows = Rows()
    for each in range(seed + 1):
        rows.add("naive", each, R, **columns)
    rows.written(store.root.path)


def trials_of(html):
    return re.search(r'<p class="status">(.*?)</p>', html).group(1)


# Requests --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    store = Rows().add("naive", 0, R).written(tmp_path_factory.mktemp("served") / "tiny")
    with served(Report(store)) as server:
        yield server


def test_the_page_is_served_as_html_that_nothing_keeps(server):
    status, headers, body = ask(server)
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (
        200,
        "text/html; charset=utf-8",
        "no-cache",
    )
    assert trials_of(body) == "all 1 trial complete"
    assert int(headers["Content-Length"]) == len(body.encode())


def test_who_has_the_page_already_is_told_so(server):
    _, headers, _ = ask(server)
    etag = headers["ETag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}'):
        status, headers, body = ask(server, If_None_Match=known)
        assert (status, headers["ETag"], body) == (304, etag, "")
    assert ask(server, If_None_Match='"other"')[0] == 200


def test_a_head_request_gets_the_head_alone(server):
    status, headers, body = ask(server, method="HEAD")
    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 1000


@pytest.mark.parametrize("path", ["/x", "/favicon.ico", "/../etc/passwd", "/index.html"])
def test_there_is_no_other_page(server, path):
    assert ask(server, path)[0] == 404


def test_what_stands_behind_a_question_mark_does_not_matter(server):
    assert ask(server, "/?x=1")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(server, method):
    status, headers, _ = ask(server, method=method, body="x" * 100)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", ""])
def test_a_request_under_another_name_is_refused(server, host):
    status, _, body = ask(server, Host=host.format(port=server.port))
    assert status == 403
    assert "class" not in body


def test_this_machine_may_be_called_localhost(server):
    assert ask(server, Host=f"LocalHost:{server.port}")[0] == 200


def test_it_listens_on_loopback_alone(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.port}/"


def test_a_reader_who_leaves_is_no_trouble(server, capfd):
    for _ in range(3):
        with socket.create_connection((serving.HOST, server.port)) as reader:
            reader.sendall(f"GET / HTTP/1.1\r\nHost: {serving.HOST}:{server.port}\r\n\r\n".encode())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert ask(server)[0] == 200
    assert capfd.readouterr().err == ""


# Ports -----------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_one_message(server, store):
    with pytest.raises(CannotListen) as raised:
        listening(Report(store), server.port)
    assert str(raised.value) == (
        f"cannot listen on 127.0.0.1:{server.port}: Address already in use; is a report served already? "
        "another port: --port N"
    )


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_number_that_is_no_port_is_one_message(port, store):
    with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1:{port}: .*0-65535"):
        listening(Report(store), port)


# Freshness -------------------------------------------------------------------------------------------------


def test_a_trial_that_ends_is_shown_once_the_rows_may_be_looked_at_again(store, clock):
    report = Report(store, clock=clock)
    add(store, 1)
    assert trials_of(report.page().content.decode()) == "all 2 trials complete"
    add(store, 2)
    clock.now += LOOK_EVERY_S / 2
    assert trials_of(report.page().content.decode()) == "all 2 trials complete"
    clock.now += LOOK_EVERY_S
    assert trials_of(report.page().content.decode()) == "all 3 trials complete"


def test_without_a_change_the_page_is_not_made_again(store, clock, monkeypatch):
    report = Report(store, clock=clock)
    before = report.page()
    monkeypatch.setattr(serving, "page_of", pytest.fail)
    clock.now += 10 * DRAW_EVERY_S
    assert report.page() is before


def test_plots_are_drawn_less_often_and_the_page_says_so(store, clock):
    report = Report(store, clock=clock)
    add(store, 1)
    clock.now += LOOK_EVERY_S
    late = report.page().content.decode()
    assert "The plots are of" in late
    clock.now += DRAW_EVERY_S
    drawn = report.page().content.decode()
    assert "The plots are of" not in drawn
    assert "n = 1 seed" in late
    assert "n = 2 seeds" in drawn


def test_a_page_that_takes_long_is_made_less_often(store, clock, monkeypatch):
    report = Report(store, clock=clock)
    made = serving.page_of
    calls = []

    def slow(*arguments, **named):
        clock.now += 10
        calls.append(clock.now)
        return made(*arguments, **named)

    monkeypatch.setattr(serving, "page_of", slow)
    add(store, 1)
    report.page()
    add(store, 2)
    clock.now += 39
    report.page()
    assert len(calls) == 1
    clock.now += 1
    report.page()
    assert len(calls) == 2


def test_who_asks_while_a_page_is_made_gets_the_last_one_at_once(store, clock, monkeypatch):
    report = Report(store, clock=clock)
    before = report.page()
    made, begun, go_on = serving.page_of, threading.Event(), threading.Event()

    def held(*arguments, **named):
        begun.set()
        assert go_on.wait(60)
        return made(*arguments, **named)

    monkeypatch.setattr(serving, "page_of", held)
    add(store, 1)
    clock.now += LOOK_EVERY_S
    with served(report) as server:
        answers = []
        first = threading.Thread(target=lambda: answers.append(ask(server)))
        first.start()
        assert begun.wait(60)
        assert ask(server)[1]["ETag"] == before.etag
        go_on.set()
        first.join()
    assert trials_of(answers[0][2]) == "all 2 trials complete"


@pytest.mark.parametrize("error", [StoreError("cannot read <it>"), ValueError("cannot read <it>")])
def test_a_run_that_cannot_be_read_for_a_while_keeps_its_page_with_a_word_about_it(
    error, store, clock, monkeypatch
):
    report = Report(store, clock=clock)
    good = report.page()
    with monkeypatch.context() as patched:
        patched.setattr(serving, "_state", lambda _: (_ for _ in ()).throw(error))
        clock.now += LOOK_EVERY_S
        page = report.page()
        assert '<p class="trouble" role="alert">This is not the newest: cannot read &lt;it&gt;</p>' in (
            page.content.decode()
        )
        assert trials_of(page.content.decode()) == "all 1 trial complete"
        assert page.etag != good.etag
    clock.now += LOOK_EVERY_S
    assert report.page().etag == good.etag


def test_a_run_that_cannot_be_read_is_refused_at_the_start(tmp_path):
    (tmp_path / "trials").write_text("no folder")
    with pytest.raises(StoreError):
        Report(Store(tmp_path))


def test_a_part_that_was_damaged_is_forgotten_once_it_is_whole(store, clock):
    (part,) = Path(store.root.path).glob("trials/*")
    whole = part.read_bytes()
    part.write_bytes(b"PAR1")
    report = Report(store, clock=clock)
    assert "cannot read" in report.page().content.decode()
    part.write_bytes(whole)
    clock.now += LOOK_EVERY_S
    assert "cannot read" not in report.page().content.decode()


# The command -----------------------------------------------------------------------------------------------


def test_it_says_where_it_is_and_an_interrupt_ends_it_quietly(store):
    code = (
        "import sys\n"
        "from orchestrator.serving import serve\n"
        "from results.store import Store\n"
        "serve(Store(sys.argv[1]), 0)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, store.root.path],
        env=outside(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    address = process.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
    with socket.create_connection((serving.HOST, int(address.split(":")[2].strip("/")))):
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert (process.returncode, rest, errors) == (0, "", "")
