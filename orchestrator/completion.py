"""What the shell offers to complete a word of the command line with: never a message, never an exception.

Only this machine's disk is looked at: nobody wants to wait for an object store while typing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from cl.metrics import METRICS
from results.selection import ORDERS
from results.store import SPEC, Store, StoreError
from sweeps.spec import catalog

__all__ = ["methods", "metrics", "orders", "runs", "scenarios", "specs"]

_SHORT = 60
"""Characters of an explanation: shells show it beside the name."""


def specs(begun: str) -> Iterator[tuple[str, str]]:
    """Shipped sweeps, and YAML files, each with what it is."""
    for name, about in catalog().items():
        if name.startswith(begun):
            yield name, about if len(about) <= _SHORT else f"{about[: _SHORT - 1]}…"
    for path, found in _beside(begun):
        if path.is_dir():
            yield f"{found}/", "folder"
        elif path.suffix in {".yaml", ".yml"}:
            yield found, "spec"


def runs(begun: str) -> Iterator[tuple[str, str]]:
    """Folders of runs, and folders that may hold some; ``runs/`` is offered first."""
    beside = list(_beside(begun))
    if not begun and (runs_here := Path("runs")).is_dir():
        beside = list(_beside(f"{runs_here}/")) or beside
    for path, found in beside:
        if (path / SPEC).is_file():
            yield found, "run"
        elif path.is_dir():
            yield f"{found}/", "folder"


def _beside(begun: str) -> Iterator[tuple[Path, str]]:
    """What is in the folder that the word leads to and begins as the word ends, by path and as typed."""
    folder, slash, name = begun.rpartition("/")
    with suppress(OSError):
        for path in sorted(Path(folder + slash or ".").iterdir()):
            if path.name.startswith(name) and not path.name.startswith("."):
                yield path, f"{folder}{slash}{path.name}"


def methods(run: str | None, begun: str) -> list[str]:
    """The methods of *run* that begin so."""
    return _names(run, "method", begun)


def scenarios(run: str | None, begun: str) -> list[str]:
    """The scenarios of *run* that begin so."""
    return _names(run, "scenario", begun)


def metrics(begun: str) -> list[str]:
    """The metrics that begin so."""
    return [name for name in METRICS if name.startswith(begun)]


def orders(begun: str) -> list[str]:
    """What lines can be ordered by that begins so."""
    return [name for name in ORDERS if name.startswith(begun)]


def _names(run: str | None, column: str, begun: str) -> list[str]:
    names: Iterable[str] = ()
    if run and (Path(run) / SPEC).is_file():
        with suppress(StoreError):
            names = Store(run).trials()[column].unique().to_pylist()
    return sorted(name for name in names if name.startswith(begun))
