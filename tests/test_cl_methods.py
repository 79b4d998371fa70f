"""Each method against something independent: hand calculation, a slow loop, probability."""

import itertools
from collections import Counter

import pytest
import torch
from cl.pool import Pool
from small_trial import reports
from torch.nn import functional

from cl.batch import Batch
from cl.learner import Learner
from cl.methods import make_method
from cl.methods.replay import Replay, Reservoir, replay_count
from cl.registry import MLPSettings, ReplaySettings, SplitSettings, TrainSettings
from cl.streams import make_stream


def learner_on(data, kind="class-il", seed=0):
    stream = make_stream(kind, "split", SplitSettings().resolved(), [data], seed=seed, val_share=0.0)
    learner = Learner(
        stream, MLPSettings(hidden=(8,)), TrainSettings(), seed=seed, device=torch.device("cpu")
    )
    return stream, learner


@pytest.mark.parametrize(
    ("new", "ratio", "count"),
    [(64, 0.0, 0), (64, 0.5, 64), (64, 0.25, 21), (10, 0.75, 30), (64, 0.9, 576), (3, 0.1, 0)],
)
def test_the_ratio_is_the_share_of_memory_in_the_combined_batch(new, ratio, count):
    assert replay_count(new, ratio) == count


def offered(numbers, task=0):
    values = torch.tensor(list(numbers))
    return Batch(values[:, None].to(torch.uint8), values, task)


def test_a_reservoir_keeps_everything_until_it_is_full():
    reservoir = Reservoir(10)
    reservoir.offer(offered(range(4)), torch.Generator().manual_seed(0))
    reservoir.offer(offered(range(4, 9), task=1), torch.Generator().manual_seed(0))
    memory = reservoir.memory
    assert memory is not None
    assert memory.y.tolist() == list(range(9))
    assert memory.x[:, 0].tolist() == list(range(9))
    assert memory.tasks.tolist() == [0] * 4 + [1] * 5


def test_a_reservoir_is_algorithm_r_one_example_at_a_time():
    """The vectorised offer equals Vitter's loop on the same random numbers."""
    for sizes in ([30], [3, 0, 17, 10], [1] * 30):
        reservoir, expected, t = Reservoir(5), [], 0
        ours, loop = torch.Generator().manual_seed(9), torch.Generator().manual_seed(9)
        numbers = iter(range(30))
        for size in sizes:
            chunk = list(itertools.islice(numbers, size))
            if chunk:
                reservoir.offer(offered(chunk), ours)
            for value, u in zip(chunk, torch.rand(size, generator=loop, dtype=torch.float64), strict=True):
                t += 1
                if len(expected) < 5:
                    expected.append(value)
                elif (place := int(u * t)) < 5:
                    expected[place] = value
        assert reservoir.memory is not None
        assert reservoir.memory.y.tolist() == expected


def test_every_example_is_kept_with_the_same_probability():
    """Chi-square over 4,000 streams: 12 examples into 4 places, offered in two parts."""
    counts: Counter[int] = Counter()
    random = torch.Generator().manual_seed(0)
    for _ in range(4000):
        reservoir = Reservoir(4)
        reservoir.offer(offered(range(7)), random)
        reservoir.offer(offered(range(7, 12), task=1), random)
        assert reservoir.memory is not None
        counts.update(reservoir.memory.y.tolist())
    expected = 4000 * 4 / 12
    # Draws within a stream are without replacement, which shrinks the variance by (1 - 4/12).
    chi_square = sum((counts[i] - expected) ** 2 / expected for i in range(12)) / (1 - 4 / 12)
    assert chi_square < 31.3  # 99.9 % quantile with 11 degrees of freedom


def test_a_draw_is_without_replacement_and_takes_all_there_is_when_asked_for_more():
    reservoir = Reservoir(10)
    random = torch.Generator().manual_seed(0)
    assert reservoir.draw(3, random).tolist() == []
    reservoir.offer(offered(range(6)), random)
    assert len(set(reservoir.draw(4, random).tolist())) == 4
    assert sorted(reservoir.draw(64, random).tolist()) == list(range(6))


@pytest.mark.parametrize("kind", ["task-il", "class-il"])
def test_a_replay_step_is_one_mean_over_new_and_remembered_examples(blobs, kind):
    stream, learner = learner_on(blobs, kind)
    method = Replay(ReplaySettings(ratio=0.5, buffer_size=8))
    method.begin_task(learner, 0)
    method.consolidate(learner, method.training_data(stream, 0))
    method.begin_task(learner, 1)
    data = method.training_data(stream, 1)
    new = data.take(torch.arange(8))
    pool = Pool(learner, data, method.remembered())
    loss = method.gradient(learner, pool.batch(torch.arange(8), method.draw(8)))

    old = method.reservoir.memory
    assert old is not None
    losses = [
        functional.cross_entropy(
            learner.model(learner.inputs(part.x), task_id=task), part.y, reduction="none"
        )
        for part, task in ((new, 1), (old, 0))
    ]
    expected = torch.cat(losses).mean()
    torch.testing.assert_close(loss, expected.detach())
    (gradient,) = torch.autograd.grad(expected, learner.model.theta)
    torch.testing.assert_close(learner.model.gradient, gradient)


def test_memory_never_holds_the_task_being_learned(blobs):
    stream, learner = learner_on(blobs)
    method = Replay(ReplaySettings(buffer_size=20))
    seen = []
    gradient = learner.loss_gradient

    def spy(batch):
        seen.append((learner.task, Counter(batch.tasks.tolist())))
        return gradient(batch)

    learner.loss_gradient = spy
    for task in range(3):
        method.begin_task(learner, task)
        data = method.training_data(stream, task)
        pool = Pool(learner, data, method.remembered())
        method.gradient(learner, pool.batch(torch.arange(16), method.draw(16)))
        method.consolidate(learner, data)
    assert seen[0] == (0, {0: 16})
    assert seen[1] == (1, {1: 16, 0: 16})
    assert seen[2][1][2] == 16
    assert sum(seen[2][1].values()) == 32


def test_a_reservoir_is_offered_every_training_example_once(blobs):
    run = reports(blobs, method="replay", hyperparameters={"buffer_size": 1000})
    assert [report.diagnostics.get("memory_examples") for report in run] == [None, 80, 160, 240]


def test_what_a_task_leaves_in_memory_is_its_own_draw(blobs):
    """The same examples, as those of task 0, again of task 0, and of task 1."""
    stream, learner = learner_on(blobs)
    data = Replay(ReplaySettings()).training_data(stream, 0)
    kept = []
    for task in (0, 0, 1):
        method = Replay(ReplaySettings(buffer_size=20))
        method.begin_task(learner, task)
        method.consolidate(learner, data)
        kept.append(method.remembered().x)
    assert torch.equal(kept[0], kept[1])
    assert not torch.equal(kept[0], kept[2])


def test_what_a_task_rehearses_is_its_own_draw(blobs):
    stream, learner = learner_on(blobs)
    method = Replay(ReplaySettings(buffer_size=60))
    method.begin_task(learner, 0)
    method.consolidate(learner, method.training_data(stream, 0))
    drawn = []
    for task in (1, 1, 2):
        method.begin_task(learner, task)
        drawn.append([method.draw(16).tolist() for _ in range(2)])
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert drawn[0][0] != drawn[0][1]


def test_joint_sees_all_tasks_so_far_from_a_fresh_start(blobs):
    stream, learner = learner_on(blobs, "task-il")
    method = make_method("joint", {})
    initial = learner.theta.clone()
    learner.theta.zero_()
    method.begin_task(learner, 1)
    assert torch.equal(learner.theta[: len(initial)], initial)
    data = method.training_data(stream, 1)
    assert Counter(data.tasks.tolist()) == {0: 80, 1: 80}
    assert learner.model.outputs == 4


def test_a_mini_batch_is_the_tasks_own_examples_then_the_remembered_ones_as_the_model_sees_them(blobs):
    stream, learner = learner_on(blobs)
    own, old = (make_method("naive", {}).training_data(stream, task) for task in (0, 1))
    alone = Pool(learner, own, old).batch(torch.tensor([5, 1]), torch.tensor([], dtype=torch.int64))
    assert alone.task == 0
    assert torch.equal(alone.x, learner.inputs(own.x[[5, 1]]))
    mixed = Pool(learner, own, old).batch(torch.tensor([5, 1]), torch.tensor([3]))
    assert mixed.tasks.tolist() == [0, 0, 1]
    assert torch.equal(mixed.x, learner.inputs(torch.stack([own.x[5], own.x[1], old.x[3]])))
    assert mixed.y.tolist() == [own.y[5], own.y[1], old.y[3]]
