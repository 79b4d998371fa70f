"""Servers that tests start on the loopback interface and ask over HTTP."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Ask = Callable[..., Any]
"""Gives what the server answers to a path, JSON, and if there is more, to that as the body of a POST."""


@contextmanager
def serving(program: str, arguments: Sequence[str], log: Path) -> Iterator[Ask]:
    """Run *program* of this environment on a free port, whose number follows *arguments*."""
    port = _free_port()
    command = [str(Path(sys.executable).parent / program), *arguments, str(port)]
    with log.open("wb") as words:
        server = subprocess.Popen(command, stdout=words, stderr=subprocess.STDOUT)
    try:
        yield lambda path, body=None: _asked(server, f"http://127.0.0.1:{port}{path}", body, log)
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _asked(server: subprocess.Popen[bytes], url: str, body: object, log: Path) -> Any:
    """The answer, as soon as the server is up."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - loopback
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310 - of a server on this machine
                return json.load(answer)
        except urllib.error.HTTPError:
            raise
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())
