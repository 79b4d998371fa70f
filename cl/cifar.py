"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) in their Python version: a folder of pickles, or its archive.

Each pickle is a dictionary: ``data`` has the images as rows of 3,072 bytes (32 x 32 red, then green, then
blue) and ``labels`` or ``fine_labels`` their classes.
"""

from __future__ import annotations

import pickle
import reprlib
import tarfile
import zlib
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

IMAGE = (3, 32, 32)
NUMBERS = 3 * 32 * 32
MEBIBYTE = 2**20


@dataclass(frozen=True)
class CifarFormat:
    """Which files a data set has, in which folder or archive; what its labels are called and range over."""

    title: str
    folder: str
    archive: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    labels: bytes
    classes: int


CIFAR10 = CifarFormat(
    title="CIFAR-10",
    folder="cifar-10-batches-py",
    archive="cifar-10-python.tar.gz",
    train=tuple(f"data_batch_{i}" for i in range(1, 6)),
    test=("test_batch",),
    labels=b"labels",
    classes=10,
)
CIFAR100 = CifarFormat(
    title="CIFAR-100",
    folder="cifar-100-python",
    archive="cifar-100-python.tar.gz",
    train=("train",),
    test=("test",),
    labels=b"fine_labels",
    classes=100,
)

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]


class CifarError(ValueError):
    """What is wrong with a file of CIFAR's, and which."""


def read_cifar(wanted: CifarFormat, place: Path) -> dict[str, NDArray[Any]] | str:
    """Read a folder's files or those in an archive, or say why the place has none of them.

    Images are ``[N, 3, 32, 32]``, channels first. Nothing that a file holds is executed.

    Raises:
        CifarError: a file is damaged or missing.
    """
    if not place.exists():
        return "not there"
    try:
        with closing(_files(wanted, place)) as files:  # or a damaged one would stay open for a while
            batches = {name: _batch(wanted, file, place / name) for name, file in files}
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise CifarError(f"{place}: damaged or cannot be read ({error})") from error
    if not batches and place.is_dir():
        return f"no files of {wanted.title}"
    if lacking := [name for name in (*wanted.train, *wanted.test) if name not in batches]:
        raise CifarError(f"{place}: incomplete, it lacks {' and '.join(lacking)}")
    x_train, y_train = _joined([batches[name] for name in wanted.train])
    x_test, y_test = _joined([batches[name] for name in wanted.test])
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def _files(wanted: CifarFormat, place: Path) -> Generator[tuple[str, IO[bytes]], None, None]:
    """Those of the files that are there, one open at a time; an archive's are not unpacked to the disk."""
    names = (*wanted.train, *wanted.test)
    if place.is_dir():
        for name in names:
            if (place / name).is_file():
                with (place / name).open("rb") as file:
                    yield name, file
        return
    with tarfile.open(place) as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            if name in names and member.isfile() and (content := archive.extractfile(member)):
                yield name, content
        while archive.fileobj is not None and archive.fileobj.read(MEBIBYTE):
            pass  # only at its end does gzip compare the checksum


def _joined(batches: list[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]  # concatenating would copy all of CIFAR-100
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _batch(wanted: CifarFormat, file: IO[bytes], path: Path) -> Batch:
    try:
        content = _Unpickler(file, encoding="bytes").load()
    except Exception as error:  # damaged pickles raise nearly anything, as the module's documentation warns
        raise CifarError(f"{path}: no pickled batch of images, or damaged ({error})") from error
    try:
        return _checked(wanted, content)
    except CifarError as error:
        raise CifarError(f"{path}: {error}") from error


def _checked(wanted: CifarFormat, content: Any) -> Batch:
    if not isinstance(content, dict):
        raise CifarError(f"holds a {type(content).__name__}, not a dictionary")
    if absent := [key for key in (b"data", wanted.labels) if key not in content]:
        raise CifarError(f"lacks {absent} of {wanted.title}; it holds {reprlib.repr(list(content))}")
    images, labels = _images(content[b"data"]), content[wanted.labels]
    if not isinstance(labels, list):
        raise CifarError(f"{wanted.labels!r} is not a list")
    if wrong := [label for label in labels if type(label) is not int or not 0 <= label < wanted.classes]:
        raise CifarError(f"label {reprlib.repr(wrong[0])} is not one of 0 to {wanted.classes - 1}")
    if len(images) != len(labels):
        raise CifarError(f"has {len(images)} images but {len(labels)} labels")
    return images, np.array(labels, dtype=np.int64)


def _images(data: Any) -> NDArray[np.uint8]:
    """The images of an array as recorded: its version, shape, type, whether in Fortran's order, and bytes."""
    match data:
        case _Recorded(state=(_, (int(rows), int(columns)), _Recorded() as dtype, fortran, bytes(content))):
            is_bytes = dtype.arguments[:1] in ((b"u1",), ("u1",))
        case _:
            is_bytes = False
    if not is_bytes:
        raise CifarError("b'data' is not an array of bytes with a row for each image")
    if columns != NUMBERS or len(content) != rows * columns:
        raise CifarError(
            f"b'data' declares {rows} x {columns} bytes and holds {len(content)}; an image has {NUMBERS}"
        )
    array = np.frombuffer(content, np.uint8).reshape((rows, columns), order="F" if fortran else "C")
    return np.ascontiguousarray(array).reshape(rows, *IMAGE)  # copies only Fortran's


class _Recorded:
    """What a pickle says about an object, in place of the object."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __call__(self, *arguments: Any) -> _Recorded:
        return _Recorded(*arguments)

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    """Reads plain values, and arrays as records of what they would be made from.

    A pickle may name any function and have it called, so only the names that an array needs are taken. And
    not even NumPy's own are called: a forged state of a dtype can make it take bytes for pointers.
    """

    NAMES = frozenset(
        {
            ("numpy", "dtype"),
            ("numpy", "ndarray"),
            ("numpy.core.multiarray", "_reconstruct"),  # as published, and up to NumPy 1
            ("numpy._core.multiarray", "_reconstruct"),  # since NumPy 2
        }
    )

    def find_class(self, module_name: str, global_name: str, /) -> _Recorded:
        """Return a record for each of the names, which is never the object itself."""
        if (module_name, global_name) not in self.NAMES:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} is refused: images need no such thing")
        return _Recorded()
