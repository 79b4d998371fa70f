"""Every node of a cluster shows, before the first trial, that it can run one and reaches the storage."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from uuid import uuid4

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from orchestrator.errors import ResourceError
from results.storage import Folder, StoreError

WITHIN_S = 180.0
"""A node that has not answered by then, though its first process may have to unpack code, is given up."""


@dataclass(frozen=True)
class _Answer:
    """What a node says of itself."""

    torch: str
    """The version that it has."""
    open_to_all: bool
    """Whether it serves whoever reaches it, without a token."""
    trouble: str | None
    """Why it cannot use the storage."""


def proven(nodes: Sequence[Mapping[str, Any]], storage: Folder | None) -> list[str]:
    """Ask *nodes*, as Ray lists them, for proof; what there is to warn of.

    Args:
        nodes: those that are to run trials.
        storage: a folder that all must be able to read and write, and see each other's files in; None for
            none.

    Raises:
        ResourceError: a node cannot.
        StoreError: this machine cannot.
    """
    with _mark(storage, len(nodes)) as mark:
        hosts = [f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})" for node in nodes]
        answers = _asked(nodes, hosts, storage, mark)
        troubles = [
            f"{host}: {trouble}"
            for position, (host, answer) in enumerate(zip(hosts, answers, strict=True))
            if (trouble := answer.trouble or _unseen(storage, _of_node(mark, position)))
        ]
    if troubles:
        lines = "\n  ".join(troubles)
        raise ResourceError(
            f"not every machine of the cluster can use {storage}, where trials keep their checkpoints:\n  "
            f"{lines}\nGive a --storage that all of them share, such as a network folder or s3://..., or "
            "--no-checkpoints if a trial that is interrupted may start over."
        )
    return list(_warnings(answers))


def _warnings(answers: Sequence[_Answer]) -> Iterator[str]:
    if any(answer.open_to_all for answer in answers):
        yield (
            "the cluster asks for no token: whoever reaches its ports can run code on it; start it with "
            "RAY_AUTH_MODE=token"
        )
    ours = version("torch")
    if others := sorted({answer.torch for answer in answers} - {ours}):
        yield (
            f"the cluster has torch {', '.join(others)} and this machine {ours}; numbers are the same bit "
            "for bit only with the same versions"
        )


@contextmanager
def _mark(storage: Folder | None, nodes: int) -> Iterator[str]:
    """The name of a file in *storage* that says its own name, while the block lasts."""
    mark = f"proof-{uuid4().hex}"
    if storage is None:
        yield mark
        return
    storage.write(mark, mark.encode())
    try:
        yield mark
    finally:
        for name in (mark, *(_of_node(mark, position) for position in range(nodes))):
            with suppress(StoreError):
                storage.remove(name)


def _asked(
    nodes: Sequence[Mapping[str, Any]], hosts: Sequence[str], storage: Folder | None, mark: str
) -> list[_Answer]:
    """What each node answers; all are asked at once, since each has to start a process."""
    ask = ray.remote(num_cpus=0, max_retries=0)(_answer)
    asked = [
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            storage, mark, position
        )
        for position, node in enumerate(nodes)
    ]
    ray.wait(asked, num_returns=len(asked), timeout=WITHIN_S)
    answers = []
    for host, each in zip(hosts, asked, strict=True):
        try:
            answers.append(ray.get(each, timeout=0))
        except ray.exceptions.RayError as error:
            reason = str(getattr(error, "cause", None) or error).strip().splitlines()[-1]
            silent = isinstance(error, ray.exceptions.GetTimeoutError)
            why = f"no answer within {WITHIN_S:g} s" if silent else reason
            raise ResourceError(f"{host} cannot run trials: {why}") from error
    return answers


def _answer(storage: Folder | None, mark: str, position: int) -> _Answer:
    """Runs on a node."""
    import orchestrator.trial  # noqa: F401, PLC0415 - raises where a package that trials need is absent

    trouble = None
    if storage is not None:
        trouble = _unseen(storage, mark)
        try:
            storage.write(_of_node(mark, position), _of_node(mark, position).encode())
        except StoreError as error:
            trouble = str(error)
    return _Answer(version("torch"), os.environ.get("RAY_AUTH_MODE") != "token", trouble)


def _of_node(mark: str, position: int) -> str:
    return f"{mark}-{position}"


def _unseen(storage: Folder | None, name: str) -> str | None:
    """Why the file *name*, written by another machine, cannot be read; None if it can."""
    if storage is None:
        return None
    try:
        return None if storage.read(name).to_pybytes() == name.encode() else f"{name} holds something else"
    except FileNotFoundError:
        return "it does not see what other machines write there"
    except OSError as error:
        return str(error)
