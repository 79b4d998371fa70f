"""The machine a figure was measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def machine() -> str:
    """Processor model, cores this process may use and the load before the measurement, in one line."""
    load = os.getloadavg()[0]
    return f"{_processor()}, {cores()} cores, load average {load:.1f} at the start"


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


def bind_to_one_core() -> None:
    """Keep this process on one core, the last of those it may use."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
