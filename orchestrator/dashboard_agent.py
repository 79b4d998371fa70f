"""Stands in for the agent of Ray's dashboard: says that it serves nothing, and ends with its node.

Ray starts it with the command line of the agent. This is what the agent does in a Ray without a dashboard,
less looking around.
"""

from __future__ import annotations

import argparse
import sys

from ray import _raylet


def main() -> None:
    """Do nothing until Ray's node ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--session-dir", required=True)
    parser.add_argument("--node-id", required=True)
    ours, _ = parser.parse_known_args()
    for port in ("METRICS_AGENT_PORT_NAME", "METRICS_EXPORT_PORT_NAME", "DASHBOARD_AGENT_LISTEN_PORT_NAME"):
        name = getattr(_raylet, port)
        # Ray's own stub of types leaves it out.
        _raylet.persist_port(ours.session_dir, ours.node_id, name, -1)  # type: ignore[attr-defined]
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
