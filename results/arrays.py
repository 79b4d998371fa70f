"""Arrow arrays to and from Python and NumPy without pandas.

pyarrow asks pandas about every list that it makes into an array, about every scalar and about every array
that it hands to NumPy, and to import pandas takes `clsweep show` 0.2 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["booleans", "integers", "numbers", "string", "strings"]


def strings(values: Sequence[str]) -> pa.Array:
    """An array of type string.

    >>> strings(["a", "bc", ""]).to_pylist()
    ['a', 'bc', '']
    """
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(encoded), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    )


def string(value: str) -> pa.Scalar:
    """A scalar of type string, for comparisons."""
    return strings([value])[0]


def integers(values: Sequence[int]) -> pa.Array:
    """An array of type int64."""
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(np.array(values, np.int64))])


def booleans(values: Sequence[bool]) -> pa.Array:
    """An array of type bool.

    >>> booleans([True, False, True]).to_pylist()
    [True, False, True]
    """
    bits = np.packbits(np.array(values, bool), bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(bits)])


def numbers(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """A column of numbers without nulls.

    >>> numbers(pa.chunked_array([[1, 2], [3]]))
    array([1, 2, 3])
    """
    return np.from_dlpack(column.combine_chunks())
