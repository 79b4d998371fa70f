"""Data sets by name or from a file: NumPy arrays, read once and never written again."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from http.client import HTTPException
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cl.download import download
from cl.idx import IdxError, read_idx
from cl.npz import NpzError, read_npz

DEFAULT_DATA_DIR = Path("data")
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts its files."""


class DataError(Exception):
    """Data that cannot be had or cannot be used; the message is ready to print."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test set: x is ``[N, *shape]`` of uint8 or float32, y is int64 ``[N]``.

    ``x * scale`` lies in [0, 1] for images; float data of one's own is used as it is (scale 1).

    Raises:
        DataError: lengths, shapes, types or labels do not go together; all problems in one message.
    """

    x_train: NDArray[Any]
    y_train: NDArray[np.int64]
    x_test: NDArray[Any]
    y_test: NDArray[np.int64]
    scale: float

    def __post_init__(self) -> None:
        if problems := list(_problems(self)):
            raise DataError("; ".join(problems))

    @cached_property
    def digest(self) -> str:
        """The data's name by its content, computed once; `content_digest` looks again."""
        return content_digest(self)


def content_digest(data: Dataset) -> str:
    """Return the first 16 hex digits of SHA-256 over every array's type, shape and bytes, and the scale."""
    content = hashlib.sha256(repr(data.scale).encode())
    for array in (data.x_train, data.y_train, data.x_test, data.y_test):
        content.update(f"{array.dtype.str}{array.shape}".encode())
        content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()[:16]


def load(name_or_path: str, data_dir: Path | None = None) -> Dataset:
    """Return a data set by name (`NAMES`) or from a file ending in ``.npz``; its arrays are read-only.

    ``data_dir`` is searched first for MNIST-format data and is where a download goes (default ``data``).

    Raises:
        DataError: it is unknown, damaged or not to be had.
    """
    if name_or_path.endswith(".npz"):
        data = _npz(Path(name_or_path))
    elif name_or_path in _LOADERS:
        data = _LOADERS[name_or_path](data_dir or DEFAULT_DATA_DIR)
    else:
        nearest = difflib.get_close_matches(name_or_path, NAMES, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise DataError(
            f"unknown data set {name_or_path!r}; {hint}known: {', '.join(NAMES)}, or a file ending in .npz"
        )
    for array in (data.x_train, data.y_train, data.x_test, data.y_test):
        array.flags.writeable = False
    return data


def _problems(data: Dataset) -> Iterator[str]:
    for split, x, y in (("train", data.x_train, data.y_train), ("test", data.x_test, data.y_test)):
        if x.dtype not in (np.uint8, np.float32):
            yield f"x_{split} is {x.dtype}, not uint8 or float32"
        if y.dtype != np.int64 or y.ndim != 1:
            yield f"y_{split} is {y.dtype} of shape {y.shape}; labels are a list of integers, shape (N,)"
        if x.ndim < 2 or x.size == 0:
            yield f"x_{split} has shape {x.shape}; expected (N, features) or (N, height, width), none 0"
        elif y.ndim == 1 and len(x) != len(y):
            yield f"x_{split} has {len(x)} examples but y_{split} has {len(y)} labels"
    train, test = data.x_train.shape[1:], data.x_test.shape[1:]
    if train != test:
        yield f"an example has shape {train} in x_train but {test} in x_test"
    if data.x_train.dtype != data.x_test.dtype:
        yield f"x_train is {data.x_train.dtype} but x_test is {data.x_test.dtype}"
    if unseen := sorted(set(np.unique(data.y_test).tolist()) - set(np.unique(data.y_train).tolist())):
        yield f"y_test has labels that y_train lacks: {unseen[:10]}"


def _npz(path: Path) -> Dataset:
    try:
        arrays = read_npz(path)
        return Dataset(**arrays, scale=1 / 255 if arrays["x_train"].dtype == np.uint8 else 1.0)
    except (NpzError, DataError) as error:
        raise DataError(f"{path}: {error}") from error


def _digits(_data_dir: Path) -> Dataset:
    # Imported here: scikit-learn takes a second that other data sets need not wait for.
    from sklearn.datasets import load_digits  # noqa: PLC0415
    from sklearn.model_selection import train_test_split  # noqa: PLC0415

    digits = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        digits.images.astype(np.uint8),
        digits.target.astype(np.int64),
        test_size=0.2,
        stratify=digits.target,
        random_state=0,
    )
    return Dataset(x_train, y_train, x_test, y_test, scale=1 / 16)


@dataclass(frozen=True)
class _MnistFormat:
    """One data set in MNIST's four files, and the ways to get it."""

    title: str
    torchvision_class: str
    first_labels: tuple[int, ...]
    """Of the training set: the file names are the same for all, so only the content tells them apart."""
    in_debian: bool = False


_MNIST = _MnistFormat("MNIST", "MNIST", (5, 0, 4, 1, 9, 2, 1, 3, 1, 4))
_FASHION_MNIST = _MnistFormat("Fashion-MNIST", "FashionMNIST", (9, 0, 0, 3, 0, 2, 7, 2, 5, 5), in_debian=True)
_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def _mnist_format(wanted: _MnistFormat, data_dir: Path) -> Dataset:
    """Search ``data_dir``, then Debian's folder, then download; what is found damaged ends the search."""
    raw = data_dir / wanted.torchvision_class / "raw"
    tried: list[str] = []
    for folder in (raw, data_dir, *([DEBIAN_FASHION_MNIST] if wanted.in_debian else [])):
        found = _read_folder(wanted, folder)
        if isinstance(found, Dataset):
            return found
        tried.append(f"{folder}: {found}")
    try:
        download(wanted.torchvision_class, data_dir)
        found = _read_folder(wanted, raw)
    except (OSError, RuntimeError, HTTPException, ImportError) as error:
        found = f"{type(error).__name__}: {' '.join(str(error).split())}"  # torchvision's is a paragraph
    if isinstance(found, Dataset):
        return found
    tried.append(f"download by torchvision into {data_dir}: {found}")
    raise DataError(_not_found(wanted, tried))


def _read_folder(wanted: _MnistFormat, folder: Path) -> Dataset | str:
    """The folder's data set, or why it has none of this name; a damaged or missing file is an error."""
    paths = {array: _plain_or_gzipped(folder / name) for array, name in _FILES.items()}
    absent = [_FILES[array] for array, path in paths.items() if path is None]
    if len(absent) == len(paths):
        return "no IDX files"
    if absent:
        raise DataError(f"{folder}: incomplete, it lacks {' and '.join(absent)} (.gz or not)")
    arrays = {array: _read_file(path, array) for array, path in paths.items() if path is not None}
    start = tuple(arrays["y_train"][: len(wanted.first_labels)].tolist())
    for other in (_MNIST, _FASHION_MNIST):
        if other.title != wanted.title and start == other.first_labels:
            return f"it holds {other.title}, not {wanted.title}"
    for x, y in (("x_train", "y_train"), ("x_test", "y_test")):
        if len(arrays[x]) != len(arrays[y]):
            raise DataError(
                f"{paths[x]}: {len(arrays[x])} images, but {paths[y]} has {len(arrays[y])} labels"
            )
    try:
        return Dataset(**arrays, scale=1 / 255)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error


def _plain_or_gzipped(path: Path) -> Path | None:
    gzipped = path.with_name(path.name + ".gz")
    return next((candidate for candidate in (path, gzipped) if candidate.is_file()), None)


def _read_file(path: Path, array: str) -> NDArray[Any]:
    try:
        if array.startswith("x"):
            return read_idx(path, dimensions=3)
        labels = read_idx(path, dimensions=1).astype(np.int64)
    except IdxError as error:
        raise DataError(f"{path}: {error}") from error
    if labels.size and labels.max() > 9:
        raise DataError(f"{path}: label {labels.max()} outside 0 to 9")
    return labels


def _not_found(wanted: _MnistFormat, tried: list[str]) -> str:
    layout = f"in DIR/{wanted.torchvision_class}/raw or in DIR itself, gzipped or not"
    ways = [
        f"pass --data-dir DIR with {', '.join(_FILES.values())} {layout}",
        "run once where there is a network: torchvision downloads it into DIR",
        "or use the embedded digits (split-digits, permuted-digits), which need no download",
    ]
    if wanted.in_debian:
        ways.insert(1, "on Debian or Ubuntu: apt install dataset-fashion-mnist")
    lines = [f"{wanted.title} was not found. Tried:", *(f"  {attempt}" for attempt in tried)]
    return "\n".join([*lines, "Ways to get it:", *(f"  {way}" for way in ways)])


_LOADERS: Mapping[str, Callable[[Path], Dataset]] = MappingProxyType(
    {
        "digits": _digits,
        "mnist": partial(_mnist_format, _MNIST),
        "fashion-mnist": partial(_mnist_format, _FASHION_MNIST),
    }
)
NAMES = tuple(_LOADERS)
"""The data sets known by name."""
