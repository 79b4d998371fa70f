"""Data sets by name or from a file: NumPy arrays, read once and never written again."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from http.client import HTTPException
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cl.cifar import CIFAR10, CIFAR100, CifarError, CifarFormat, read_cifar
from cl.download import download
from cl.mnist import FILES, MnistError, read_mnist
from cl.npz import NpzError, read_npz

DEFAULT_DATA_DIR = Path("data")
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts its files."""
SHAPES = "(N, features), (N, height, width) or (N, channels, height, width)"
"""What examples are stored as."""


class DataError(Exception):
    """Data that cannot be had or cannot be used; the message is ready to print."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test set: x is ``[N, *shape]`` of uint8 or float32, y is int64 ``[N]``.

    ``x * scale`` lies in [0, 1] for images; float data of one's own is used as it is (scale 1).

    The test set may be empty, as it is for trials that must not see it.

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

    def without_test(self) -> Dataset:
        """The same training set and no test example: what a search for hyperparameters may see."""
        # An empty copy of its own: a slice would hold, and pickle could send, the whole array.
        return replace(self, x_test=self.x_test[:0].copy(), y_test=self.y_test[:0].copy())

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

    ``data_dir`` is where data that is not embedded is looked for first and downloaded to (default ``data``).

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
        if x.ndim < 2 or 0 in x.shape[1:] or (not len(x) and split == "train"):
            yield f"x_{split} has shape {x.shape}; expected {SHAPES}, none 0"
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
        data = Dataset(**arrays, scale=1 / 255 if arrays["x_train"].dtype == np.uint8 else 1.0)
    except (NpzError, DataError) as error:
        raise DataError(f"{path}: {error}") from error
    if not len(data.y_test):
        raise DataError(f"{path}: x_test has shape {data.x_test.shape}; expected {SHAPES}, none 0")
    return data


def _digits(_data_dir: Path) -> Dataset:
    from sklearn import datasets, model_selection  # noqa: PLC0415 - takes a second, for the digits alone

    digits = datasets.load_digits()
    x_train, x_test, y_train, y_test = model_selection.train_test_split(
        digits.images.astype(np.uint8),
        digits.target.astype(np.int64),
        test_size=0.2,
        stratify=digits.target,
        random_state=0,
    )
    return Dataset(x_train, y_train, x_test, y_test, scale=1 / 16)


@dataclass(frozen=True)
class _Published:
    """A data set that is looked for in folders and then downloaded, and the ways to get it."""

    title: str
    torchvision_class: str
    places: tuple[str, ...]
    """Below ``data_dir``; the first is where a download puts it."""
    read: Callable[[Path], dict[str, NDArray[Any]] | str]
    """The arrays at a place, or why it has none of this name; damage is an error."""
    files: str
    """What to put where, for the message."""
    in_debian: bool = False


def _published(wanted: _Published, data_dir: Path) -> Dataset:
    """Search ``data_dir``, then Debian's folder, then download; what is found damaged ends the search."""
    places = [data_dir / place for place in wanted.places]
    tried: list[str] = []
    for place in (*places, *([DEBIAN_FASHION_MNIST] if wanted.in_debian else [])):
        found = _read(wanted, place)
        if isinstance(found, Dataset):
            return found
        tried.append(f"{place}: {found}")
    try:
        download(wanted.torchvision_class, wanted.places[0], data_dir)
        found = _read(wanted, places[0])
    except (OSError, RuntimeError, HTTPException, ImportError) as error:
        found = f"{type(error).__name__}: {' '.join(str(error).split())}"  # torchvision's is a paragraph
    if isinstance(found, Dataset):
        return found
    tried.append(f"download by torchvision into {data_dir}: {found}")
    raise DataError(_not_found(wanted, tried))


def _read(wanted: _Published, place: Path) -> Dataset | str:
    try:
        arrays = wanted.read(place)
    except (MnistError, CifarError) as error:
        raise DataError(str(error)) from error
    try:
        return arrays if isinstance(arrays, str) else Dataset(**arrays, scale=1 / 255)
    except DataError as error:
        raise DataError(f"{place}: {error}") from error


def _not_found(wanted: _Published, tried: list[str]) -> str:
    ways = [
        f"pass --data-dir DIR with {wanted.files}",
        "run once where there is a network: torchvision downloads it into DIR",
        "or use the embedded digits (split-digits, permuted-digits), which need no download",
    ]
    if wanted.in_debian:
        ways.insert(1, "on Debian or Ubuntu: apt install dataset-fashion-mnist")
    lines = [f"{wanted.title} was not found. Tried:", *(f"  {attempt}" for attempt in tried)]
    return "\n".join([*lines, "Ways to get it:", *(f"  {way}" for way in ways)])


def _mnist(title: str, torchvision_class: str, *, in_debian: bool = False) -> _Published:
    folder = f"{torchvision_class}/raw"
    files = f"{', '.join(FILES.values())} in DIR/{folder} or in DIR itself, gzipped or not"
    return _Published(
        title, torchvision_class, (folder, ""), partial(read_mnist, title), files, in_debian=in_debian
    )


def _cifar(form: CifarFormat, torchvision_class: str) -> _Published:
    places = (form.folder, "", form.archive)
    names = ", ".join((*form.train, *form.test))
    files = f"{names} in DIR/{form.folder} or in DIR itself, or with DIR/{form.archive}"
    return _Published(form.title, torchvision_class, places, partial(read_cifar, form), files)


_LOADERS: Mapping[str, Callable[[Path], Dataset]] = MappingProxyType(
    {
        "digits": _digits,
        "mnist": partial(_published, _mnist("MNIST", "MNIST")),
        "fashion-mnist": partial(_published, _mnist("Fashion-MNIST", "FashionMNIST", in_debian=True)),
        "cifar10": partial(_published, _cifar(CIFAR10, "CIFAR10")),
        "cifar100": partial(_published, _cifar(CIFAR100, "CIFAR100")),
    }
)
NAMES = tuple(_LOADERS)
"""The data sets known by name."""
