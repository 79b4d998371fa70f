"""A Ray cluster of several raylets on this machine, in a process of its own that ends with its owner."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

WORKERS = 2
"""Raylets beside the head, with one CPU each; the head has none, so that no trial runs beside the driver."""

# A raylet that is lost is missed after a few seconds, not after Ray's minute; not so soon that a busy machine
# takes a raylet for lost.
HEALTH = {
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "3",
}


class Cluster:
    """The cluster, seen from the benchmark.

    Attributes:
        address: where a driver joins it.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**environment, **HEALTH},
            start_new_session=True,  # Ctrl-C is for its owner, who ends it in order
        )
        self.address = self._answer()

    def kill(self, raylet: int) -> None:
        """Kill the raylet of that process id, as if its machine were gone."""
        self._ask(f"kill {raylet}")

    def add(self) -> None:
        """Start one more raylet."""
        self._ask("add")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """End the cluster."""
        self._process.communicate()

    def _ask(self, words: str) -> None:
        assert self._process.stdin
        print(words, file=self._process.stdin, flush=True)
        self._answer()

    def _answer(self) -> str:
        assert self._process.stdout
        if not (answer := self._process.stdout.readline().strip()):
            raise RuntimeError("the cluster's process has ended")
        return answer


def _hold() -> None:
    """Start the cluster, then do what the owner asks for until there is no owner."""
    # What Ray prints is not for the owner.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from ray import cluster_utils  # noqa: PLC0415 - Ray reads the environment when it is imported

    def add(cpus: int) -> None:
        node = cluster.add_node(num_cpus=cpus, object_store_memory=2**27, include_dashboard=False)
        nodes[node.all_processes["raylet"][0].process.pid] = node

    cluster, nodes = cluster_utils.Cluster(), dict[int, Any]()
    try:
        for cpus in (0, *[1] * WORKERS):
            add(cpus)
        print(cluster.address, file=answers, flush=True)
        for line in sys.stdin:
            words = line.split()
            if words[0] == "kill":
                cluster.remove_node(nodes.pop(int(words[1])), allow_graceful=False)
            else:
                add(1)
            print("done", file=answers, flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    _hold()
