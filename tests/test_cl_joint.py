"""The two references that start every task from the seed's initial weights."""

from collections import Counter

import pytest
import torch
from small_trial import watched
from steps_by_hand import begin, trainer_on

from cl.methods import Joint, Scratch


@pytest.mark.parametrize("method", [Joint, Scratch])
def test_each_task_begins_at_the_initial_weights_with_the_outputs_of_all_so_far(blobs, method):
    trainer, data = trainer_on(blobs, method(), "task-il")
    begin(trainer, 0, data[0])
    initial = trainer.learner.theta.clone()
    trainer.learner.theta.zero_()
    begin(trainer, 1, data[1])
    assert torch.equal(trainer.learner.theta[: len(initial)], initial)
    assert trainer.learner.model.outputs == 4


@pytest.mark.parametrize("kind", ["task-il", "domain-il", "class-il"])
def test_joint_sees_all_tasks_so_far_and_scratch_only_its_own(blobs, kind):
    for method, tasks in (("joint", lambda task: range(task + 1)), ("scratch", lambda task: [task])):
        seen = {task: Counter() for task in range(3)}
        for step in watched(blobs, kind, method).steps:
            seen[step.task].update(step.batch.tasks.tolist())
        # Four epochs over 80 examples of each task.
        assert seen == {task: dict.fromkeys(tasks(task), 320) for task in range(3)}


def test_scratch_owes_nothing_to_earlier_tasks(blobs):
    """Domain-il, whose weights keep their number: task 1 begins where task 0 began."""
    steps = watched(blobs, "domain-il", "scratch").steps
    first = [next(step for step in steps if step.task == task) for task in range(3)]
    assert torch.equal(first[1].weights, first[0].weights)
    assert torch.equal(first[2].weights, first[0].weights)
