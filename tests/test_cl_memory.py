"""What a memory keeps: against Vitter's loop, counts by hand, and probability."""

import io
import itertools
from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch
from steps_by_hand import begin, trainer_on

from cl.batch import Batch
from cl.datasets import Dataset
from cl.memory import PerClass, Reservoir
from cl.methods import Naive, Replay
from cl.models import MultiHeadMLP, SingleHeadMLP
from cl.registry import KINDS, MLPSettings, TrainSettings
from cl.streams import make_stream
from cl.trainer import Trainer
from cl.training import make_trainer


def numbered(numbers, task=0):
    """Examples that can be told apart: their pixel and their label are their number."""
    values = torch.tensor(list(numbers))
    return Batch(values[:, None].to(torch.uint8), values, task)


@cache
def learner():
    """A learner at task 0 of a stream of four classes; tests only read it."""
    trainer = Trainer(MultiHeadMLP(1, [2]), Naive(), TrainSettings(), outputs=[2, 2])
    trainer.learner.begin_task(0)
    return trainer.learner


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def reservoir(size, seed=0):
    made = Reservoir(size)
    made.begin_task(learner(), numbered(range(3)), seeded(seed))
    return made


def test_a_reservoir_keeps_everything_until_it_is_full():
    memory = reservoir(10)
    memory.offer(numbered(range(4)))
    memory.offer(numbered(range(4, 9), task=1))
    assert memory.batch.y.tolist() == list(range(9))
    assert memory.batch.x[:, 0].tolist() == list(range(9))
    assert memory.batch.x.dtype == torch.uint8
    assert memory.batch.tasks.tolist() == [0] * 4 + [1] * 5


@pytest.mark.parametrize("sizes", [[30], [3, 0, 17, 10], [1] * 30, [2] * 15, [4090, 20, 4100]])
def test_a_reservoir_is_algorithm_r_one_example_at_a_time(sizes):
    """The vectorised offer equals Vitter's loop on the same random numbers."""
    memory, expected, t = reservoir(5, seed=9), [], 0
    loop = seeded(9)
    numbers = iter(range(sum(sizes)))
    for size in sizes:
        chunk = list(itertools.islice(numbers, size))
        if chunk:
            memory.offer(numbered(chunk))
        for value, u in zip(chunk, torch.rand(size, generator=loop, dtype=torch.float64), strict=True):
            t += 1
            if len(expected) < 5:
                expected.append(value)
            elif (place := int(u * t)) < 5:
                expected[place] = value
    assert memory.batch.y.tolist() == expected


@pytest.mark.parametrize("sizes", [[7, 5], [3, 3, 3, 3], [1] * 12])
def test_every_example_is_kept_with_the_same_probability(sizes):
    """Chi-square over 4,000 streams of 12 examples into 4 places, offered batch by batch."""
    counts: Counter[int] = Counter()
    batches = [numbered(range(end - size, end)) for size, end in zip(sizes, np.cumsum(sizes), strict=True)]
    for seed in range(4000):
        memory = reservoir(4, seed)
        for batch in batches:
            memory.offer(batch)
        counts.update(memory.batch.y.tolist())
    expected = 4000 * 4 / 12
    # Draws within a stream are without replacement, which shrinks the variance by (1 - 4/12).
    chi_square = sum((counts[i] - expected) ** 2 / expected for i in range(12)) / (1 - 4 / 12)
    assert chi_square < 31.3  # 99.9 % quantile with 11 degrees of freedom


def test_all_columns_of_a_reservoir_are_of_the_same_example():
    memory = reservoir(7)
    memory.columns["double"] = torch.zeros(0, 2)
    for start in range(0, 100, 5):
        batch = numbered(range(start, start + 5), task=start // 5)
        memory.offer(batch, double=torch.stack([batch.y * 2.0, -batch.y * 2.0], 1))
    numbers = memory.batch.y
    assert len(set(numbers.tolist())) == 7
    assert memory.batch.x[:, 0].tolist() == numbers.tolist()
    assert memory.batch.tasks.tolist() == (numbers // 5).tolist()
    assert memory.columns["double"].tolist() == [[2 * n, -2 * n] for n in numbers.tolist()]


def test_a_reservoir_takes_room_as_it_fills_and_never_more_than_its_size():
    vast, small = reservoir(2**31 - 1), reservoir(37)
    for memory in (vast, small):
        for start in range(0, 100, 10):
            memory.offer(numbered(range(start, start + 10)))
    assert vast.held == 100
    assert {len(column) for column in vast.columns.values()} == {160}
    assert {len(column) for column in small.columns.values()} == {37}


def test_a_full_reservoir_is_written_in_place():
    memory = reservoir(8)
    memory.offer(numbered(range(8)))
    where = memory.columns["x"].data_ptr()
    memory.offer(numbered(range(8, 100)))
    assert memory.batch.y.max() >= 8
    assert memory.columns["x"].data_ptr() == where


def test_a_draw_is_without_replacement_and_takes_all_there_is_when_asked_for_more():
    memory, random = reservoir(10), seeded()
    assert memory.draw(3, random).tolist() == []
    memory.offer(numbered(range(6)))
    assert len(set(memory.draw(4, random).tolist())) == 4
    assert sorted(memory.draw(64, random).tolist()) == list(range(6))


def test_what_is_held_is_reported_by_task_and_in_bytes():
    memory = reservoir(10)
    memory.offer(numbered(range(4)))
    memory.offer(numbered(range(4, 6), task=2))
    of = Trainer(MultiHeadMLP(1, [2]), Naive(), TrainSettings(), outputs=[2] * 4).learner
    for task in range(4):
        of.begin_task(task)
    assert memory.diagnostics(of) == {
        "memory_examples": 6,
        "memory_bytes": 6 * (1 + 8 + 8),  # a pixel, a label, a task
        "memory_by_task": [4, 0, 2, 0],
    }


def filled(blobs, kind, size, tasks=3):
    """A per-class memory of the blobs' three tasks of two classes, 40 examples of each class."""
    trainer, data = trainer_on(blobs, Replay(memory="per-class", buffer_size=size), kind)
    for task in range(tasks):
        begin(trainer, task, data[task])
        trainer.method.consolidate(trainer.learner, data[task])
    return trainer.method.memory


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("size", "quota"), [(6, 1), (35, 5), (36, 6), (240, 40)])
def test_every_class_of_the_stream_has_the_same_quota_from_the_first_task_on(blobs, kind, size, quota):
    labels = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]  # (task, label)
    if kind == "class-il":
        labels = [(task, 2 * task + label) for task, label in labels]
    for tasks in (1, 2, 3):
        batch = filled(blobs, kind, size, tasks).batch
        counts = Counter(zip(batch.tasks.tolist(), batch.y.tolist(), strict=True))
        assert counts == dict.fromkeys(labels[: 2 * tasks], quota)


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_with_fewer_examples_than_its_quota_is_held_whole(blobs, kind):
    memory = filled(blobs, kind, 6 * 50)
    assert memory.held == 240
    assert len({tuple(row) for row in memory.batch.x.tolist()}) == 240


@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_too_small_for_one_example_of_each_class_is_refused(blobs, kind):
    with pytest.raises(ValueError, match=r"5 examples cannot hold one of each of 6 classes"):
        filled(blobs, kind, 5)


def test_every_example_of_a_class_is_kept_with_the_same_probability():
    """Chi-square over 2,000 memories: of each class 3 of 12 examples stay, offered in two parts."""
    counts: Counter[int] = Counter()
    random = seeded()
    x = torch.arange(24, dtype=torch.uint8)[:, None]
    first, second = (Batch(x[part::2], torch.arange(12) % 2, 0) for part in (0, 1))
    for _ in range(2000):
        memory = PerClass(12)  # four classes, of which the task has two
        memory.begin_task(learner(), first, random)
        memory.offer(first)
        memory.offer(second)
        counts.update(memory.batch.x[:, 0].tolist())
        assert memory.batch.y.bincount().tolist() == [3, 3]
    expected = 2000 * 3 / 12
    # Draws within a class are without replacement, which shrinks the variance by (1 - 3/12).
    chi_square = sum((counts[i] - expected) ** 2 / expected for i in range(24)) / (1 - 3 / 12)
    assert chi_square < 48.3  # 99.9 % quantile with 22 degrees of freedom


def test_a_class_that_comes_back_in_class_il_is_one_class_sampled_from_both_tasks():
    def task(*labels):
        y = np.repeat(np.array(labels), 40)
        x = np.random.default_rng(0).random((80, 3)).astype(np.float32)
        return Dataset(x, y, x, y, scale=1.0)

    stream = make_stream("class-il", "explicit", {}, [task(3, 5), task(5, 8)], seed=0, val_share=0.0)
    method = Replay(memory="per-class", buffer_size=61)
    model = MLPSettings(hidden=(4,))
    trainer = make_trainer(stream, method, model=model, train=TrainSettings(), seed=0)
    for k in range(2):
        data = Batch(stream.train(k).x, stream.train(k).y, k)
        begin(trainer, k, data)
        trainer.method.consolidate(trainer.learner, data)
    counts = Counter(zip(method.memory.batch.tasks.tolist(), method.memory.batch.y.tolist(), strict=True))
    assert (counts[0, 0], counts[1, 2]) == (20, 20)  # three classes share 61 places
    assert counts[0, 1] + counts[1, 1] == 20
    assert min(counts[0, 1], counts[1, 1]) >= 4  # each is hypergeometric around 10, deviation 2


def test_where_nobody_said_what_is_to_come_the_known_classes_share_the_places():
    method = Replay(memory="per-class", buffer_size=12)
    trainer = Trainer(SingleHeadMLP(3, [4]), method, TrainSettings(epochs=1))
    for task, quota in enumerate([6, 3, 2]):
        y = torch.arange(40) % 2 + 2 * task
        data = torch.rand(40, 3, generator=seeded()), y
        trainer.train_task(task, data)
        trainer.consolidate(task, data)
        assert method.memory.batch.y.bincount().tolist() == [quota] * (2 * task + 2)


@pytest.mark.parametrize("memory", ["reservoir", "per-class"])
def test_a_memory_that_was_saved_goes_on_as_the_first_without_touching_it(blobs, memory):
    trainer, data = trainer_on(blobs, Replay(memory=memory, buffer_size=30))
    for task in (0, 1):
        begin(trainer, task, data[task])
        trainer.method.consolidate(trainer.learner, data[task])
    first, saved = trainer.method.memory, io.BytesIO()
    torch.save(first.state(), saved)
    saved.seek(0)
    loaded = torch.load(saved, weights_only=True)
    second, third = type(first)(30), type(first)(30)
    second.load_state(loaded)
    third.load_state(loaded)
    trainer.learner.begin_task(2)
    for each in (first, second):
        each.begin_task(trainer.learner, data[2], seeded())
        each.offer(data[2])
    assert all(torch.equal(first.columns[name], second.columns[name]) for name in first.columns)
    assert 2 in first.batch.tasks
    assert 2 not in third.batch.tasks
