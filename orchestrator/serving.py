"""The report of a run on this machine's own loopback, made anew as the sweep goes on."""

from __future__ import annotations

import errno
import hashlib
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from orchestrator.interruption import interruptible
from orchestrator.lease import holder
from orchestrator.reporting import page_of
from orchestrator.showing import shown
from results.report import Pictures, drawn, with_trouble
from results.storage import reason
from results.store import SPEC, Store

HOST, PORT = "127.0.0.1", 8631
LOOK_EVERY_S = 3.0
"""The rows are looked at no more often than this."""
DRAW_EVERY_S = 20.0
"""The plots, which take a second or two per scenario, are drawn no more often than this."""
_PRINT = partial(print, flush=True)  # at once, also where nobody sees it before it is flushed
_SHARE = 4
"""What took a second is done again after so many, so that the sweep has most of the machine."""


class CannotListen(Exception):  # noqa: N818 - reads as what happened
    """The port is taken or not allowed; ``str(error)`` says which."""


@dataclass(frozen=True)
class Page:
    """What is sent, and which version of it that is."""

    content: bytes
    etag: str

    @classmethod
    def of(cls, html: str) -> Page:
        """The page of that text."""
        content = html.encode()
        return cls(content, f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"')


class Report:
    """The report of a run as it is now, for many readers at once.

    The first page is made at once; later ones when somebody asks and the rows have changed. Who asks while
    another page is being made gets the last one, so that nobody waits for anybody.

    Raises:
        StoreError: the run cannot be read.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._making = threading.Lock()
        self._state = _state(store)
        self._pictures: Pictures
        self._drawn_of, self._drew_s = "", 0.0
        self._draw_next = self._look_next = clock()
        self._page = self._good = self._made(self._state)

    def page(self) -> Page:
        """The page as it is now, or as it was a few seconds ago."""
        if self._clock() >= self._look_next and self._making.acquire(blocking=False):
            began, self._drew_s = self._clock(), 0.0
            try:
                self._renew()
            finally:
                ended = self._clock()
                spent = ended - began - self._drew_s  # drawing has a pause of its own
                self._look_next = ended + max(LOOK_EVERY_S, _SHARE * spent)
                self._making.release()
        return self._page

    def _renew(self) -> None:
        try:
            state = _state(self._store)
            if state != self._state or (self._drawn_of != state and self._clock() >= self._draw_next):
                self._good, self._state = self._made(state), state
            self._page = self._good
        except Exception as error:  # noqa: BLE001 - whatever is wrong now, the last page is still worth reading
            message = f"This is not the newest: {reason(error) or type(error).__name__}"
            self._page = Page.of(with_trouble(self._good.content.decode(), message))

    def _made(self, state: str) -> Page:
        store = Store(self._store.root)  # a store keeps what it once could not read
        if self._clock() >= self._draw_next:
            began = self._clock()
            run = shown(store)
            self._pictures, self._drawn_of = drawn(run.sweep, run.studies), state
            self._drawn_at = datetime.now(UTC)
            self._drew_s = self._clock() - began
            self._draw_next = self._clock() + max(DRAW_EVERY_S, _SHARE * self._drew_s)
        late = f"The plots are of {self._drawn_at:%H:%M:%S} UTC; the next are drawn soon."
        remarks = [] if self._drawn_of == state else [late]
        return Page.of(page_of(store, live=True, pictures=self._pictures, remarks=remarks))


def _state(store: Store) -> str:
    """Something else whenever the page would be: the row of a trial is written after all its others."""
    seen = [store.root.entry(SPEC), holder(store.root) is None, *(store.root / "trials").entries()]
    return hashlib.blake2b(repr(seen).encode(), digest_size=16).hexdigest()


def serve(store: Store, port: int = PORT, *, announce: Callable[[str], None] = _PRINT) -> None:
    """Serve the report of the run in *store* to this machine alone, until it is interrupted.

    Args:
        store: the run.
        port: where; 0 is any that is free.
        announce: is told the address once it can be opened.

    Raises:
        StoreError: the run cannot be read.
        CannotListen: the port is taken or not allowed.
    """
    # A process in the background may have been started with Ctrl-C ignored; SIGTERM ends it as well.
    with suppress(KeyboardInterrupt), interruptible(), listening(Report(store), port) as server:
        announce(server.address)
        server.serve_forever()


def listening(report: Report, port: int) -> Server:
    """A server that listens, to be entered and told to serve.

    Raises:
        CannotListen: the port is taken or not allowed.
    """
    try:
        return Server(report, port)
    except (OSError, OverflowError) as error:
        taken = getattr(error, "errno", None) == errno.EADDRINUSE
        hint = "; is a report served already? another port: --port N" if taken else ""
        raise CannotListen(f"cannot listen on {HOST}:{port}: {reason(error)}{hint}") from error


class Server(socketserver.ThreadingTCPServer):
    """Answers on loopback, each reader in a thread of its own."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, report: Report, port: int) -> None:
        self.report = report
        super().__init__((HOST, port), _Handler)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        """What a browser is told to open."""
        return f"http://{HOST}:{self.port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, unless the reader has just left."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One page, for who asks for it by this machine's own name."""

    server: Server
    server_version, sys_version = "clsweep", ""
    timeout = 60
    """Seconds after which a reader who neither asks nor takes the answer is given up."""

    def do_GET(self) -> None:
        """Send the page, or that it is the one that the browser has."""
        if not self._is_for_us():
            self._refuse(HTTPStatus.FORBIDDEN, f"This server answers at {self.server.address} alone.")
        elif urlsplit(self.path).path != "/":
            self._refuse(HTTPStatus.NOT_FOUND, f"There is only {self.server.address}")
        else:
            page = self.server.report.page()
            asked = self.headers.get("If-None-Match", "")
            same = page.etag in (each.strip().removeprefix("W/") for each in asked.split(","))
            self._send(
                HTTPStatus.NOT_MODIFIED if same else HTTPStatus.OK, b"" if same else page.content, page.etag
            )

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def _not_allowed(self) -> None:
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "The report can only be read.", Allow="GET, HEAD")

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _not_allowed  # noqa: N815 - names that are looked for

    def _is_for_us(self) -> bool:
        # A page from elsewhere whose name was made to lead to this machine would otherwise read the report.
        names = {f"{name}:{self.server.port}" for name in (HOST, "localhost")}
        return self.headers.get("Host", "").lower() in names

    def _refuse(self, status: HTTPStatus, text: str, **headers: str) -> None:
        self._send(status, f"{text}\n".encode(), kind="text/plain", **headers)

    def _send(
        self, status: HTTPStatus, content: bytes, etag: str = "", kind: str = "text/html", **headers: str
    ) -> None:
        self.send_response(status)
        always = {
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Content-Security-Policy": "frame-ancestors 'none'",
        }
        if etag:
            headers["ETag"] = etag
        if status != HTTPStatus.NOT_MODIFIED:
            headers |= {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(content))}
        for name, value in (always | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of what is asked."""
