"""Replay against autograd on the examples that a step drew."""

from collections import Counter

import pytest
import torch
from small_trial import reports, watched
from steps_by_hand import begin, derivative, logits, shift, step_gradient, trainer_on
from torch.nn import functional

from cl.methods import Naive, Replay
from cl.methods.replay import replay_count

MEMORIES = ("reservoir", "per-class")


@pytest.mark.parametrize(
    ("new", "ratio", "count"),
    [(64, 0.0, 0), (64, 0.5, 64), (64, 0.25, 21), (10, 0.75, 30), (64, 0.9, 576), (3, 0.1, 0)],
)
def test_the_ratio_is_the_share_of_memory_in_the_combined_batch(new, ratio, count):
    assert replay_count(new, ratio) == count


def after_tasks(data, method, kind, tasks=1, seed=0):
    """A trainer that has finished some tasks without a step and begun the next, and its weights moved."""
    trainer, examples = trainer_on(data, method, kind, seed=seed)
    for task in range(tasks):
        begin(trainer, task, examples[task])
        trainer.method.consolidate(trainer.learner, examples[task])
    begin(trainer, tasks, examples[tasks])
    shift(trainer)
    return trainer, examples


def losses(trainer, batch):
    """The cross-entropy of each example of *batch*, which may be of several tasks, by autograd."""
    parts = []
    for task in batch.tasks.unique().tolist():
        part = batch.take((batch.tasks == task).nonzero()[:, 0])
        own = logits(trainer, type(batch)(part.x, part.y, task), len(part))
        parts.append(functional.cross_entropy(own, part.y, reduction="none"))
    return torch.cat(parts)


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("kind", ["task-il", "domain-il", "class-il"])
def test_a_step_is_one_mean_over_new_and_remembered_examples(blobs, kind, memory):
    method = Replay(ratio=0.75, buffer_size=24, memory=memory)
    trainer, data = after_tasks(blobs, method, kind, tasks=2)
    gradient, loss = step_gradient(trainer, data[2], 8)  # draws the whole memory

    old = losses(trainer, method.memory.batch)
    expected = torch.cat([losses(trainer, data[2].take(torch.arange(8))), old]).mean()
    assert len(old) == (24 if memory == "reservoir" else 16)
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(gradient, derivative(expected, trainer))


@pytest.mark.parametrize("tasks", [1, 2])
@pytest.mark.parametrize("kind", ["task-il", "domain-il", "class-il"])
def test_a_balanced_step_weighs_the_new_task_as_one_of_all_so_far(blobs, kind, tasks):
    method = Replay(ratio=0.8, buffer_size=20, loss_weight="balanced")
    trainer, data = after_tasks(blobs, method, kind, tasks)
    gradient, loss = step_gradient(trainer, data[tasks], 5)  # draws the whole memory

    new = losses(trainer, data[tasks].take(torch.arange(5))).mean()
    old = losses(trainer, method.memory.batch).mean()
    expected = new / 2 + old / 2 if tasks == 1 else new / 3 + old * 2 / 3
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(gradient, derivative(expected, trainer))


def test_balanced_equals_batch_where_nothing_is_replayed(blobs):
    batch, balanced = (
        watched(blobs, method="replay", hyperparameters={"ratio": 0, "loss_weight": weight})
        for weight in ("batch", "balanced")
    )
    assert all(map(torch.equal, balanced.weights, batch.weights))


@pytest.mark.parametrize("memory", MEMORIES)
def test_memory_never_holds_the_task_being_learned(blobs, memory):
    hyperparameters = {"buffer_size": 20, "memory": memory}
    for step in watched(blobs, method="replay", hyperparameters=hyperparameters).steps:
        assert step.batch.tasks[:16].tolist() == [step.task] * 16
        assert set(step.batch.tasks[16:].tolist()) <= set(range(step.task))
        held = {"reservoir": 20, "per-class": 6 * step.task}[memory]
        assert len(step.batch) == 16 + min(16, held if step.task else 0)


def test_every_training_example_is_offered_once(blobs):
    run = reports(blobs, method="replay", hyperparameters={"buffer_size": 1000})
    assert [report.diagnostics.get("memory_examples") for report in run] == [None, 80, 160, 240]
    assert run[-1].diagnostics["memory_by_task"] == [80, 80, 80]
    assert run[-1].diagnostics["memory_bytes"] == 240 * (16 + 8 + 8)


@pytest.mark.parametrize("memory", MEMORIES)
def test_what_a_task_leaves_in_memory_is_its_own_draw(blobs, memory):
    """The same examples, as those of task 0, again of task 0, of another seed, and of task 1."""
    kept = []
    for task, seed in ((0, 0), (0, 0), (0, 1), (1, 0)):
        method = Replay(buffer_size=24, memory=memory)
        trainer, data = trainer_on(blobs, method, "domain-il", seed=seed)
        trainer.learner.begin_task(0)
        begin(trainer, task, data[0])
        trainer.method.consolidate(trainer.learner, data[0])
        kept.append(sorted(method.memory.batch.x.tolist()))
    assert kept[0] == kept[1]
    assert kept[0] != kept[2]
    assert kept[0] != kept[3]


def test_what_a_task_rehearses_is_its_own_draw(blobs):
    drawn = []
    for task, seed in ((1, 0), (1, 0), (1, 1), (2, 0)):
        trainer, examples = after_tasks(blobs, Replay(buffer_size=1000), "domain-il", seed=seed)
        trainer.method.consolidate(trainer.learner, examples[1])
        begin(trainer, task, examples[2])
        # All memories hold the same examples in the same order, since all there are fit in.
        method = trainer.method
        drawn.append([method.memory.draw(16, method._random).tolist() for _ in range(2)])
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert drawn[0] != drawn[3]
    assert drawn[0][0] != drawn[0][1]


def test_a_mini_batch_is_new_examples_then_remembered_ones_as_the_model_sees_them(blobs):
    trainer, (own, old, _) = trainer_on(blobs, Naive())
    learner = trainer.learner
    alone = learner.mini_batch(own, torch.tensor([5, 1]), (old, torch.tensor([], dtype=torch.int64)))
    assert alone.task == 0
    assert torch.equal(alone.x, learner.inputs(own.x[[5, 1]]))
    mixed = learner.mini_batch(own, torch.tensor([5, 1]), (old, torch.tensor([3])))
    assert mixed.tasks.tolist() == [0, 0, 1]
    assert torch.equal(mixed.x, learner.inputs(torch.stack([own.x[5], own.x[1], old.x[3]])))
    assert mixed.y.tolist() == [own.y[5], own.y[1], old.y[3]]


def test_a_step_counts_the_examples_that_it_replays(blobs):
    run = reports(blobs, method="replay", hyperparameters={"ratio": 0.5, "buffer_size": 10})
    steps = Counter({report.task: report.steps for report in run})
    assert [report.examples for report in run[1:]] == [16 * steps[0], 26 * steps[1], 26 * steps[2]]
    assert [report.passes for report in run[1:]] == [steps[0], steps[1], steps[2]]
