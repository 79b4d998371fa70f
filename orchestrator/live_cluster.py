"""What of a Ray cluster is in use, in words."""

from __future__ import annotations

import ray


def in_use() -> str:
    """The CPUs and GPUs in use of all, by this sweep and others, and the nodes that are alive.

    Raises:
        Exception: there is no cluster any more.
    """
    there, free = ray.cluster_resources(), ray.available_resources()
    nodes = sum(node["Alive"] for node in ray.nodes())
    parts = [
        f"{round(there[name] - free.get(name, 0.0), 2):g} of {there[name]:g} {name}s"
        for name in ("CPU", "GPU")
        if there.get(name)
    ]
    return f"{' and '.join(parts) or 'nothing'} in use on {nodes} {'node' if nodes == 1 else 'nodes'}"
