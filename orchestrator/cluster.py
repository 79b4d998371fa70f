"""Ray before the first trial: started quietly on this machine, or joined and asked whether it can do this."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import ray
from ray._private import ray_constants, services

from cl.registry import plugins
from orchestrator.calm import SETTINGS, calm
from orchestrator.errors import ResourceError
from orchestrator.proof import proven
from results.storage import Folder
from sweeps.trials import Trial

CODE = Path(__file__).parent.parent
PACKAGES = ("cl", "orchestrator", "results", "sweeps")
"""What a trial imports of this project."""
_LOOPBACK_ONLY = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_INSTALLED = {"site-packages", "dist-packages"}


@contextmanager
def connected(
    trials: Sequence[Trial], address: str | None = None, storage: Folder | None = None
) -> Iterator[list[str]]:
    """Join the Ray cluster at *address*, or start a quiet local Ray on this machine's cores, for *trials*.

    Yields what there is to warn of.

    Args:
        trials: what will run.
        address: ``auto`` or HOST:PORT; None for a Ray of our own, reachable from this machine only.
        storage: where trials write their checkpoints, which every node has to prove that it can; None if
            they write none.

    Raises:
        ResourceError: there is no such cluster, a trial asks for more than any node of it has, or a node
            cannot run trials.
    """
    _start(trials, address)
    try:
        warnings = _lacking(trials)
        if address is not None:
            able = [node for node in _nodes() if any(_fits(node, needs) for needs in _needs(trials))]
            warnings += proven(able, storage)
        yield warnings
    finally:
        ray.shutdown()


def _start(trials: Sequence[Trial], address: str | None) -> None:
    try:
        _require_listener(address)
        _loopback(False)
        _loopback(address is None or _is_on_loopback_only(address))
        # Workers import from the folder in which Ray is started; the user's may hold a `cl` of its own.
        with chdir(CODE), _our_signals(), nullcontext() if address else calm():
            ray.init(
                address=address or "local",  # None would join whatever RAY_ADDRESS names
                include_dashboard=False if address is None else None,
                logging_level=logging.ERROR,
                log_to_driver=False,
                runtime_env={"py_modules": _code(trials)} if address else None,
                _system_config=SETTINGS if address is None else None,
            )
    except (OSError, ValueError, RuntimeError) as error:
        where = "a local Ray could not be started" if address is None else f"no Ray cluster at {address!r}"
        hint = ""
        if type(error) is ConnectionError and "RAY_AUTH_MODE" not in os.environ:
            # Ray itself sends its token only to clusters that it finds by itself.
            hint = "; if it asks for a token, as Ray's default is, set RAY_AUTH_MODE=token"
        raise ResourceError(f"{where}: {str(error).strip().splitlines()[0]}{hint}") from error
    if address is None:
        _keep_to_ourselves(Path.home() / ".ray" / "auth_token")


@contextmanager
def _our_signals() -> Iterator[None]:
    """Let signals interrupt Ray's start, and put back the handler of SIGTERM that it replaces."""
    ours = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except KeyboardInterrupt:  # what had been started is not left behind
        ray.shutdown()
        raise
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ours)


def _loopback(only: bool) -> None:
    """Let every port that Ray opens from now on be reachable from this machine only, or as Ray would have it.

    Without it a local Ray listens on all of the machine's addresses. Ray reads the constant in this process
    and the variable in those that it starts.
    """
    ray_constants.ENABLE_RAY_CLUSTER = not only
    if only:
        os.environ[_LOOPBACK_ONLY] = "0"
    else:
        os.environ.pop(_LOOPBACK_ONLY, None)


def _keep_to_ourselves(token: Path) -> None:
    """Ray writes its token so that every user of the machine can read it."""
    with suppress(OSError):
        token.chmod(0o600)


def plug_ins(trials: Sequence[Trial]) -> list[Path]:
    """The files and packages of the plug-ins that *trials* name, each once."""
    names = dict.fromkeys(name for trial in trials for name in trial.plug_ins)
    return list(dict.fromkeys(plugins.location(name) for name in names))


def _code(trials: Sequence[Trial]) -> list[str]:
    """What other machines need: this project, and the plug-ins of *trials* that are not installed."""
    return [
        *(str(CODE / package) for package in PACKAGES),
        *(str(path) for path in plug_ins(trials) if not _INSTALLED & set(path.parts)),
    ]


def _require_listener(address: str | None) -> None:
    """Fail at once where nobody listens; Ray itself would try again for many minutes."""
    host, separator, port = (address or "").rpartition(":")
    if separator and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


def _is_on_loopback_only(address: str) -> bool:
    """Whether it is a Ray like ours, which one finds under no other address of this machine."""
    host, _, port = address.rpartition(":")
    if host not in {"localhost", "127.0.0.1", "[::1]"}:
        return False
    try:
        _require_listener(f"{services.get_node_ip_address()}:{port}")
    except OSError:
        return True
    return False


def _nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _needs(trials: Sequence[Trial]) -> list[dict[str, float]]:
    """The different requests of *trials*."""
    requests = {(trial.resources.cpu, trial.resources.gpu) for trial in trials}
    return [{"CPU": cpu, "GPU": gpu} for cpu, gpu in sorted(requests)]


def _fits(node: dict[str, Any], needs: dict[str, float]) -> bool:
    return all(node["Resources"].get(name, 0) >= amount for name, amount in needs.items())


def _lacking(trials: Sequence[Trial]) -> list[str]:
    """Refuse what no node can ever run, since Tune would wait for it for ever; warn if nodes may yet come."""
    nodes = _nodes()
    warnings = []
    for needs in _needs(trials):
        if not any(_fits(node, needs) for node in nodes):
            largest = {name: max(node["Resources"].get(name, 0) for node in nodes) for name in needs}
            text = (
                f"resources: a trial asks for cpu {needs['CPU']:g} and gpu {needs['GPU']:g}, but the "
                f"largest node has cpu {largest['CPU']:g} and gpu {largest['GPU']:g}"
            )
            if not _autoscaled():
                raise ResourceError(text)
            warnings.append(f"{text}; it waits until the cluster's autoscaler adds one that has")
    return warnings


def _autoscaled() -> bool:
    """Whether the cluster may grow: an autoscaler gives its nodes types, and Ray itself only placeholders."""
    from ray.autoscaler.v2.sdk import get_cluster_status  # noqa: PLC0415 - slow, and rarely asked for

    try:
        status = get_cluster_status(ray.get_runtime_context().gcs_address)
    except Exception:  # noqa: BLE001 - it may raise anything, and then nobody knows of an autoscaler
        return False
    nodes = (*status.active_nodes, *status.idle_nodes)
    return any(node.ray_node_type_name != f"node_{node.node_id}" for node in nodes)
