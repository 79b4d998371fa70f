"""Proof by breaking it: a sweep of all methods that loses whatever it depends on, again and again.

One sweep runs on a Ray cluster of several raylets and writes to a small disk; another runs on a Ray of its
own and writes to an S3 server. At random moments a fault of a random kind happens; whenever the driver ends,
the same command is started again. In the end the accuracy rows, the task rows and the metrics are compared,
bit for bit, with those of the same sweep undisturbed (`--local`, in one process).

The seed decides which faults happen in which order, after how much of the work, and to which of those at
work; the rest is up to the clock, so that a run with the same seed is alike and not the same.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from chaos_cluster import Cluster
from chaos_compare import compare
from chaos_faults import FAULTS, Hit
from chaos_run import Chaos, Part, disturbed, undisturbed
from chaos_storage import Disk, Server, own_mounts
from machine import machine

from cl.registry import METHODS

LEAST_FAULTS, LEAST_OF_A_KIND = 20, 3

FULL = (
    Part(
        "chaos",
        seeds="3",
        methods=tuple(METHODS),
        tasks=5,
        units=128,
        iterations=1500,
        faults={"driver": 5, "trial process": 5, "raylet": 4, "full disk": 4, "truncated part": 4},
    ),
    Part(
        "chaos-s3",
        seeds="[3]",
        methods=tuple(METHODS),
        tasks=5,
        units=128,
        iterations=1500,
        faults={"driver": 2, "trial process": 2, "S3 server cut off": 4},
    ),
)
SHORT = (
    Part(
        "chaos",
        seeds="1",
        methods=tuple(METHODS),
        tasks=3,
        units=64,
        iterations=800,
        faults={"driver": 1, "trial process": 1, "raylet": 1, "full disk": 1, "truncated part": 1},
    ),
    Part(
        "chaos-s3",
        seeds="2",
        methods=("naive", "ewc", "replay", "packnet"),
        tasks=5,
        units=64,
        iterations=2000,
        faults={"driver": 1, "S3 server cut off": 1},
    ),
)


def table(hits: Sequence[Hit]) -> str:
    """What was survived, as a Markdown table."""
    lines = ["| fault | survived | in the middle of a task |", "| --- | ---: | ---: |"]
    for kind in FAULTS:
        of_kind = [hit for hit in hits if hit.kind == kind]
        lines.append(f"| {kind} | {len(of_kind)} | {sum(hit.within for hit in of_kind)} |")
    return "\n".join([*lines, f"| all | {len(hits)} | {sum(hit.within for hit in hits)} |"])


def lacking(hits: Sequence[Hit], *, short: bool) -> list[str]:
    """What the run needs to be a proof and has not met."""
    count = Counter(hit.kind for hit in hits)
    least = 1 if short else LEAST_OF_A_KIND
    lacks = [f"only {count[kind]} of {kind}, not {least}" for kind in FAULTS if count[kind] < least]
    if not short and len(hits) < LEAST_FAULTS:
        lacks.append(f"only {len(hits)} faults, not {LEAST_FAULTS}")
    if (within := sum(hit.within for hit in hits)) * 2 < len(hits):
        lacks.append(f"only {within} of {len(hits)} faults in the middle of a task")
    return lacks


def on_cluster(chaos: Chaos, part: Part, *, mount: bool) -> None:
    """Run *part* on several raylets, its results on a small disk."""
    expected = undisturbed(chaos, part)
    with Disk(chaos.folder / "disk", mount=mount) as disk, Cluster(chaos.environment()) as cluster:
        disturbed(chaos, part, disk, cluster, expected, stub=disk.stub)
        compare(chaos, part, disk, expected)


def on_server(chaos: Chaos, part: Part) -> None:
    """Run *part* on a Ray of its own, its results on an S3 server."""
    expected = undisturbed(chaos, part)
    with Server() as server:
        disturbed(chaos, part, server, None, expected)
        compare(chaos, part, server, expected)


def main() -> None:
    """Break it, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, help="of what happens; by default another each time")
    parser.add_argument("--short", action="store_true", help="a fault of each kind in a minute or two")
    arguments = parser.parse_args()
    mount = own_mounts()  # before there is any thread, since threads have mounts of their own
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = random.SystemRandom().randrange(10**6) if arguments.seed is None else arguments.seed
    again = f"python benchmarks/chaos.py --seed {seed}" + " --short" * arguments.short
    print(f"{machine()}\nto repeat it: {again}", flush=True)
    print(f"the disk that fills up is {'a small tmpfs' if mount else 'a stub'}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    chaos = Chaos(folder, random.Random(seed))  # noqa: S311 - for repetition, not for secrets
    local, remote = SHORT if arguments.short else FULL
    try:
        on_cluster(chaos, local, mount=mount)
        on_server(chaos, remote)
    except KeyboardInterrupt:
        chaos.wait_for_the_end_of_all()
        shutil.rmtree(folder)
        sys.exit(130)
    chaos.wait_for_the_end_of_all()
    print(f"\n{table(chaos.hits)}\n\n{chaos.starts} drivers; to repeat it: {again}")
    if problems := [*chaos.problems, *lacking(chaos.hits, short=arguments.short)]:
        sys.exit("\n".join(["BROKEN", *problems, f"The files are in {folder}."]))
    shutil.rmtree(folder)
    print("All rows and metrics are those of the undisturbed run, bit for bit.")


if __name__ == "__main__":
    main()
