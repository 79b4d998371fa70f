"""Data of one's own: what is read, and how each thing wrong is named."""

import zipfile

import numpy as np
import pytest

from cl.npz import NpzError, read_npz


def arrays(**changed):
    usual = {
        "x_train": np.arange(8, dtype=np.uint8).reshape(4, 2),
        "y_train": np.array([0, 1, 0, 1]),
        "x_test": np.arange(4, dtype=np.uint8).reshape(2, 2),
        "y_test": np.array([1, 0]),
    }
    return usual | changed


def saved(tmp_path, contents):
    path = tmp_path / "own.npz"
    np.savez(path, **contents)
    return path


def message(path):
    with pytest.raises(NpzError) as caught:
        read_npz(path)
    return str(caught.value)


def test_bytes_stay_bytes_and_labels_become_int64(tmp_path):
    labels = np.array([0, 1, 0, 1], dtype=np.uint8)
    read = read_npz(saved(tmp_path, arrays(y_train=labels, extra=np.zeros(3))))
    assert list(read) == ["x_train", "y_train", "x_test", "y_test"]
    assert read["x_train"].dtype == np.uint8
    assert read["x_train"].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert read["y_train"].dtype == np.int64
    assert read["y_train"].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("dtype", [np.bool_, np.int16, np.float16, np.float64])
def test_other_numbers_become_float32(dtype, tmp_path):
    stored = np.array([[0, 1], [1, 0], [1, 1], [0, 0]]).astype(dtype)
    read = read_npz(saved(tmp_path, arrays(x_train=stored)))
    assert read["x_train"].dtype == np.float32
    assert read["x_train"].tolist() == [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]


def test_a_compressed_file_is_read(tmp_path):
    path = tmp_path / "small.npz"
    np.savez_compressed(path, **arrays())
    assert read_npz(path)["y_test"].tolist() == [1, 0]


def test_a_missing_array_is_named_with_the_nearest_present(tmp_path):
    contents = arrays()
    contents["X_train"] = contents.pop("x_train")
    assert message(saved(tmp_path, contents)) == "no array 'x_train'; did you mean 'X_train'?"


def test_a_required_array_is_not_suggested_for_another(tmp_path):
    contents = arrays()
    del contents["y_test"]
    assert (
        message(saved(tmp_path, contents)) == "no array 'y_test'; it holds ['x_test', 'x_train', 'y_train']"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300], ids=str)
def test_a_number_that_is_not_finite_is_refused(value, tmp_path):
    path = saved(tmp_path, arrays(x_test=np.array([[0.0, value], [0.0, 0.0]])))
    assert message(path) == "x_test holds values that are not finite in float32 (NaN or infinite)"


def test_all_problems_are_in_one_message(tmp_path):
    contents = arrays(x_train=np.array([["a"]]), y_train=np.array([0.5]))
    del contents["y_test"]
    assert message(saved(tmp_path, contents)) == (
        "no array 'y_test'; it holds ['x_test', 'x_train', 'y_train']; "
        "x_train holds <U1, not numbers; y_train holds float64 where labels are integers"
    )


def test_python_objects_are_refused_unopened(tmp_path):
    path = saved(tmp_path, arrays(x_train=np.array([{"a": 1}], dtype=object)))
    assert message(path).startswith("x_train cannot be read (Object arrays cannot be loaded")


def test_a_member_that_is_no_array_is_named(tmp_path):
    path = saved(tmp_path, {name: array for name, array in arrays().items() if name != "y_test"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("y_test", "not an array")
    assert message(path) == "y_test is not a NumPy array"


def test_a_truncated_member_is_named(tmp_path):
    path = saved(tmp_path, {name: array for name, array in arrays().items() if name != "y_test"})
    with zipfile.ZipFile(path) as archive:
        stored = archive.read("y_train.npy")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("y_test.npy", stored[:-8])
    assert message(path).startswith("y_test cannot be read (")


def test_flipped_bytes_are_found(tmp_path):
    path = saved(tmp_path, arrays())
    content = bytearray(path.read_bytes())
    at = content.index(bytes(range(8)))  # the data of x_train
    content[at] ^= 0xFF
    path.write_bytes(content)
    assert "damaged zip archive (Bad CRC-32 for file 'x_train.npy')" in message(path)


def test_a_file_that_is_no_zip_is_refused(tmp_path):
    np.save(tmp_path / "own.npy", np.zeros(3))
    path = (tmp_path / "own.npy").rename(tmp_path / "own.npz")
    assert message(path) == "not an .npz file (it is no zip archive)"


def test_a_path_that_is_no_file_is_refused(tmp_path):
    assert message(tmp_path) == "not a file"
    assert message(tmp_path / "absent.npz") == "no such file"
