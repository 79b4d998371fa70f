"""Data sets by name and from files of one's own; the formats of MNIST and CIFAR have tests of their own."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from cl.datasets import NAMES, DataError, Dataset, content_digest, load
from cl.registry import DATASETS


def message(name, data_dir=None):
    with pytest.raises(DataError) as caught:
        load(str(name), data_dir)
    return str(caught.value)


def test_names_are_those_of_the_registry():
    assert tuple(DATASETS) == NAMES


def test_an_unknown_name_gets_the_nearest_and_all_known():
    assert message("fashion-mnst") == (
        "unknown data set 'fashion-mnst'; did you mean 'fashion-mnist'? "
        "known: digits, mnist, fashion-mnist, cifar10, cifar100, or a file ending in .npz"
    )


# Digits


def test_digits_are_split_80_to_20():
    digits = load("digits")
    assert digits.x_train.shape == (1437, 8, 8)
    assert digits.x_test.shape == (360, 8, 8)
    assert (digits.x_train.dtype, digits.y_train.dtype) == (np.uint8, np.int64)
    assert digits.x_train.max() * digits.scale == 1.0
    assert digits.x_train.min() == 0


def test_the_digits_split_is_stratified():
    digits = load("digits")
    # scikit-learn's 1,797 digits: 178 zeros, 182 ones, 177 twos, ...
    counts = np.array([178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    assert np.array_equal(np.bincount(digits.y_train) + np.bincount(digits.y_test), counts)
    assert np.abs(np.bincount(digits.y_test) - counts / 5).max() < 1
    assert np.bincount(digits.y_test // 2).tolist() == [72, 72, 73, 72, 71]


def test_the_digits_split_is_fixed():
    # Written down: another split would be another benchmark, so it must not come with a library's update.
    assert load("digits").digest == load("digits").digest == "e6e6609294c3ae39"


# Digest


def small(**changed):
    usual = {
        "x_train": np.arange(8, dtype=np.uint8).reshape(4, 2),
        "y_train": np.array([0, 1, 0, 1]),
        "x_test": np.arange(4, dtype=np.uint8).reshape(2, 2),
        "y_test": np.array([1, 0]),
        "scale": 1.0,
    }
    return Dataset(**(usual | changed))


def test_the_digest_is_sixteen_hex_digits_and_depends_on_nothing_but_content():
    assert small().digest == small().digest
    assert len(small().digest) == 16
    assert int(small().digest, 16) > 0
    transposed = np.arange(8, dtype=np.uint8).reshape(4, 2, order="C").T.copy().T
    assert small(x_train=transposed).digest == small().digest


@pytest.mark.parametrize(
    "changed",
    [
        {"x_train": np.array([[0, 1], [2, 3], [4, 5], [6, 8]], dtype=np.uint8)},
        {"y_train": np.array([0, 1, 1, 1])},
        {"y_test": np.array([0, 1])},
        {"scale": 0.5},
        {
            "x_train": np.arange(8, dtype=np.uint8).reshape(4, 2, 1),
            "x_test": np.arange(4, dtype=np.uint8).reshape(2, 2, 1),
        },
        {
            "x_train": np.arange(8, dtype=np.float32).reshape(4, 2),
            "x_test": np.arange(4, dtype=np.float32).reshape(2, 2),
        },
    ],
    ids=["pixel", "label", "test label", "scale", "shape", "type"],
)
def test_the_digest_changes_with(changed):
    assert small(**changed).digest != small().digest


def test_a_write_into_shared_arrays_is_seen_by_looking_again():
    data = small()
    before = data.digest
    data.x_test[0, 0] = 9
    assert data.digest == before
    assert content_digest(data) != before


# Arrays that do not go together


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"y_train": np.array([0, 1, 0])}, "x_train has 4 examples but y_train has 3 labels"),
        (
            {"x_test": np.zeros((2, 3), np.uint8)},
            "an example has shape (2,) in x_train but (3,) in x_test",
        ),
        ({"x_test": np.zeros((2, 2), np.float32)}, "x_train is uint8 but x_test is float32"),
        ({"y_test": np.array([2, -7])}, "y_test has labels that y_train lacks: [-7, 2]"),
        (
            {"y_test": np.array([[1], [0]])},
            "y_test is int64 of shape (2, 1); labels are a list of integers, shape (N,)",
        ),
    ],
)
def test_a_data_set_that_does_not_fit_together_is_refused(changed, problem):
    with pytest.raises(DataError) as caught:
        small(**changed)
    assert str(caught.value) == problem


def test_all_problems_of_a_data_set_are_in_one_message():
    with pytest.raises(DataError) as caught:
        small(x_train=np.zeros((3, 2)), x_test=np.zeros(2))
    assert str(caught.value).split("; ")[:3] == [
        "x_train is float64, not uint8 or float32",
        "x_train has 3 examples but y_train has 4 labels",
        "x_test is float64, not uint8 or float32",
    ]


# Data of one's own


def write_npz(path, **changed):
    usual = {
        "x_train": np.arange(8, dtype=np.uint8).reshape(4, 2),
        "y_train": np.array([5, 7, 5, 7], dtype=np.int32),
        "x_test": np.arange(4, dtype=np.uint8).reshape(2, 2),
        "y_test": np.array([7, 5], dtype=np.int32),
    }
    np.savez(path, **(usual | changed))
    return path


def test_bytes_of_ones_own_are_scaled_as_images(tmp_path):
    data = load(str(write_npz(tmp_path / "own.npz")))
    assert data.scale == 1 / 255
    assert data.x_train.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert data.y_test.tolist() == [7, 5]


@pytest.mark.parametrize("image", [(4,), (2, 2), (3, 2, 4)])
def test_examples_of_ones_own_may_be_flat_grey_or_in_colour(image, tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (4, *image)).astype(np.uint8)
    data = load(str(write_npz(tmp_path / "own.npz", x_train=x, x_test=x[:2])))
    assert np.array_equal(data.x_train, x)


def test_floats_of_ones_own_are_used_as_they_are(tmp_path):
    x = np.array([[-3.0, 0.5], [1e6, 2.0]])
    data = load(str(write_npz(tmp_path / "own.npz", x_train=np.tile(x, (2, 1)), x_test=x)))
    assert data.scale == 1.0
    assert data.x_test.tolist() == x.tolist()


def test_every_problem_with_a_file_of_ones_own_names_it(tmp_path):
    absent = tmp_path / "absent.npz"
    assert message(absent) == f"{absent}: no such file"
    path = write_npz(tmp_path / "own.npz", y_test=np.array([7, 6]))
    assert message(path) == f"{path}: y_test has labels that y_train lacks: [6]"


# What is promised of every data set


@pytest.mark.parametrize("source", ["digits", "own.npz"])
def test_loaded_arrays_are_read_only(source, tmp_path):
    write_npz(tmp_path / "own.npz")
    data = load(str(tmp_path / source) if source.endswith("npz") else source)
    arrays = (data.x_train, data.y_train, data.x_test, data.y_test)
    assert [array.flags.writeable for array in arrays] == [False] * 4


def test_a_data_set_survives_the_way_to_another_process():
    data = load("digits")
    again = pickle.loads(pickle.dumps(data))  # noqa: S301 - our own bytes
    assert content_digest(again) == data.digest


def test_torch_and_scikit_learn_wait_until_they_are_needed():
    heavy = "{'torch', 'torchvision', 'sklearn', 'scipy'}"
    code = f"import sys, cl.datasets; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
