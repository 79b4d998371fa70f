"""Streams over images with channels: colours stay together, and every value is one computed by hand."""

import math

import numpy as np
import pytest
import torch

from cl import streams
from cl.datasets import Dataset
from cl.streams import make_stream

# Two channels of 2 x 2; the second is the first plus 100.
ONE = [[[1, 2], [3, 4]], [[101, 102], [103, 104]]]
TWO = [[[5, 6], [7, 8]], [[105, 106], [107, 108]]]


def dataset(classes=2):
    """One training and one test example per class: `ONE`, `TWO`, and so on in the same pattern."""
    x = np.array([np.array(ONE) + 4 * label for label in range(classes)], dtype=np.uint8)
    return Dataset(x, np.arange(classes), x.copy(), np.arange(classes), scale=1 / 255)


def stream(name, kind="domain-il", data=None, *, seed=0, val_share=0.0, **settings):
    return make_stream(kind, name, settings, [data or dataset()], seed=seed, val_share=val_share)


def test_colour_images_leave_flat_channel_by_channel():
    made = stream("split")
    assert (made.image, made.features) == ((2, 2, 2), 8)
    assert made.train(0).x.tolist() == [[1, 2, 3, 4, 101, 102, 103, 104], [5, 6, 7, 8, 105, 106, 107, 108]]
    assert made.train(0).x.dtype == torch.uint8
    assert torch.equal(made.test(0).x, made.train(0).x)


def test_a_permutation_moves_pixels_with_all_their_channels():
    made = stream("permuted", tasks=4, permute_first=True)
    orders = set()
    for k in range(4):
        first, second = made.train(k).x.tolist()
        assert sorted(first[:4]) == [1, 2, 3, 4]
        assert first[4:] == [value + 100 for value in first[:4]]
        assert second == [value + 4 for value in first]
        assert torch.equal(made.test(k).x, made.train(k).x)
        orders.add(tuple(first))
    assert len(orders) > 1


def test_channels_are_permuted_as_an_image_without_channels_is():
    colour = dataset()
    grey = Dataset(colour.x_train[:, 0], colour.y_train, colour.x_test[:, 0], colour.y_test, colour.scale)
    for k in range(3):
        expected = stream("permuted", data=grey, tasks=3, seed=5).train(k).x
        assert torch.equal(stream("permuted", data=colour, tasks=3, seed=5).train(k).x[:, :4], expected)


def test_a_rotation_turns_every_channel():
    made = stream("rotated", tasks=2)
    assert made.train(1).x.tolist() == [
        [2, 4, 1, 3, 102, 104, 101, 103],  # a quarter turn counter-clockwise
        [6, 8, 5, 7, 106, 108, 105, 107],
    ]
    assert made.train(0).x[0].tolist() == [1, 2, 3, 4, 101, 102, 103, 104]


def test_normalisation_takes_the_data_in_passes(monkeypatch):
    whole = stream("split", data=dataset(classes=7), kind="class-il", normalize=True)
    monkeypatch.setattr(streams, "NUMBERS", 17)  # two images of eight numbers
    parts = stream("split", data=dataset(classes=7), kind="class-il", normalize=True)
    assert (parts.scale, parts.shift) == pytest.approx((whole.scale, whole.shift), rel=1e-12)


def test_normalisation_is_over_all_numbers_of_all_channels():
    made = stream("split", normalize=True)
    # 1 to 8 and 101 to 108: mean 54.5; deviations 50 from it to either mean, and (64 - 1) / 12 within.
    deviation = math.sqrt(2500 + 63 / 12)
    assert made.scale == pytest.approx(1 / deviation)
    assert made.shift == pytest.approx(54.5 / deviation)


def test_more_than_ten_classes_are_split_as_asked():
    data = dataset(classes=30)
    assert stream("split", "class-il", data).outputs == (2,) * 15
    made = stream("split", "class-il", data, classes_per_task=10)
    assert made.outputs == (10, 10, 10)
    assert made.test(2).y.tolist() == list(range(20, 30))
    assert made.test(2).x[0, :4].tolist() == [81, 82, 83, 84]
