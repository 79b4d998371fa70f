"""Rotation against NumPy's quarter turns and values computed by hand."""

import numpy as np
import pytest
import torch

from cl.rotation import CHUNK, rotate


def images(count=3, height=7, width=7, dtype=np.uint8):
    grey = np.random.default_rng(0).integers(0, 256, (count, height, width))
    return torch.from_numpy(grey.astype(dtype))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("degrees", [0, 360, -720.0])
def test_a_full_turn_is_the_identity_in_new_memory(degrees, dtype):
    original = images(dtype=dtype)
    turned = rotate(original, degrees)
    assert torch.equal(turned, original)
    assert turned.data_ptr() != original.data_ptr()


@pytest.mark.parametrize("side", [7, 8, 28])
@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (180, 2), (270, 3), (-90, 3), (450, 1)])
def test_quarter_turns_are_those_of_numpy_counter_clockwise(degrees, quarters, side):
    original = images(height=side, width=side)
    expected = np.rot90(original.numpy(), quarters, axes=(1, 2))
    assert np.array_equal(rotate(original, degrees).numpy(), expected)


def test_floats_are_turned_up_to_rounding():
    original = images(dtype=np.float32)
    expected = np.rot90(original.numpy(), axes=(1, 2))
    np.testing.assert_allclose(rotate(original, 90).numpy(), expected, atol=1e-3)


def test_an_image_that_is_not_square_is_not_stretched():
    original = images(height=4, width=6)
    assert np.array_equal(rotate(original, 180).numpy(), original.numpy()[:, ::-1, ::-1])
    # Width 3 fits into the height of 3: its middle square turns as a square image does.
    bar = torch.zeros(1, 3, 5, dtype=torch.uint8)
    bar[0, 1, 1:4] = torch.tensor([10, 20, 30])
    upright = [[0, 0, 30, 0, 0], [0, 0, 20, 0, 0], [0, 0, 10, 0, 0]]
    assert rotate(bar, 90)[0].tolist() == upright


def test_interpolation_is_bilinear_and_rounded():
    # At 45 degrees the corner (1, 1) of a 2 x 2 grid, at distance sqrt(1/2), reads the point (sqrt(1/2), 0).
    # It lies 0.2071 beyond the right column, half way between the rows: weight 2 * 0.5 * 0.7929 of 200.
    white = torch.full((1, 2, 2), 200, dtype=torch.uint8)
    assert rotate(white, 45)[0].tolist() == [[159, 159], [159, 159]]
    assert rotate(white.float(), 45)[0, 0, 0].item() == pytest.approx(158.579, abs=1e-3)


def test_every_image_is_turned_alone():
    original = images(count=CHUNK + 3)
    together = rotate(original, 33.0)
    alone = torch.cat([rotate(image[None], 33.0) for image in original])
    assert torch.equal(together, alone)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("degrees", [0, 33.0, 90])
def test_every_channel_is_turned_as_an_image_of_its_own(degrees, dtype):
    colours = images(count=3 * (CHUNK // 2), dtype=dtype).view(CHUNK // 2, 3, 7, 7)
    turned = rotate(colours, degrees)
    assert turned.is_contiguous()
    for channel in range(3):
        assert torch.equal(turned[:, channel], rotate(colours[:, channel], degrees))


def test_no_images_are_no_images():
    assert rotate(images(count=0), 33.0).shape == (0, 7, 7)
    assert rotate(torch.zeros(0, 3, 7, 7), 33.0).shape == (0, 3, 7, 7)
