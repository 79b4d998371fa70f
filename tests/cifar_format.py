"""Small files in CIFAR's format, byte by byte as Python 2 pickled the published ones."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDERS = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
ARCHIVES = {"cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz"}
FILES = {
    "cifar10": [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"],
    "cifar100": ["train", "test"],
}
KEYS = {"cifar10": b"labels", "cifar100": b"fine_labels"}

DTYPE = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
"""``numpy.dtype('u1', 0, 1)`` and its state."""


def number(value: int) -> bytes:
    return b"J" + value.to_bytes(4, "little", signed=True)


def text(value: bytes) -> bytes:
    return b"T" + len(value).to_bytes(4, "little") + value


def numbers(values: Sequence[int]) -> bytes:
    return b"](" + b"".join(map(number, values)) + b"e"


def array(content: bytes, shape: tuple[int, int], *, dtype: bytes = DTYPE, fortran: bool = False) -> bytes:
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + number(0) + b"\x85U\x01b\x87R"
    order = b"\x88" if fortran else b"\x89"
    return (
        made
        + b"(K\x01"
        + number(shape[0])
        + number(shape[1])
        + b"\x86"
        + dtype
        + order
        + text(content)
        + b"tb"
    )


def dictionary(entries: Mapping[bytes, bytes]) -> bytes:
    """A pickled dictionary of values that are pickled already."""
    return b"\x80\x02}(" + b"".join(text(key) + value for key, value in entries.items()) + b"u."


def batch(name: str, labels: Sequence[int], images: NDArray[np.uint8], /, **changed: bytes) -> bytes:
    """One file; *changed* replaces pickled values, b"" leaves one out."""
    entries = {
        b"batch_label": text(b"a batch"),
        KEYS[name]: numbers(labels),
        b"data": array(images.tobytes(), (len(images), 3072)),
        b"filenames": b"](" + b"".join(text(b"%d.png" % i) for i in range(len(images))) + b"e",
    }
    entries |= {key.encode(): value for key, value in changed.items()}
    if name == "cifar100":
        entries[b"coarse_labels"] = numbers([7] * len(labels))
    return dictionary({key: value for key, value in entries.items() if value})


def contents(name: str, *, seed: int = 0) -> tuple[dict[str, bytes], NDArray[np.uint8], NDArray[np.int64]]:
    """Every file of a data set with two images per class, or per file, and all of these in order."""
    files = FILES[name]
    each = 2 if name == "cifar10" else 100
    labels = np.arange(len(files) * each) % (10 if name == "cifar10" else 100)
    labels[-each:] = labels[:each][::-1]
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 3, 32, 32)).astype(np.uint8)
    parts = zip(files, np.split(labels, len(files)), np.split(images, len(files)), strict=True)
    return {file: batch(name, y.tolist(), x) for file, y, x in parts}, images, labels


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)


def write_archive(path: Path, files: Mapping[str, bytes], folder: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for file, content in {"readme.html": b"<html>", **files}.items():
            member = tarfile.TarInfo(f"{folder}/{file}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
