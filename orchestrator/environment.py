"""What a trial computes with: the processor, the GPU and the installed packages of the process it runs in.

Nothing here fails a trial: what cannot be found out is unknown.
"""

from __future__ import annotations

import json
import platform
import re
from functools import cache
from importlib import metadata
from pathlib import Path

import torch

_NAME = re.compile(r"[\w.-]+")


@cache
def cpu_model() -> str:
    """The processor of this machine."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def gpu_model(device_type: str) -> str | None:
    """The GPU that this process computes on with *device_type*; None without one.

    >>> gpu_model("cpu") is None
    True
    """
    if device_type != "cuda":
        return None
    try:
        return torch.cuda.get_device_name()
    except (RuntimeError, AssertionError):  # a trial that could not use it has a cause of its own to tell
        return None


# Looking them up takes some milliseconds, and a trial may take twenty.
@cache
def packages() -> str:
    """The packages that clsweep requires, as this process has them: a JSON object of versions by name.

    It is short, since every report of a trial carries it and Ray Tune keeps the last of each. Packages that
    are not installed are left out; where clsweep itself is not, as in a folder on Python's path, it is empty.

    >>> sorted({"numpy", "ray", "torch"} & set(json.loads(packages())))
    ['numpy', 'ray', 'torch']
    """
    versions = {name: version(name) for name in _required()}
    return json.dumps({name: found for name, found in sorted(versions.items()) if found})


def version(package: str) -> str | None:
    """The version of *package* that is installed; None where there is none."""
    try:
        return metadata.version(package)
    except (metadata.PackageNotFoundError, OSError, ValueError):  # the last two where its files are damaged
        return None


def _required() -> list[str]:
    """The names of what clsweep requires, without its extras."""
    try:
        requirements = metadata.requires("clsweep") or []
    except (metadata.PackageNotFoundError, OSError, ValueError):  # not installed, or damaged
        return []
    wanted = (line for line in requirements if "extra ==" not in line)
    return [match.group() for line in wanted if (match := _NAME.match(line))]
