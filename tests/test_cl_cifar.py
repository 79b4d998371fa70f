"""CIFAR's format: what its files hold, what damage is found, and that nothing in them is executed."""

import gzip
import pickle

import numpy as np
import pytest
from cifar_format import (
    ARCHIVES,
    DTYPE,
    FILES,
    FOLDERS,
    array,
    batch,
    contents,
    dictionary,
    number,
    numbers,
    text,
    write_archive,
    write_folder,
)

from cl.cifar import CIFAR10, CIFAR100, CifarError, read_cifar
from cl.download import torchvision_datasets

FORMATS = {"cifar10": CIFAR10, "cifar100": CIFAR100}


def problem(name, place):
    with pytest.raises(CifarError) as caught:
        read_cifar(FORMATS[name], place)
    return str(caught.value)


@pytest.mark.parametrize("name", FORMATS)
def test_names_of_files_folders_and_archives_are_torchvisions(name):
    form, theirs = FORMATS[name], getattr(torchvision_datasets(), name.upper())
    assert (form.folder, form.archive) == (theirs.base_folder, theirs.filename)
    assert list(form.train) == [file for file, _ in theirs.train_list]
    assert list(form.test) == [file for file, _ in theirs.test_list]
    assert (form.folder, form.archive, [*form.train, *form.test]) == (
        FOLDERS[name],
        ARCHIVES[name],
        FILES[name],
    )


@pytest.mark.parametrize("name", FORMATS)
def test_images_have_their_channels_first_and_the_order_of_the_files(name, tmp_path):
    files, images, labels = contents(name)
    write_folder(tmp_path, files)
    found = read_cifar(FORMATS[name], tmp_path)
    held = len(images) // len(files)
    assert np.array_equal(found["x_train"], images[:-held])
    assert np.array_equal(found["x_test"], images[-held:])
    assert found["y_train"].tolist() == labels[:-held].tolist()
    assert found["y_test"].tolist() == labels[-held:].tolist()
    assert (found["x_train"].dtype, found["y_train"].dtype) == (np.uint8, np.int64)
    assert all(part.flags.c_contiguous for part in found.values())


@pytest.mark.parametrize("name", FORMATS)
def test_arrays_are_those_that_torchvision_reads(name, tmp_path, monkeypatch):
    files, _, _ = contents(name)
    write_folder(tmp_path / FOLDERS[name], files)
    theirs = getattr(torchvision_datasets(), name.upper())
    monkeypatch.setattr(theirs, "_check_integrity", lambda _: True)  # of the published files
    monkeypatch.setattr(theirs, "_load_meta", lambda _: None)
    found = read_cifar(FORMATS[name], tmp_path / FOLDERS[name])
    for part in ("train", "test"):
        expected = theirs(tmp_path, train=part == "train")
        assert np.array_equal(found[f"x_{part}"].transpose(0, 2, 3, 1), expected.data)
        assert found[f"y_{part}"].tolist() == expected.targets


@pytest.mark.parametrize("name", FORMATS)
def test_an_archive_is_read_as_the_folder_in_it(name, tmp_path):
    files, _, _ = contents(name)
    write_folder(tmp_path / "folder", files)
    write_archive(tmp_path / "archive", dict(reversed(files.items())), FOLDERS[name])
    folder, archive = (read_cifar(FORMATS[name], tmp_path / place) for place in ("folder", "archive"))
    assert all(np.array_equal(folder[part], archive[part]) for part in folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "folder"]


def test_an_archive_that_was_unpacked_to_a_tar_under_its_name_is_read(tmp_path):
    files, images, _ = contents("cifar10")
    write_archive(tmp_path / "archive", files, "cifar-10-batches-py")
    (tmp_path / "archive").write_bytes(gzip.decompress((tmp_path / "archive").read_bytes()))
    assert np.array_equal(read_cifar(CIFAR10, tmp_path / "archive")["x_train"], images[:-2])


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_pickled_by_numpy_today_are_read(protocol, order, tmp_path):
    files, images, labels = contents("cifar100")
    rows = np.asarray(images[:100].reshape(100, 3072), order=order)
    again = {b"data": rows, b"fine_labels": labels[:100].tolist()}
    write_folder(tmp_path, {**files, "train": pickle.dumps(again, protocol)})
    found = read_cifar(CIFAR100, tmp_path)
    assert np.array_equal(found["x_train"], images[:100])
    assert found["x_train"].flags.c_contiguous


# What is not there


def test_a_place_that_does_not_exist_and_a_folder_without_files_have_no_data(tmp_path):
    assert read_cifar(CIFAR10, tmp_path / "absent") == "not there"
    write_folder(tmp_path, contents("cifar100")[0])
    assert read_cifar(CIFAR10, tmp_path) == "no files of CIFAR-10"


@pytest.mark.parametrize("packed", [False, True])
def test_what_an_incomplete_folder_or_archive_lacks_is_named(packed, tmp_path):
    files, _, _ = contents("cifar10")
    kept = {file: content for file, content in files.items() if file not in ("data_batch_2", "test_batch")}
    place = tmp_path / "place"
    if packed:
        write_archive(place, kept, "cifar-10-batches-py")
    else:
        write_folder(place, kept)
    assert problem("cifar10", place) == f"{place}: incomplete, it lacks data_batch_2 and test_batch"


# Damage

IMAGES = np.zeros((2, 3, 32, 32), np.uint8)
GOOD = batch("cifar10", [0, 1], IMAGES)
FLOATS = DTYPE.replace(b"u1", b"f1")


def changed(**values):
    return batch("cifar10", [0, 1], IMAGES, **values)


@pytest.mark.parametrize(
    ("content", "damage"),
    [
        (GOOD[:-100], "no pickled batch of images, or damaged (pickle data was truncated)"),
        (b"", "no pickled batch of images, or damaged (Ran out of input)"),
        (b"<html>", "no pickled batch of images, or damaged (invalid load key, '<'.)"),
        (b"\x80\x02" + numbers([1]) + b".", "holds a list, not a dictionary"),
        (
            changed(data=b""),
            "lacks [b'data'] of CIFAR-10; it holds [b'batch_label', b'labels', b'filenames']",
        ),
        (changed(labels=b"", data=b""), "lacks [b'data', b'labels'] of CIFAR-10; it holds "),
        (changed(labels=numbers([0, 10])), "label 10 is not one of 0 to 9"),
        (changed(labels=numbers([-1, 0])), "label -1 is not one of 0 to 9"),
        (changed(labels=b"](" + text(b"cat") + number(1) + b"e"), "label b'cat' is not one of 0 to 9"),
        (changed(labels=number(1)), "b'labels' is not a list"),
        (changed(labels=numbers([0, 1, 2])), "has 2 images but 3 labels"),
        (changed(data=array(bytes(3072), (1, 3072))), "has 1 images but 2 labels"),
        (
            changed(data=array(bytes(6143), (2, 3072))),
            "b'data' declares 2 x 3072 bytes and holds 6143; an image has 3072",
        ),
        (
            changed(data=array(bytes(2048), (2, 1024))),
            "b'data' declares 2 x 1024 bytes and holds 2048; an image has 3072",
        ),
        (changed(data=array(bytes(6144), (2, 3072), dtype=FLOATS)), "b'data' is not an array of bytes"),
        (changed(data=array(bytes(6144), (2, 3072), dtype=number(1))), "b'data' is not an array of bytes"),
        (changed(data=numbers([0] * 6144)), "b'data' is not an array of bytes with a row for each image"),
        (changed(data=text(bytes(6144))), "b'data' is not an array of bytes with a row for each image"),
    ],
)
def test_a_damaged_file_is_named_with_its_damage(content, damage, tmp_path):
    files, _, _ = contents("cifar10")
    write_folder(tmp_path, {**files, "data_batch_3": content})
    assert problem("cifar10", tmp_path).startswith(f"{tmp_path}/data_batch_3: {damage}")


def test_the_labels_of_cifar_100_are_the_fine_ones_and_end_at_99(tmp_path):
    files, _, _ = contents("cifar100")
    coarse = batch("cifar100", [0, 1], IMAGES, fine_labels=b"")
    write_folder(tmp_path, {**files, "test": coarse})
    assert problem("cifar100", tmp_path).startswith(f"{tmp_path}/test: lacks [b'fine_labels'] of CIFAR-100")
    write_folder(tmp_path, {**files, "test": batch("cifar100", [0, 100], IMAGES)})
    assert problem("cifar100", tmp_path) == f"{tmp_path}/test: label 100 is not one of 0 to 99"


def test_a_damaged_file_in_an_archive_is_named(tmp_path):
    files, _, _ = contents("cifar10")
    write_archive(tmp_path / "archive", {**files, "test_batch": GOOD[:-1]}, "cifar-10-batches-py")
    assert problem("cifar10", tmp_path / "archive").startswith(f"{tmp_path}/archive/test_batch: no pickled")


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize(
    ("damaged", "damage"),
    [
        (lambda _: b"<html>", "damaged or cannot be read (file could not be opened successfully"),
        (
            lambda content: content[: len(content) // 2],
            "Compressed file ended before the end-of-stream marker",
        ),
        (lambda content: content[:-4], "Compressed file ended before the end-of-stream marker"),
        (lambda content: flipped(content, len(content) - 6), "CRC check failed"),
    ],
    ids=["another file", "half", "the last bytes", "a checksum"],
)
def test_a_damaged_archive_is_named(damaged, damage, tmp_path):
    path = tmp_path / "archive"
    write_archive(path, contents("cifar10")[0], "cifar-10-batches-py")
    path.write_bytes(damaged(path.read_bytes()))
    said = problem("cifar10", path)
    assert said.startswith(str(path))
    assert damage in said


# Nothing is executed


class Hostile:
    """A value that is pickled as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_a_function_that_a_pickle_names_is_refused_and_not_called(tmp_path):
    called = tmp_path / "called"
    files, _, _ = contents("cifar10")
    write_folder(tmp_path, {**files, "data_batch_1": pickle.dumps({b"data": Hostile(open, called, "w")})})
    said = problem("cifar10", tmp_path)
    assert f"{tmp_path}/data_batch_1: " in said
    assert "is refused: images need no such thing" in said
    assert not called.exists()


def test_not_even_numpys_own_objects_are_made(tmp_path):
    # An object dtype whose forged flags deny that it holds pointers, over bytes: NumPy would follow them.
    forged = DTYPE.replace(b"u1", b"O8")
    files, _, _ = contents("cifar10")
    write_folder(
        tmp_path, {**files, "data_batch_1": changed(data=array(bytes(6144), (2, 768), dtype=forged))}
    )
    assert "b'data' is not an array of bytes" in problem("cifar10", tmp_path)


def test_what_a_file_holds_beside_the_images_is_not_made_either(tmp_path):
    files, images, _ = contents("cifar10")
    beside = dictionary({b"more": array(bytes(8), (1, 1), dtype=DTYPE.replace(b"u1", b"O8"))})
    extra = files["data_batch_1"][:-2] + beside[len(b"\x80\x02}(") :]
    write_folder(tmp_path, {**files, "data_batch_1": extra})
    assert np.array_equal(read_cifar(CIFAR10, tmp_path)["x_train"], images[:-2])
