"""A person's own data: one ``.npz`` with ``x_train``, ``y_train``, ``x_test`` and ``y_test``."""

from __future__ import annotations

import difflib
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


class NpzError(ValueError):
    """What is wrong with an ``.npz`` file; the reader's caller names the file."""


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read the four arrays: x as uint8 where it is stored so and otherwise as float32, y as int64.

    Nothing in the file is executed: arrays of Python objects are refused.

    Raises:
        NpzError: all problems found, in one message.
    """
    stored = _stored(path)
    problems = list(_missing(stored))
    arrays: dict[str, NDArray[Any]] = {}
    for name, array in stored.items():
        if array is None:
            continue
        try:
            arrays[name] = _examples(array) if name.startswith("x") else _labels(array)
        except NpzError as error:
            problems.append(f"{name} {error}")
    if problems:
        raise NpzError("; ".join(problems))
    return {name: arrays[name] for name in ARRAYS}


def _stored(path: Path) -> dict[str, NDArray[Any] | None]:
    """The arrays of interest as stored, None for each other name (needed to suggest it)."""
    if not path.is_file():
        raise NpzError("no such file" if not path.exists() else "not a file")
    try:
        if not zipfile.is_zipfile(path):
            raise NpzError("not an .npz file (it is no zip archive)")
        with np.load(path, allow_pickle=False) as archive:
            return {name: _member(archive, name) if name in ARRAYS else None for name in archive.files}
    except zipfile.BadZipFile as error:
        raise NpzError(f"damaged zip archive ({error})") from error
    except OSError as error:
        raise NpzError(f"cannot be read ({error.strerror or error})") from error


def _member(archive: Any, name: str) -> NDArray[Any]:
    try:
        array = archive[name]
    except (ValueError, EOFError, zlib.error) as error:
        raise NpzError(f"{name} cannot be read ({error})") from error
    if not isinstance(array, np.ndarray):
        # NumPy hands back the raw bytes of a member that is no array.
        raise NpzError(f"{name} is not a NumPy array")
    return array


def _missing(stored: Iterable[str]) -> Iterable[str]:
    present = sorted(stored)
    others = {name.lower(): name for name in present if name not in ARRAYS}
    for name in ARRAYS:
        if name not in present:
            nearest = difflib.get_close_matches(name, others, n=1)
            hint = f"; did you mean {others[nearest[0]]!r}?" if nearest else f"; it holds {present}"
            yield f"no array {name!r}{hint}"


def _examples(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "biuf":
        raise NpzError(f"holds {array.dtype}, not numbers")
    with np.errstate(over="ignore"):  # an overflow becomes infinite, which is refused just below
        numbers = array.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise NpzError("holds values that are not finite in float32 (NaN or infinite)")
    return numbers


def _labels(array: NDArray[Any]) -> NDArray[np.int64]:
    if array.dtype.kind not in "iu":
        raise NpzError(f"holds {array.dtype} where labels are integers")
    return array.astype(np.int64)
