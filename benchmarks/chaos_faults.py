"""What can happen to a running sweep, and what it hit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chaos_cluster import Cluster
from chaos_storage import Storage
from chaos_trace import Event, Traces, lives, parent

from results.schema import COMPLETE
from results.store import Store

# Longer than anything here takes, unless something is wrong.
PATIENCE_S = 60.0
LONGER_S = 4.0
"""A storage that a trial could not be saved to fails for up to so many seconds more."""
PART_OF_A_TRIAL = ("trials", "accuracy", "tasks")


@dataclass(frozen=True)
class Hit:
    """A fault that happened.

    Attributes:
        kind: one of `FAULTS`.
        victim: what was hit.
        time: when.
        tasks: the last note, then, of the trials that it hit.
        within: whether one of them was in the middle of a task.
    """

    kind: str
    victim: str
    time: float
    tasks: tuple[Event, ...]

    def __str__(self) -> str:
        return f"{self.kind}, {self.victim}: {'; '.join(task.told(self.time) for task in self.tasks)}"

    @property
    def within(self) -> bool:
        """Whether one of the trials was in the middle of a task."""
        return any(event.what == "learning" for event in self.tasks)


@dataclass
class Scene:
    """A sweep that runs, and what can be done to it."""

    chance: random.Random
    traces: Traces
    store: Store
    storage: Storage
    cluster: Cluster | None
    driver: subprocess.Popen[bytes] | None = None

    def wait_until(self, true: Callable[[], bool], within_s: float = PATIENCE_S) -> bool:
        """Wait until *true* says so; whether it does before the time is over or the driver ends."""
        end = time.monotonic() + within_s
        while not true():
            if time.monotonic() > end or self.driver is None or self.driver.poll() is not None:
                return true()
            time.sleep(0.02)
        return True


def kill_driver(scene: Scene, victim: Event) -> Hit:
    """Kill the driver; its trials' processes follow."""
    del victim
    assert scene.driver
    hit = Hit("driver", f"process {scene.driver.pid}", time.time(), tuple(scene.traces.learning()))
    scene.driver.kill()
    scene.driver.wait()
    _wait_for_the_end_of(*hit.tasks)
    return hit


def kill_worker(scene: Scene, victim: Event) -> Hit | None:
    """Kill a trial's process."""
    try:
        os.kill(victim.process, signal.SIGKILL)
    except ProcessLookupError:  # it ended by itself in this moment
        return None
    now = time.time()
    _wait_for_the_end_of(victim)
    return Hit("trial process", f"process {victim.process}", now, (scene.traces.last(victim.process),))


def kill_raylet(scene: Scene, victim: Event) -> Hit:
    """Kill the raylet that a trial's process belongs to; some time later another one joins."""
    assert scene.cluster
    raylet = parent(victim.process)
    hit = Hit("raylet", f"process {raylet}", time.time(), (victim,))
    scene.cluster.kill(raylet)
    _wait_for_the_end_of(victim)
    time.sleep(scene.chance.uniform(0, 2))
    scene.cluster.add()
    return hit


def fail_disk(scene: Scene, victim: Event) -> Hit | None:
    """Fill the disk until a trial could not be saved, and then some time longer."""
    return _fail_storage(scene, "full disk", victim)


def fail_server(scene: Scene, victim: Event) -> Hit | None:
    """Cut the S3 server off until a trial could not be saved, and then some time longer."""
    return _fail_storage(scene, "S3 server cut off", victim)


def _fail_storage(scene: Scene, kind: str, victim: Event) -> Hit | None:
    began = time.time()
    scene.storage.fail()
    try:
        felt = scene.wait_until(lambda: scene.traces.troubled(began))
        time.sleep(scene.chance.uniform(0, LONGER_S))  # rows wait for two seconds at most
    finally:
        scene.storage.mend()
    return Hit(kind, f"for {time.time() - began:.1f} s", began, (victim,)) if felt else None


def truncate_part(scene: Scene, victim: Event) -> Hit | None:
    """Cut a part of a finished trial short; it is the next driver that must notice."""
    del victim
    table = scene.chance.choice(PART_OF_A_TRIAL)
    complete = sorted(trial for trial, status in scene.store.statuses().items() if status == COMPLETE)
    if not complete:
        return None
    trial = scene.chance.choice(complete)
    part = Path(scene.store.root.path) / table / f"{trial}.parquet"
    os.truncate(part, scene.chance.randrange(part.stat().st_size))
    words = [event for event in scene.traces.events() if event.trial == trial]
    return Hit("truncated part", f"{table}/{part.name}", time.time(), (words[-1],))


def _wait_for_the_end_of(*victims: Event) -> None:
    end = time.monotonic() + PATIENCE_S
    while any(lives(victim.process) for victim in victims):
        if time.monotonic() > end:
            raise RuntimeError(f"a process outlives what it belongs to: {victims}")
        time.sleep(0.02)


FAULTS: dict[str, Callable[[Scene, Event], Hit | None]] = {
    "driver": kill_driver,
    "trial process": kill_worker,
    "raylet": kill_raylet,
    "full disk": fail_disk,
    "S3 server cut off": fail_server,
    "truncated part": truncate_part,
}
"""What does it by name; it is None where the fault had no effect, and is then tried again."""
