"""MNIST and the data sets in its format: four IDX files, which have the same names for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cl.idx import IdxError, read_idx

FILES: Mapping[str, str] = MappingProxyType(
    {
        "x_train": "train-images-idx3-ubyte",
        "y_train": "train-labels-idx1-ubyte",
        "x_test": "t10k-images-idx3-ubyte",
        "y_test": "t10k-labels-idx1-ubyte",
    }
)
FIRST_LABELS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"MNIST": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4), "Fashion-MNIST": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5)}
)
"""Of the training sets: the files have the same names, so only the content tells them apart."""


class MnistError(ValueError):
    """What is wrong with a file or a folder in MNIST's format, and which."""


def read_mnist(title: str, folder: Path) -> dict[str, NDArray[Any]] | str:
    """Read the folder's four files, gzipped or not, or say why it has no data set of this title.

    Raises:
        MnistError: a file is damaged or missing.
    """
    paths = {array: _plain_or_gzipped(folder / name) for array, name in FILES.items()}
    absent = [FILES[array] for array, path in paths.items() if path is None]
    if len(absent) == len(paths):
        return "no IDX files"
    if absent:
        raise MnistError(f"{folder}: incomplete, it lacks {' and '.join(absent)} (.gz or not)")
    arrays = {array: _read_file(path, array) for array, path in paths.items() if path is not None}
    for other, first_labels in FIRST_LABELS.items():
        if other != title and tuple(arrays["y_train"][: len(first_labels)].tolist()) == first_labels:
            return f"it holds {other}, not {title}"
    for x, y in (("x_train", "y_train"), ("x_test", "y_test")):
        if len(arrays[x]) != len(arrays[y]):
            raise MnistError(
                f"{paths[x]}: {len(arrays[x])} images, but {paths[y]} has {len(arrays[y])} labels"
            )
    return arrays


def _plain_or_gzipped(path: Path) -> Path | None:
    gzipped = path.with_name(path.name + ".gz")
    return next((candidate for candidate in (path, gzipped) if candidate.is_file()), None)


def _read_file(path: Path, array: str) -> NDArray[Any]:
    try:
        if array.startswith("x"):
            return read_idx(path, dimensions=3)
        labels = read_idx(path, dimensions=1).astype(np.int64)
    except IdxError as error:
        raise MnistError(f"{path}: {error}") from error
    if labels.size and labels.max() > 9:
        raise MnistError(f"{path}: label {labels.max()} outside 0 to 9")
    return labels
