"""Streams: which examples each task has, what they are called and what they look like."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cl.datasets import Dataset, load
from cl.labels import number_labels
from cl.randomness import generator
from cl.registry import KINDS
from cl.rotation import rotate
from cl.streams import make_stream


def dataset(labels=(0, 1, 2, 3, 4, 5), *, image=(3, 3), dtype=np.uint8, scale=1 / 255, each=4):
    """A read-only data set: `each` training examples per label and one test example, every pixel random."""
    y_train, y_test = np.tile(np.array(labels), each), np.array(labels)
    pixels = np.random.default_rng(len(labels)).integers(0, 256, (len(y_train) + len(y_test), *image))
    x_train, x_test = np.split(pixels.astype(dtype), [len(y_train)])
    for array in (x_train, y_train, x_test, y_test):
        array.flags.writeable = False
    return Dataset(x_train, y_train, x_test, y_test, scale)


def stream(name="split", kind="class-il", data=None, *, seed=0, val_share=0.0, **settings):
    if data is None:
        data = [dataset()]
    return make_stream(kind, name, settings, data, seed=seed, val_share=val_share)


def flat(array, rows=slice(None)):
    chosen = array[rows]
    return torch.from_numpy(chosen.reshape(len(chosen), -1).copy())


def parts(made):
    """Everything a stream hands out."""
    return [part for k in range(made.n_tasks) for part in (made.train(k), made.validation(k), made.test(k))]


def same(left, right):
    pairs = zip(parts(left), parts(right), strict=True)
    return all(torch.equal(a.x, b.x) and torch.equal(a.y, b.y) for a, b in pairs)


# Split


def test_a_split_stream_has_pairs_of_classes_in_order():
    data = dataset()
    made = stream(data=[data])
    assert (made.n_tasks, made.features, made.image, made.kind) == (3, 9, (3, 3), "class-il")
    for k in range(3):
        train_rows = np.flatnonzero(data.y_train // 2 == k)
        assert torch.equal(made.train(k).x, flat(data.x_train, train_rows))
        assert torch.equal(made.test(k).x, flat(data.x_test, [2 * k, 2 * k + 1]))


@pytest.mark.parametrize(
    ("kind", "outputs", "labels_of_task_1"),
    [
        ("task-il", (2, 2, 2), [0, 1, 0, 1, 0, 1, 0, 1]),
        ("domain-il", (2, 2, 2), [0, 1, 0, 1, 0, 1, 0, 1]),
        ("class-il", (2, 2, 2), [2, 3, 2, 3, 2, 3, 2, 3]),
    ],
)
def test_split_labels_are_local_shared_or_global_by_kind(kind, outputs, labels_of_task_1):
    made = stream(kind=kind)
    assert made.outputs == outputs
    assert made.train(1).y.tolist() == labels_of_task_1
    assert made.test(1).y.tolist() == labels_of_task_1[:2]
    assert made.train(1).y.dtype == torch.int64


def test_labels_of_the_data_may_be_any_integers():
    made = stream(data=[dataset(labels=(40, -3, 7, 12))])
    assert made.train(0).y.tolist() == [0, 1] * 4  # -3 and 7
    assert made.train(1).y.tolist() == [3, 2] * 4  # 40 and 12, stored in this order


@pytest.mark.parametrize(
    ("settings", "outputs"),
    [
        ({}, (2, 2, 2)),
        ({"tasks": 2}, (2, 2)),
        ({"classes_per_task": 3}, (3, 3)),
        ({"classes_per_task": 4}, (4,)),
        ({"classes_per_task": 1, "tasks": 4}, (1, 1, 1, 1)),
    ],
)
def test_a_split_has_as_many_tasks_as_classes_allow_or_as_asked(settings, outputs):
    assert stream(**settings).outputs == outputs


def test_classes_in_the_seeds_order_are_rows_in_order_of_appearance():
    data = dataset(labels=tuple(range(10)))
    made = stream(data=[data], class_order="seed", seed=3)
    order = []
    for k in range(5):
        test = made.test(k)
        class_of = {tuple(x.tolist()): label for label, x in enumerate(flat(data.x_test))}
        by_row = dict(zip(test.y.tolist(), (class_of[tuple(x.tolist())] for x in test.x), strict=True))
        assert sorted(by_row) == [2 * k, 2 * k + 1]
        order += [by_row[row] for row in sorted(by_row)]
    assert order == torch.randperm(10, generator=generator(3, "class-order")).tolist()


def test_the_class_order_is_fixed_by_the_seed():
    data = [dataset(labels=tuple(range(10)))]
    first = stream(data=data, class_order="seed", seed=1)
    assert same(first, stream(data=data, class_order="seed", seed=1))
    assert not same(first, stream(data=data, class_order="seed", seed=2))
    assert same(stream(data=data, seed=1), stream(data=data, seed=2))


# Permuted


def order_of(made, k, data):
    """The permutation of task k, read off an image whose pixels all differ."""
    (row,) = [row for row, image in enumerate(data.x_test) if len(np.unique(image)) == image.size][:1]
    source = data.x_test[row].ravel().tolist()
    return [source.index(value) for value in made.test(k).x[row].tolist()]


def test_permuted_tasks_are_the_data_under_one_order_of_pixels_each():
    data = dataset()
    made = stream("permuted", data=[data], tasks=3)
    assert torch.equal(made.train(0).x, flat(data.x_train))
    assert torch.equal(made.test(0).x, flat(data.x_test))
    orders = [order_of(made, k, data) for k in range(3)]
    assert all(sorted(order) == list(range(9)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    for k in range(3):
        assert torch.equal(made.train(k).x, flat(data.x_train)[:, orders[k]])
        assert torch.equal(made.test(k).x, flat(data.x_test)[:, orders[k]])


def test_the_first_task_is_permuted_on_request_and_the_others_stay_the_same():
    data = dataset()
    usual = stream("permuted", data=[data], tasks=3)
    made = stream("permuted", data=[data], tasks=3, permute_first=True)
    assert order_of(made, 0, data) != list(range(9))
    assert [order_of(made, k, data) for k in (1, 2)] == [order_of(usual, k, data) for k in (1, 2)]


def test_permutations_are_fixed_by_the_seed_whatever_the_kind_and_number_of_tasks():
    data = dataset()
    orders = {
        (seed, kind, tasks): order_of(stream("permuted", kind, [data], tasks=tasks, seed=seed), 1, data)
        for seed in (0, 1)
        for kind in KINDS
        for tasks in (2, 5)
    }
    by_seed = [{tuple(order) for (own, _, _), order in orders.items() if own == seed} for seed in (0, 1)]
    assert [len(each) for each in by_seed] == [1, 1]
    assert by_seed[0] != by_seed[1]


@pytest.mark.parametrize("name", ["permuted", "rotated"])
@pytest.mark.parametrize(
    ("kind", "labels_of_task_2"), [("task-il", [0, 1, 2]), ("domain-il", [0, 1, 2]), ("class-il", [6, 7, 8])]
)
def test_permuted_and_rotated_tasks_have_all_classes(name, kind, labels_of_task_2):
    made = stream(name, kind, [dataset(labels=(2, 5, 9))], tasks=4)
    assert made.outputs == (3, 3, 3, 3)
    assert made.train(2).y.tolist() == labels_of_task_2 * 4
    assert made.test(2).y.tolist() == labels_of_task_2


# Rotated


def test_rotated_tasks_are_evenly_spaced_and_end_below_the_end():
    data = dataset()
    made = stream("rotated", data=[data], tasks=4)
    images = torch.from_numpy(data.x_train.copy())
    for k, degrees in enumerate([0.0, 45.0, 90.0, 135.0]):
        assert torch.equal(made.train(k).x, rotate(images, degrees).flatten(1))
    assert torch.equal(made.train(0).x, flat(data.x_train))
    assert torch.equal(made.test(2).x, flat(np.rot90(data.x_test, axes=(1, 2))))
    assert made.test(1).x.dtype == torch.uint8


def test_the_range_of_angles_is_a_setting():
    data = dataset()
    made = stream("rotated", data=[data], tasks=2, angles=[-90, 90])
    assert torch.equal(made.test(0).x, flat(np.rot90(data.x_test, -1, axes=(1, 2))))
    assert torch.equal(made.test(1).x, flat(data.x_test))


# Explicit


@pytest.mark.parametrize(
    ("kind", "outputs", "labels"),
    [
        ("task-il", (2, 3, 2), [[0, 1], [0, 1, 2], [0, 1]]),
        ("domain-il", (5, 5, 5), [[2, 3], [0, 3, 4], [1, 2]]),
        ("class-il", (2, 2, 1), [[0, 1], [2, 1, 3], [4, 0]]),
    ],
)
def test_explicit_tasks_keep_a_class_that_they_share(kind, outputs, labels):
    data = [dataset(labels=(4, 7)), dataset(labels=(0, 7, 9)), dataset(labels=(2, 4))]
    made = stream("explicit", kind, data)
    assert made.outputs == outputs
    assert [made.test(k).y.tolist() for k in range(3)] == labels
    assert [made.train(k).y.tolist() for k in range(3)] == [each * 4 for each in labels]
    assert all(torch.equal(made.train(k).x, flat(each.x_train)) for k, each in enumerate(data))


def test_explicit_tasks_with_the_same_classes_bring_no_new_rows():
    assert stream("explicit", data=[dataset(), dataset()]).outputs == (6, 0)


groups = st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=5, unique=True).map(tuple), min_size=1)


@given(groups, st.booleans())
def test_class_il_rows_are_numbered_without_gaps_in_order_of_appearance(tasks, same_classes):
    targets, outputs = number_labels("class-il", tasks, same_classes=same_classes)
    appearing = list(dict.fromkeys(row for group in targets for row in group))
    assert appearing == list(range(sum(outputs)))
    seen = 0
    for group, new in zip(targets, outputs, strict=True):
        assert len({row for row in group if row >= seen}) == new
        seen += new


# Real data


def test_split_digits_has_five_tasks_with_about_72_test_images():
    made = stream(data=[load("digits")])
    assert made.n_tasks == 5
    assert [len(made.test(k).y) for k in range(5)] == [72, 72, 73, 72, 71]
    assert sum(len(made.train(k).y) for k in range(5)) == 1437
    assert (made.train(0).x.float() * made.scale - made.shift).max().item() == 1.0


@pytest.mark.fashion_mnist
def test_split_fashion_mnist_has_five_tasks_of_twelve_thousand(tmp_path):
    made = stream(data=[load("fashion-mnist", tmp_path)])
    for k in range(5):
        assert torch.bincount(made.train(k).y, minlength=2 * k + 2)[-2:].tolist() == [6000, 6000]
        assert torch.bincount(made.test(k).y, minlength=2 * k + 2)[-2:].tolist() == [1000, 1000]
        assert made.train(k).x.shape == (12000, 784)
