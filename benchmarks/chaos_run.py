"""A sweep that is disturbed until it is complete, and the same one left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos_cluster import Cluster
from chaos_faults import FAULTS, Hit, Scene
from chaos_storage import Storage
from chaos_trace import Traces, started_in

from results.schema import COMPLETE
from results.storage import Folder
from results.store import Store

HERE = Path(__file__).parent
MOST_RESTARTS = 40
# Faults begin once something has been learned, and end while there is still something to lose.
FIRST, LAST = 0.03, 0.85

SPEC = """
name: {name}
seeds: {seeds}
scenarios: [{{kind: task-il, stream: split-digits, tasks: {tasks}}}]
methods: [{methods}]
model: {{hidden: [{units}, {units}]}}
train: {{iterations: {iterations}}}
resources: {{cpu: 1}}
"""


@dataclass(frozen=True)
class Part:
    """One of the two sweeps: what it runs, and how often what happens to it."""

    name: str
    seeds: str
    methods: Sequence[str]
    tasks: int
    units: int
    iterations: int
    faults: Mapping[str, int]

    def spec(self) -> str:
        """Its YAML."""
        return SPEC.format(**{**vars(self), "methods": ", ".join(self.methods)})


@dataclass
class Chaos:
    """The whole run: where its files are, what happened, and what is wrong.

    Attributes:
        starts: how often a driver was started.
    """

    folder: Path
    chance: random.Random
    hits: list[Hit] = field(default_factory=list)
    starts: int = 0
    problems: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def log(self, words: str) -> None:
        """Print a line with the time since the beginning."""
        print(f"{time.monotonic() - self.began:6.1f} s  {words}", flush=True)

    def environment(self) -> dict[str, str]:
        """Of every process that is started."""
        paths = [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "RAY_TMPDIR": str(self.folder / "ray"),
            "NO_COLOR": "1",
        }

    def start(
        self, log: str, *arguments: str, traces: Path | str = "", stub: str = ""
    ) -> subprocess.Popen[bytes]:
        """Start `clsweep` with these arguments, as `chaos_driver` does; its output goes to the file *log*."""
        with (self.folder / log).open("ab") as output:
            return subprocess.Popen(
                [sys.executable, str(HERE / "chaos_driver.py"), str(traces), stub, *arguments],
                cwd=self.folder,
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for_the_end_of_all(self) -> None:
        """Wait for what still ends; that a process does not is a problem."""
        end = time.monotonic() + 60
        while left := started_in(self.folder):
            if time.monotonic() > end:
                self.problems.append(f"processes are left behind: {left}")
                return
            time.sleep(0.1)

    def call(self, *arguments: str) -> str:
        """The output of `clsweep` with these arguments; that it failed is a problem."""
        done = subprocess.run(
            [sys.executable, "-m", "cli", *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            verb = " ".join(arguments[:1])
            self.problems.append(f"clsweep {verb}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout


def disturbed(
    chaos: Chaos, part: Part, storage: Storage, cluster: Cluster | None, expected: Store, stub: str = ""
) -> None:
    """Run *part*, starting it again whenever it ends before all that is in *expected* is complete."""
    planned = _complete(expected)
    traces = chaos.folder / f"{part.name}-traces"
    traces.mkdir()
    store = Store(Folder.at(storage.place) / part.name)
    scene = Scene(chaos.chance, Traces(traces), store, storage, cluster)
    due = _schedule(chaos.chance, part.faults, len(planned) * part.tasks)
    where = ["--address", cluster.address] if cluster else []
    command = ["run", f"{part.name}.yaml", "--storage", storage.place, "--checkpoint-every", "0", *where]
    first = chaos.starts
    while planned != _complete(store):
        if chaos.starts - first > MOST_RESTARTS:
            chaos.problems.append(f"{part.name}: not complete after {MOST_RESTARTS} restarts")
            return
        chaos.starts += 1
        log = f"driver-{chaos.starts}.log"
        scene.driver = chaos.start(log, *command, traces=traces, stub=stub)
        chaos.log(f"driver {chaos.starts} started, process {scene.driver.pid}: {part.name}")
        try:
            _strike(chaos, scene, due)
            _report_end(chaos, scene.driver, chaos.folder / log)
        finally:
            scene.driver.kill()
            scene.driver.wait()
    if due:
        chaos.problems.append(f"{part.name}: complete before it met {[kind for _, kind in due]}")


def _schedule(chance: random.Random, faults: Mapping[str, int], tasks: int) -> deque[tuple[int, str]]:
    """The faults in random order, each with the number of learned tasks after which it happens."""
    kinds = [kind for kind, count in faults.items() for _ in range(count)]
    chance.shuffle(kinds)
    span = (LAST - FIRST) / len(kinds)
    shares = [FIRST + span * (place + chance.random()) for place in range(len(kinds))]
    return deque((int(tasks * share), kind) for share, kind in zip(shares, kinds, strict=True))


def _strike(chaos: Chaos, scene: Scene, due: deque[tuple[int, str]]) -> None:
    """Let the faults that are *due* happen, until the driver ends."""
    assert scene.driver
    while scene.driver.poll() is None:
        time.sleep(0.05)
        if not due or scene.traces.learned() < due[0][0] or not scene.traces.learning():
            continue
        time.sleep(chaos.chance.uniform(0, 0.5))
        if not (at_work := scene.traces.learning()):
            continue
        kind = due[0][1]
        if hit := FAULTS[kind](scene, chaos.chance.choice(at_work)):
            due.popleft()
            chaos.hits.append(hit)
            chaos.log(f"fault {len(chaos.hits)}: {hit}")


def _report_end(chaos: Chaos, driver: subprocess.Popen[bytes], log: Path) -> None:
    code = driver.wait()
    if code not in (0, -signal.SIGKILL):
        text = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        chaos.log("\n    ".join([f"the driver ended by itself with code {code}:", *text[-5:]]))


def _complete(store: Store) -> set[str]:
    return {trial for trial, status in store.statuses().items() if status == COMPLETE}


def undisturbed(chaos: Chaos, part: Part) -> Store:
    """Run *part* in one process; its store."""
    (chaos.folder / f"{part.name}.yaml").write_text(part.spec(), encoding="utf-8")
    driver = chaos.start("undisturbed.log", "run", f"{part.name}.yaml", "--local", "--storage", "undisturbed")
    try:
        if code := driver.wait():
            raise RuntimeError(f"the undisturbed run ended with code {code}")
    finally:
        driver.kill()
        driver.wait()
    chaos.log(f"{part.name}: the undisturbed run is complete")
    return Store(chaos.folder / "undisturbed" / part.name)
