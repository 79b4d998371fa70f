"""CIFAR-10 and CIFAR-100 by name: where they are looked for, and that damage ends the search."""

import numpy as np
import pytest
from cifar_format import ARCHIVES, FILES, FOLDERS, contents, write_archive, write_folder

from cl.datasets import DataError, Path, content_digest, load
from cl.download import torchvision_datasets

NAMES = ["cifar10", "cifar100"]


@pytest.fixture
def network(monkeypatch):
    """Torchvision's classes replaced: each notes that it was asked and does as told, by default fails."""

    class Network:
        asked: list[str]

        def does(self, write):
            self.asked = []
            for name in NAMES:
                monkeypatch.setattr(torchvision_datasets(), name.upper(), self._class(name, write))

        def _class(self, name, write):
            def construct(root, *, train, download):
                assert not train
                assert download
                self.asked.append(name)
                write(Path(root), name)

            return construct

    def unreachable(_root, _name):
        raise OSError("no route to host")

    network = Network()
    network.does(unreachable)
    return network


def message(name, data_dir):
    with pytest.raises(DataError) as caught:
        load(name, data_dir)
    return str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_images_are_bytes_with_channels_first_and_scaled_by_255(name, network, tmp_path):
    files, images, labels = contents(name)
    write_folder(tmp_path, files)
    data = load(name, tmp_path)
    held = len(images) // len(files)
    assert np.array_equal(data.x_train, images[:-held])
    assert data.y_test.tolist() == labels[-held:].tolist()
    assert (data.x_train.dtype, data.y_train.dtype, data.scale) == (np.uint8, np.int64, 1 / 255)
    arrays = (data.x_train, data.y_train, data.x_test, data.y_test)
    assert [array.flags.writeable for array in arrays] == [False] * 4
    assert network.asked == []


@pytest.mark.parametrize("name", NAMES)
def test_the_search_goes_from_torchvisions_folder_by_loose_files_and_the_archive_to_the_network(
    name, network, tmp_path
):
    seeded = [contents(name, seed=seed) for seed in range(4)]
    data_dir, folder, archive = tmp_path, tmp_path / FOLDERS[name], tmp_path / ARCHIVES[name]
    network.does(lambda root, _: write_folder(root / FOLDERS[name], seeded[3][0]))
    write_folder(folder, seeded[0][0])
    write_folder(data_dir, seeded[1][0])
    write_archive(archive, seeded[2][0], FOLDERS[name])

    found = [load(name, data_dir)]
    for file in FILES[name]:
        (folder / file).unlink()
    found.append(load(name, data_dir))
    for file in FILES[name]:
        (data_dir / file).unlink()
    found.append(load(name, data_dir))
    archive.unlink()
    assert network.asked == []
    found += [load(name, data_dir), load(name, data_dir)]  # downloaded, and then found

    assert network.asked == [name]
    expected = [images for _, images, _ in [*seeded, seeded[3]]]
    assert all(
        np.array_equal(data.x_train, images[: len(data.x_train)])
        for data, images in zip(found, expected, strict=True)
    )


def test_an_archive_and_the_folder_in_it_are_the_same_data(network, tmp_path):
    files, _, _ = contents("cifar100")
    write_folder(tmp_path / "a" / "cifar-100-python", files)
    write_archive(tmp_path / "b" / "cifar-100-python.tar.gz", files, "cifar-100-python")
    assert content_digest(load("cifar100", tmp_path / "a")) == content_digest(
        load("cifar100", tmp_path / "b")
    )
    assert network.asked == []


def test_without_a_data_folder_it_is_the_one_called_data(network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "data" / "cifar-10-batches-py", contents("cifar10")[0])
    assert load("cifar10").x_train.shape == (10, 3, 32, 32)
    assert network.asked == []


def test_the_two_are_not_taken_for_each_other(network, tmp_path):
    write_folder(tmp_path, contents("cifar100")[0])
    assert f"{tmp_path}: no files of CIFAR-10" in message("cifar10", tmp_path)
    assert network.asked == ["cifar10"]


def test_when_nothing_works_one_message_says_what_was_tried_and_the_ways_to_get_it(network, tmp_path):
    assert message("cifar100", tmp_path).splitlines() == [
        "CIFAR-100 was not found. Tried:",
        f"  {tmp_path}/cifar-100-python: not there",
        f"  {tmp_path}: no files of CIFAR-100",
        f"  {tmp_path}/cifar-100-python.tar.gz: not there",
        f"  download by torchvision into {tmp_path}: OSError: no route to host",
        "Ways to get it:",
        (
            "  pass --data-dir DIR with train, test in DIR/cifar-100-python or in DIR itself, "
            "or with DIR/cifar-100-python.tar.gz"
        ),
        "  run once where there is a network: torchvision downloads it into DIR",
        "  or use the embedded digits (split-digits, permuted-digits), which need no download",
    ]
    assert network.asked == ["cifar100"]


def test_a_download_that_was_cut_off_leaves_nothing_that_looks_like_data(network, tmp_path):
    def half(root, name):
        files, _, _ = contents(name)
        write_folder(root / FOLDERS[name], {"data_batch_1": files["data_batch_1"]})
        raise RuntimeError("File not found or corrupted.")

    network.does(half)
    assert "RuntimeError: File not found or corrupted." in message("cifar10", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["cifar-10-batches-py", "."])
def test_a_damaged_file_is_named_and_ends_the_search(place, network, tmp_path):
    files, _, _ = contents("cifar10")
    write_folder(tmp_path / place, {**files, "data_batch_4": files["data_batch_4"][:-5]})
    write_archive(tmp_path / "cifar-10-python.tar.gz", files, "cifar-10-batches-py")
    said = message("cifar10", tmp_path)
    assert said.startswith(f"{tmp_path / place / 'data_batch_4'}: no pickled batch of images, or damaged")
    assert len(said.splitlines()) == 1
    assert network.asked == []


def test_a_damaged_archive_is_named_and_ends_the_search(network, tmp_path):
    archive = tmp_path / "cifar-10-python.tar.gz"
    write_archive(archive, contents("cifar10")[0], "cifar-10-batches-py")
    archive.write_bytes(archive.read_bytes()[:-9])
    assert message("cifar10", tmp_path).startswith(f"{archive}: damaged or cannot be read (")
    assert network.asked == []


def test_labels_that_are_only_in_the_test_set_are_refused_with_the_place(network, tmp_path):
    files, _, _ = contents("cifar10")
    write_folder(tmp_path, {**files, **dict.fromkeys(FILES["cifar10"][:5], files["data_batch_3"])})
    assert message("cifar10", tmp_path) == f"{tmp_path}: y_test has labels that y_train lacks: [0, 1]"
    assert network.asked == []
