"""A Ray cluster of several nodes on this machine, held by a process of its own that does what it is told.

As a script it is that process: it reads one command per line and answers each with a line of JSON. So nodes
and drivers can be killed without harm to the tests, and nothing of the cluster is in their process.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

# A dead node is noticed within a second or two.
QUICK = {
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "2",
}


class Raylets:
    """The cluster, as a test sees it: a head that runs no trial, and nodes that do."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        head = self._ask("head")
        self.address: str = head["address"]
        """Of the control service: HOST:PORT."""
        self.jobs = f"http://{head['jobs']}"
        """Where jobs are submitted, with a dashboard."""

    def add(self, cpus: int = 1) -> str:
        """A new node; its id."""
        node: str = self._ask("add", cpus=cpus)["node"]
        return node

    def kill(self, node: str) -> None:
        """Kill a node with everything on it, as when a machine is lost."""
        self._ask("kill", node=node)

    def _ask(self, verb: str, **values: Any) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"verb": verb, **values}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextlib.contextmanager
def raylets(*, dashboard: bool = False) -> Iterator[Raylets]:
    """A cluster without nodes to run trials on, gone at the end; with *dashboard*, jobs can be submitted."""
    # Sockets are below, and their paths must be short; another user's Ray knows nothing of this one.
    folder = tempfile.mkdtemp(prefix="r", dir="/tmp")
    holding = subprocess.Popen(
        [sys.executable, __file__, *(["dashboard"] if dashboard else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        env={**os.environ, **QUICK, "RAY_TMPDIR": folder},
    )
    with holding as process:  # which closes its input at the end, and waits for it
        yield Raylets(process)
    shutil.rmtree(folder, ignore_errors=True)


def _serve(*, dashboard: bool) -> None:
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - for the script alone

    cluster = Cluster()
    # Its agent takes any free port, since another Ray on this machine may have the usual one.
    ports = {"dashboard_port": 0, "dashboard_agent_listen_port": 0}
    head = cluster.add_node(num_cpus=0, include_dashboard=dashboard, **ports)
    nodes: dict[str, Any] = {}
    for line in sys.stdin:
        command = json.loads(line)
        answer = {"address": cluster.address, "jobs": getattr(head, "webui_url", None)}
        if command["verb"] == "add":
            # A folder of its own, as a machine has: else one node's agent would put another's files anew.
            own = tempfile.mkdtemp(prefix="n", dir=os.environ["RAY_TMPDIR"])
            node = cluster.add_node(num_cpus=command["cpus"], temp_dir=own)
            nodes[node.node_id] = node
            answer["node"] = node.node_id
        elif command["verb"] == "kill":
            cluster.remove_node(nodes.pop(command["node"]), allow_graceful=False)
        print(json.dumps(answer), flush=True)  # noqa: T201 - the answer
    cluster.shutdown()


if __name__ == "__main__":
    _serve(dashboard="dashboard" in sys.argv)
