"""A Ray of our own that leaves the cores to the trials: nobody watches it, so it may look around less often.

Each time that another process runs, a trial loses its place in the caches: what Ray does beside it costs more
than its own time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray._raylet
from ray._private import ray_constants, services, worker

STAND_IN = Path(__file__).parent / "dashboard_agent.py"

SETTINGS = {
    # There is no dashboard to report to.
    "task_events_report_interval_ms": 0,
    "metrics_report_interval_ms": 600_000,
    "io_context_event_loop_lag_collection_interval_ms": 0,
    "io_context_monitor_probe_interval_ms": 5000,
    # There is one node, whose resources are claimed once per process.
    "raylet_report_resources_period_milliseconds": 1000,
    "raylet_check_gc_period_milliseconds": 1000,
    "kill_idle_workers_interval_ms": 1000,
    "object_manager_timer_freq_ms": 1000,
}
"""For ``ray.init(_system_config=...)``."""

_VARIABLES = {
    # Ray asks before it reports its use to its makers, and we keep it quiet.
    "RAY_USAGE_STATS_ENABLED": "0",
    # With large pages a trial is back at its weights sooner after each interruption.
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


@contextmanager
def calm() -> Iterator[None]:
    """Let the Ray that is started in this block be calm."""
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
    with _agent_stood_in_for():
        yield
    # They look many times a second for lines to print, for nodes to add, for somebody at the dashboard.
    if node := worker._global_node:
        for end in (node.kill_log_monitor, node.kill_monitor, node.kill_dashboard):
            end(check_alive=False)


@contextmanager
def _agent_stood_in_for() -> Iterator[None]:
    """Let a process that does nothing take the place of the dashboard's agent, without which no node runs.

    The agent also outlives a driver that was killed by the better part of a minute.
    """
    python = services._build_python_executable_command_memory_profileable

    def command(component: str, *arguments: Any, **options: Any) -> list[str]:
        words: list[str] = python(component, *arguments, **options)
        return (
            [*words, "-P", str(STAND_IN)]
            if component == ray_constants.PROCESS_TYPE_DASHBOARD_AGENT
            else words
        )

    if hasattr(ray._raylet, "persist_port"):  # as the stand-in needs it
        services._build_python_executable_command_memory_profileable = command
    try:
        yield
    finally:
        services._build_python_executable_command_memory_profileable = python
