"""What streams hand out: validation shares, scaling, memory of its own; and what they refuse."""

import math
from typing import Annotated

import numpy as np
import pytest
import torch
from pydantic import Field, ValidationError

from cl.datasets import Dataset, content_digest
from cl.registry import StreamSettings
from cl.streams import StreamError, make_stream


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


# Validation


@pytest.mark.parametrize("name", ["split", "permuted", "rotated"])
def test_validation_examples_are_a_share_of_the_training_examples(name):
    data = [dataset(each=10)]
    whole, divided = stream(name, data=data), stream(name, data=data, val_share=0.2)
    for k in range(whole.n_tasks):
        train, held_out, every = divided.train(k), divided.validation(k), whole.train(k)
        assert len(held_out.y) == len(every.y) // 5
        together = [
            *zip(train.x.tolist(), train.y.tolist(), strict=True),
            *zip(held_out.x.tolist(), held_out.y.tolist(), strict=True),
        ]
        assert sorted(together) == sorted(zip(every.x.tolist(), every.y.tolist(), strict=True))
        assert torch.equal(divided.test(k).x, whole.test(k).x)


def test_validation_examples_differ_between_seeds_and_between_tasks():
    data = [dataset(each=10), dataset(each=10)]
    made = stream("explicit", data=data, val_share=0.5)
    assert same(made, stream("explicit", data=data, val_share=0.5))
    assert not same(made, stream("explicit", data=data, val_share=0.5, seed=1))
    assert not torch.equal(made.validation(0).x, made.validation(1).x)


@pytest.mark.parametrize("name", ["permuted", "rotated", "explicit"])
def test_tasks_over_the_same_images_hold_out_the_same_ones(name):
    data = [dataset(each=10)]
    made = stream(name, "domain-il", data * 2 if name == "explicit" else data, val_share=0.5)
    first = made.validation(0)
    for k in range(1, made.n_tasks):
        held_out = made.validation(k)
        assert torch.equal(held_out.y, first.y)
        if name == "rotated":  # about the centre, whose pixel stays
            assert torch.equal(held_out.x[:, 4], first.x[:, 4])
        else:
            assert torch.equal(held_out.x.sort(1).values, first.x.sort(1).values)


class Chosen(StreamSettings):
    """A plug-in's stream: tasks of these classes."""

    groups: Annotated[tuple[tuple[int, ...], ...], Field(strict=False)]

    def contents(self, data, seed):
        """All of the one data set."""
        del seed
        return [(data, classes, None) for classes in self.groups]


def test_tasks_with_the_same_classes_in_another_order_hold_out_the_same_examples(monkeypatch):
    monkeypatch.setattr("cl.streams.stream_settings", {"chosen": Chosen}.__getitem__)
    made = stream("chosen", data=[dataset(each=10)], val_share=0.5, groups=[(0, 1), (1, 0)])
    assert torch.equal(made.validation(0).x, made.validation(1).x)


def test_tasks_that_share_some_of_their_examples_can_hold_out_none(monkeypatch):
    monkeypatch.setattr("cl.streams.stream_settings", {"chosen": Chosen}.__getitem__)
    assert stream("chosen", groups=[(0, 1), (1, 2)]).n_tasks == 2
    with pytest.raises(StreamError, match="tasks share some of their examples and not all, so val_share"):
        stream("chosen", groups=[(0, 1), (1, 2)], val_share=0.5)


@pytest.mark.parametrize("name", ["split", "permuted", "rotated", "explicit"])
def test_without_a_share_nothing_is_held_out(name):
    held_out = stream(name).validation(0)
    assert (held_out.x.shape, held_out.x.dtype) == ((0, 9), torch.uint8)
    assert (held_out.y.shape, held_out.y.dtype) == ((0,), torch.int64)


@pytest.mark.parametrize(("share", "held_out"), [(0.01, 1), (0.125, 1), (0.25, 2), (0.99, 7)])
def test_at_least_one_and_never_all_examples_are_held_out(share, held_out):
    made = stream(val_share=share)
    assert (len(made.validation(0).y), len(made.train(0).y)) == (held_out, 8 - held_out)


@pytest.mark.parametrize(("share", "held_out"), [(0.19, 2), (0.3, 2), (0.32, 3), (0.57, 5), (0.7, 6)])
def test_the_number_of_validation_examples_is_rounded(share, held_out):
    assert len(stream(val_share=share).validation(0).y) == held_out  # of 8


# The model's input


def test_pixels_are_scaled_and_nothing_else():
    made = stream()
    assert (made.scale, made.shift) == (1 / 255, 0.0)


def test_normalised_training_data_has_mean_zero_and_deviation_one():
    data = dataset()
    made = stream("permuted", data=[data], tasks=2, normalize=True)
    for k in range(2):
        inputs = made.train(k).x.double() * made.scale - made.shift
        assert inputs.mean().item() == pytest.approx(0, abs=1e-12)
        assert inputs.std(correction=0).item() == pytest.approx(1)


def test_normalisation_is_computed_by_hand_over_all_explicit_tasks():
    def pair(low, high):
        x = np.array([[low], [high]], dtype=np.float32)
        return Dataset(x, np.array([0, 1]), x, np.array([0, 1]), scale=1.0)

    made = stream("explicit", data=[pair(0, 2), pair(4, 6)], normalize=True)
    # Mean 3; squared deviations 9, 1, 1, 9, their mean 5.
    assert made.scale == pytest.approx(1 / math.sqrt(5))
    assert made.shift == pytest.approx(3 / math.sqrt(5))


def test_floats_pass_as_they_are():
    data = dataset(dtype=np.float32, image=(9,), scale=1.0)
    made = stream(data=[data])
    assert (made.image, made.scale) == ((9,), 1.0)
    assert made.train(0).x.dtype == torch.float32
    assert torch.equal(made.test(0).x, flat(data.x_test, [0, 1]))


# Memory


@pytest.mark.parametrize("image", [(3, 3), (3, 2, 2)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("val_share", [0.0, 0.5])
@pytest.mark.parametrize("name", ["split", "permuted", "rotated", "explicit"])
def test_what_a_stream_hands_out_can_be_overwritten_without_harm(name, val_share, dtype, image):
    data = dataset(dtype=dtype, image=image)
    before = content_digest(data)
    for part in parts(stream(name, data=[data], val_share=val_share, normalize=True)):
        for array in (data.x_train, data.x_test, data.y_train, data.y_test):
            assert not np.shares_memory(part.x.numpy(), array)
            assert not np.shares_memory(part.y.numpy(), array)
        part.x.fill_(7)
        part.y.fill_(7)
    assert content_digest(data) == before


def test_training_data_is_made_anew_and_test_data_is_kept():
    made = stream(val_share=0.5)
    first, second = made.train(0), made.train(0)
    assert first.x.data_ptr() != second.x.data_ptr()
    assert torch.equal(first.x, second.x)
    assert made.test(0) is made.test(0)
    assert made.validation(0) is made.validation(0)


# What cannot be


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            {"tasks": 4},
            "split: tasks x classes_per_task = 4 x 2 = 8 classes; the data has 6",
        ),
        (
            {"classes_per_task": 7},
            "split: tasks x classes_per_task = 1 x 7 = 7 classes; the data has 6",
        ),
        (
            {"kind": "task-il", "classes_per_task": 1},
            "task-il: task 0 has a single class, so there is nothing to tell apart",
        ),
        (
            {"name": "rotated", "data": [dataset(image=(9,))]},
            (
                "rotated: images of shape (height, width) or (channels, height, width) are needed; "
                "the data's shape is (9,)"
            ),
        ),
        (
            {"name": "rotated", "data": [dataset(image=(2, 3, 3, 3))]},
            (
                "rotated: images of shape (height, width) or (channels, height, width) are needed; "
                "the data's shape is (2, 3, 3, 3)"
            ),
        ),
        (
            {"name": "explicit", "data": [dataset(), dataset(image=(9,))]},
            "explicit: task 1 has examples of shape (9,), task 0 of (3, 3)",
        ),
        (
            {"name": "explicit", "data": [dataset(), dataset(dtype=np.float32, scale=1.0)]},
            (
                "explicit: task 1 is float32 with scale 1, task 0 uint8 with scale 0.003922; "
                "store all in the same way"
            ),
        ),
        (
            {"data": [dataset(), dataset()]},
            "one data set is needed (explicit: one per task), but 2 were given",
        ),
        (
            {"name": "explicit", "data": []},
            "one data set is needed (explicit: one per task), but 0 were given",
        ),
        (
            {"data": [dataset(each=1)], "classes_per_task": 1, "val_share": 0.5},
            "task 0 has a single training example, so none can be held out (val_share)",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(arguments, problem):
    with pytest.raises(StreamError) as caught:
        stream(**arguments)
    assert str(caught.value) == problem


def test_a_task_without_test_examples_is_refused():
    whole = dataset()
    rows = whole.y_test < 4
    data = Dataset(whole.x_train, whole.y_train, whole.x_test[rows], whole.y_test[rows], whole.scale)
    with pytest.raises(StreamError, match=r"task 2 \(labels \[4, 5\]\) has no test examples"):
        stream(data=[data])


def test_constant_data_cannot_be_normalised():
    x = np.ones((2, 3), np.float32)
    data = Dataset(x, np.array([0, 1]), x, np.array([0, 1]), scale=1.0)
    with pytest.raises(StreamError, match="normalize: every number in the training data is the same"):
        stream(data=[data], normalize=True)


def test_a_setting_of_another_stream_is_refused():
    with pytest.raises(ValidationError, match="angles"):
        stream("split", angles=[0, 90])
