"""MNIST-format data: where it is looked for, and what damage is found."""

import gzip

import numpy as np
import pytest

from cl import datasets
from cl.datasets import DataError, load
from cl.download import torchvision_datasets

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def idx(array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def write_mnist(folder, *, grey=0, gzipped=False, first_labels=range(10)):
    """Write 20 training and 10 test images of 2 x 3 pixels, all of them one grey."""
    labels = np.array([*first_labels, *range(10)])
    arrays = {
        TRAIN_IMAGES: np.full((20, 2, 3), grey),
        TRAIN_LABELS: labels,
        TEST_IMAGES: np.full((10, 2, 3), grey),
        TEST_LABELS: np.arange(10),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        if gzipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / name).write_bytes(idx(array))


@pytest.fixture
def debian(monkeypatch, tmp_path):
    """Where Debian's package would be: nothing is there until a test writes it."""
    monkeypatch.setattr(datasets, "DEBIAN_FASHION_MNIST", tmp_path / "debian")
    return tmp_path / "debian"


@pytest.fixture
def network(monkeypatch):
    """Torchvision's classes replaced: each notes that it was asked and does as told, by default fails."""

    class Network:
        asked: list[str]

        def does(self, write):
            self.asked = []
            for name in ("MNIST", "FashionMNIST"):
                monkeypatch.setattr(torchvision_datasets(), name, self._class(name, write))

        def _class(self, name, write):
            def construct(root, *, train, download):
                assert not train
                assert download
                self.asked.append(name)
                write(datasets.Path(root) / name / "raw")

            return construct

    def unreachable(_raw):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz:\nTried one mirror")

    network = Network()
    network.does(unreachable)
    return network


def grey(data):
    """The one value of all the pixels, which tells where a data set came from."""
    (value,) = set(np.unique(data.x_train)) | set(np.unique(data.x_test))
    return int(value)


def message(name, data_dir=None):
    with pytest.raises(DataError) as caught:
        load(str(name), data_dir)
    return str(caught.value)


# MNIST's format: where it is found


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("layout", [".", "MNIST/raw"])
def test_idx_files_are_found_in_both_layouts_gzipped_or_not(layout, gzipped, network, tmp_path):
    write_mnist(tmp_path / layout, grey=51, gzipped=gzipped)
    data = load("mnist", tmp_path)
    assert (data.x_train.shape, data.x_test.shape) == ((20, 2, 3), (10, 2, 3))
    assert (data.x_train.dtype, data.y_train.dtype) == (np.uint8, np.int64)
    assert data.y_train.tolist() == [*range(10), *range(10)]
    assert data.x_train.max() * data.scale == pytest.approx(0.2)
    assert network.asked == []


def test_the_search_goes_from_the_data_folder_by_debians_to_the_network(debian, network, tmp_path):
    network.does(lambda raw: write_mnist(raw, grey=4))
    data_dir = tmp_path / "mine"
    write_mnist(data_dir / "FashionMNIST/raw", grey=1)
    write_mnist(data_dir, grey=2)
    write_mnist(debian, grey=3, gzipped=True)

    found = [grey(load("fashion-mnist", data_dir))]
    for name in (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS):
        (data_dir / "FashionMNIST/raw" / name).unlink()
    found.append(grey(load("fashion-mnist", data_dir)))
    for name in (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS):
        (data_dir / name).unlink()
    found.append(grey(load("fashion-mnist", data_dir)))
    assert network.asked == []
    for path in debian.iterdir():
        path.unlink()
    found.append(grey(load("fashion-mnist", data_dir)))

    assert found == [1, 2, 3, 4]
    assert network.asked == ["FashionMNIST"]


def test_debians_folder_is_not_asked_for_mnist(debian, network, tmp_path):
    write_mnist(debian, grey=3)
    assert str(debian) not in message("mnist", tmp_path / "empty")
    assert network.asked == ["MNIST"]


def test_what_was_downloaded_is_found_the_next_time(network, tmp_path):
    network.does(lambda raw: write_mnist(raw, grey=4))
    assert grey(load("mnist", tmp_path)) == grey(load("mnist", tmp_path)) == 4
    assert network.asked == ["MNIST"]
    assert (tmp_path / "MNIST/raw" / TRAIN_IMAGES).is_file()


def test_without_a_data_folder_it_is_the_one_called_data(network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network.does(lambda raw: write_mnist(raw, grey=4))
    assert grey(load("mnist")) == 4
    assert (tmp_path / "data/MNIST/raw" / TRAIN_IMAGES).is_file()


def test_mnist_is_not_taken_for_fashion_mnist(debian, network, tmp_path):
    write_mnist(tmp_path, grey=1, first_labels=(5, 0, 4, 1, 9, 2, 1, 3, 1, 4))
    assert grey(load("mnist", tmp_path)) == 1
    assert f"{tmp_path}: it holds MNIST, not Fashion-MNIST" in message("fashion-mnist", tmp_path)
    write_mnist(debian, grey=3)
    assert grey(load("fashion-mnist", tmp_path)) == 3
    assert network.asked == ["FashionMNIST"]


def test_when_nothing_works_one_message_says_what_was_tried_and_the_ways_to_get_it(debian, network, tmp_path):
    data_dir = tmp_path / "mine"
    assert message("fashion-mnist", data_dir).splitlines() == [
        "Fashion-MNIST was not found. Tried:",
        f"  {data_dir}/FashionMNIST/raw: no IDX files",
        f"  {data_dir}: no IDX files",
        f"  {debian}: no IDX files",
        (
            f"  download by torchvision into {data_dir}: "
            "RuntimeError: Error downloading train-images-idx3-ubyte.gz: Tried one mirror"
        ),
        "Ways to get it:",
        (
            f"  pass --data-dir DIR with {TRAIN_IMAGES}, {TRAIN_LABELS}, {TEST_IMAGES}, {TEST_LABELS} "
            "in DIR/FashionMNIST/raw or in DIR itself, gzipped or not"
        ),
        "  on Debian or Ubuntu: apt install dataset-fashion-mnist",
        "  run once where there is a network: torchvision downloads it into DIR",
        "  or use the embedded digits (split-digits, permuted-digits), which need no download",
    ]
    assert network.asked == ["FashionMNIST"]


def test_the_ways_to_get_mnist_do_not_name_fashions_package(network, tmp_path):
    assert "apt install" not in message("mnist", tmp_path)
    assert network.asked == ["MNIST"]


def test_a_folder_that_cannot_be_written_is_an_outcome_of_the_download(network, tmp_path):
    (tmp_path / "file").write_text("in the way")
    said = message("mnist", tmp_path / "file")
    assert f"download by torchvision into {tmp_path}/file: FileExistsError" in said
    assert network.asked == []


def test_a_download_that_brings_nothing_is_said(network, tmp_path):
    network.does(lambda raw: raw.mkdir(parents=True))
    assert f"download by torchvision into {tmp_path}: no IDX files" in message("mnist", tmp_path)


# MNIST's format: damage


def damaged(folder, name, content):
    (folder / name).unlink(missing_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ((TRAIN_IMAGES, b"<html>"), "magic number 0x3c68746d where an IDX file begins with 0x00000803"),
        (
            (TEST_IMAGES, idx(np.zeros(10))),
            "magic number 0x00000801 where an IDX file begins with 0x00000803",
        ),
        ((TEST_LABELS, idx(np.zeros(10))[:-1]), "declares 10 = 10 bytes of data but holds 9"),
        ((TRAIN_IMAGES, gzip.compress(idx(np.zeros((20, 2, 3))))[:30]), "damaged gzip data"),
        ((TRAIN_LABELS, idx(np.full(20, 12))), "label 12 outside 0 to 9"),
        ((TEST_LABELS, idx(np.zeros(11))), "has 11 labels"),
    ],
    ids=["magic", "kind", "length", "gzip", "range", "count"],
)
def test_a_damaged_file_is_named_and_ends_the_search(file, damage, debian, network, tmp_path):
    data_dir = tmp_path / "mine"
    write_mnist(data_dir)
    write_mnist(debian)
    network.does(write_mnist)
    path = damaged(data_dir, *file)
    said = message("fashion-mnist", data_dir)
    assert str(path) in said
    assert damage in said
    assert len(said.splitlines()) == 1
    assert network.asked == []


def test_counts_that_disagree_name_both_files(network, tmp_path):
    write_mnist(tmp_path)
    labels = damaged(tmp_path, TRAIN_LABELS, idx(np.zeros(19)))
    assert message("mnist", tmp_path) == f"{tmp_path / TRAIN_IMAGES}: 20 images, but {labels} has 19 labels"
    assert network.asked == []


def test_training_and_test_images_of_different_size_are_refused(network, tmp_path):
    write_mnist(tmp_path)
    damaged(tmp_path, TEST_IMAGES, idx(np.zeros((10, 3, 3))))
    expected = f"{tmp_path}: an example has shape (2, 3) in x_train but (3, 3) in x_test"
    assert message("mnist", tmp_path) == expected
    assert network.asked == []


def test_an_incomplete_folder_is_an_error_that_names_what_it_lacks(network, tmp_path):
    write_mnist(tmp_path)
    (tmp_path / TRAIN_LABELS).unlink()
    (tmp_path / TEST_LABELS).unlink()
    assert message("mnist", tmp_path) == (
        f"{tmp_path}: incomplete, it lacks {TRAIN_LABELS} and {TEST_LABELS} (.gz or not)"
    )
    assert network.asked == []


def test_idx_arrays_are_read_only(tmp_path):
    write_mnist(tmp_path)
    data = load("mnist", tmp_path)
    arrays = (data.x_train, data.y_train, data.x_test, data.y_test)
    assert [array.flags.writeable for array in arrays] == [False] * 4


@pytest.mark.fashion_mnist
def test_debians_fashion_mnist_is_the_published_one(tmp_path):
    data = load("fashion-mnist", tmp_path)
    assert (data.x_train.shape, data.x_test.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert np.bincount(data.y_train).tolist() == [6000] * 10
    assert np.bincount(data.y_test).tolist() == [1000] * 10
    assert data.y_test[:5].tolist() == [9, 2, 1, 1, 6]
    # The usual normalisation constants of Fashion-MNIST.
    assert data.x_train.mean() * data.scale == pytest.approx(0.2860, abs=5e-5)
    assert data.x_train.std() * data.scale == pytest.approx(0.3530, abs=5e-5)
