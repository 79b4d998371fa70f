"""Notices when Ray itself is gone, which Ray answers by waiting for ever or by ending the process unheard."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ray

EVERY_S = 0.5
SILENT_S = 6.0
"""So long the head may be silent: it may be busy, or be started again."""


@contextmanager
def watched(lost: Callable[[str], None]) -> Iterator[None]:
    """Call *lost*, once and from a thread of its own, if Ray is gone before the block ends.

    Without the head's control service, calls to Ray block and let no signal through, and a minute later Ray
    ends the process. Without the node of this process, it ends it sooner.
    """
    context = ray.get_runtime_context()
    host, _, port = context.gcs_address.rpartition(":")
    head = host.strip("[]"), int(port)
    [node] = [
        (node["NodeManagerAddress"], node["NodeManagerPort"])
        for node in ray.nodes()
        if node["NodeID"] == context.get_node_id()
    ]
    ended = threading.Event()

    def watch() -> None:
        silent_s = 0.0
        while not ended.wait(EVERY_S):
            if not _listens(node):
                return lost("the Ray node of this process is gone")
            silent_s = 0.0 if _listens(head) else silent_s + EVERY_S
            if silent_s >= SILENT_S:
                return lost(f"the Ray head at {host}:{port} does not answer any more")
        return None

    thread = threading.Thread(target=watch, name="clsweep-liveness", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _listens(place: tuple[str, int]) -> bool:
    """Whether somebody is there; who does not answer in time may be busy."""
    try:
        socket.create_connection(place, timeout=1.0).close()
    except TimeoutError:
        return True
    except OSError:
        return False
    return True
