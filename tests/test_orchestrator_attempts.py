"""Which deaths count against a trial, and when it is given up: with Ray's own errors, without a Ray."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import uuid4

import pytest
import ray
from ray.core.generated.common_pb2 import ActorDiedErrorContext, NodeDeathInfo
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayActorError, RayTaskError

from orchestrator.attempts import MOST_LOST, Attempts, count_memory_kills

OWN = "The actor is dead because its worker process has died."
NODE = "The actor died because its node has died."


def died(message: str, *, actor: bytes | None = None, preempted: bool = False) -> ActorDiedError:
    """What Ray raises for an actor that is dead, another actor each time unless it is named."""
    actor = actor or uuid4().bytes
    context = ActorDiedErrorContext(error_message=message, actor_id=actor, class_name="TrialActor")
    if preempted:
        context.node_death_info.reason = NodeDeathInfo.AUTOSCALER_DRAIN_PREEMPTED
    return ActorDiedError(cause=context)  # by name, as Ray does: what is by position is pickled too


class Telling:
    """A listener that remembers, and the controller that is asked to stop trials."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.stopped = 0
        self.cause = ""

    def waiting(self, trial: object) -> None:
        """Remember."""
        del trial
        self.told.append("waiting")

    def given_up(self, trial: object, cause: str) -> None:
        """Remember."""
        del trial
        self.told.append("given up")
        self.cause = cause

    def stop_trial(self, trial: object) -> None:
        """Remember."""
        del trial
        self.stopped += 1


@pytest.fixture
def telling() -> Telling:
    return Telling()


@pytest.fixture
def make(tmp_path):
    """A trial as Tune knows it: by a name of the round, with files for its errors."""

    def trial(round_: int = 0) -> SimpleNamespace:
        folder = tmp_path / str(round_)
        folder.mkdir()
        return SimpleNamespace(
            trial_id=f"round{round_}",
            config={"trial": "ours"},
            error_file=str(folder / "error.txt"),
            pickled_error_file=str(folder / "error.pkl"),
        )

    return trial


def fail(attempts: Attempts, trial: SimpleNamespace, telling: Telling, error: Exception) -> None:
    """What Tune does when an actor fails."""
    with open(trial.error_file, "a", encoding="utf-8") as file:
        file.write(f"Failure\n{error}\n")
    if isinstance(error, RayActorError | RayTaskError):
        with open(trial.pickled_error_file, "wb") as pickled:
            pickled.write(ray.cloudpickle.dumps(error))
    attempts.on_trial_error(telling, trial)
    attempts.on_trial_add(telling, trial)


def test_a_trial_starts_again_as_often_as_is_retried_and_is_then_given_up_with_the_cause(make, telling):
    attempts, trial = Attempts(2, telling), make()
    attempts.on_trial_add(telling, trial)
    assert telling.told == [], "it is new"
    for _ in range(3):
        fail(attempts, trial, telling, died(OWN))
    assert telling.told == ["waiting", "waiting", "given up"]
    assert telling.stopped == 1
    assert telling.cause.endswith("\nthe trial's process died")
    assert OWN in telling.cause


@pytest.mark.parametrize(
    "lost",
    [
        lambda: died(NODE),
        lambda: died("The actor was preempted.", preempted=True),
        lambda: ActorUnavailableError("Socket closed", uuid4().bytes),
    ],
)
def test_a_lost_node_counts_only_when_it_happens_again_and_again(make, telling, lost):
    attempts, trial = Attempts(0, telling), make()
    for _ in range(MOST_LOST):
        fail(attempts, trial, telling, lost())
    assert telling.told == ["waiting"] * MOST_LOST
    fail(attempts, trial, telling, lost())
    assert telling.told[-1] == "given up"


def test_a_death_that_tune_reports_twice_counts_once(make, telling):
    attempts, trial = Attempts(1, telling), make()
    one = died(OWN, actor=b"0123456789abcdef")
    fail(attempts, trial, telling, one)
    fail(attempts, trial, telling, one)
    assert telling.told == ["waiting", "waiting"]
    fail(attempts, trial, telling, died(OWN))
    assert telling.told[-1] == "given up"


def test_deaths_in_an_earlier_round_of_tune_count(make, telling):
    attempts = Attempts(1, telling)
    fail(attempts, make(0), telling, died(OWN))
    fail(attempts, make(1), telling, died(OWN))
    assert telling.told == ["waiting", "given up"]


@pytest.mark.parametrize("words", ["OutOfMemoryError", "the node running low on memory"])
def test_a_process_that_was_killed_for_want_of_memory_has_that_cause_though_tune_keeps_no_error(
    make, telling, words
):
    attempts, trial = Attempts(1, telling), make()
    fail(attempts, trial, telling, died(NODE))
    fail(attempts, trial, telling, RuntimeError(words))  # which Tune does not pickle
    fail(attempts, trial, telling, RuntimeError(words))
    assert telling.told == ["waiting", "waiting", "given up"], (
        "the lost node is not taken for the cause again"
    )
    assert telling.cause.endswith("\nthe trial's process was killed, since its machine ran out of memory")
    assert NODE not in telling.cause


def test_an_error_that_tune_does_not_know_is_a_failure_of_its_trial():
    from ray.air.execution._internal.actor_manager import RayActorManager  # noqa: PLC0415 - Ray's own

    count_memory_kills()
    count_memory_kills()
    seen = []
    task = SimpleNamespace(
        _tracked_actor=SimpleNamespace(actor_id=1, _on_error=None),
        _on_error=lambda _, error: seen.append(error),
    )
    manager = SimpleNamespace(_failed_actor_ids=set(), _cleanup_actor=lambda **_: None)
    RayActorManager._actor_task_failed(
        manager, tracked_actor_task=task, exception=ray.exceptions.OutOfMemoryError("too much")
    )
    [error] = seen
    assert isinstance(error, RayActorError)
    assert "OutOfMemoryError: too much" in str(error)
