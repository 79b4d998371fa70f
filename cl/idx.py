"""The IDX format of MNIST and its relatives: a header of big-endian integers, then the bytes.

Layout (LeCun et al. 1998): two zero bytes, the type (8 for unsigned bytes), the number of dimensions, the
size of each dimension as a 4-byte integer, and the array in C order.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNSIGNED_BYTES = 0x0800
GZIP = b"\x1f\x8b"


class IdxError(ValueError):
    """What is wrong with a file that should be IDX; the reader's caller names the file."""


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzipped or not, with exactly this many dimensions.

    Raises:
        IdxError: the file cannot be read, is truncated, too long, or of another kind.
    """
    try:
        return parse_idx(_plain_bytes(path), dimensions)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise IdxError(f"damaged gzip data ({error})") from error
    except OSError as error:
        raise IdxError(f"cannot be read ({error.strerror or error})") from error


def parse_idx(content: bytes, dimensions: int) -> NDArray[np.uint8]:
    """Parse an IDX array of unsigned bytes; the result is a read-only view of ``content``.

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), dimensions=1)
    array([7, 8, 9], dtype=uint8)
    """
    expected = UNSIGNED_BYTES + dimensions
    magic = int.from_bytes(content[:4], "big")
    if len(content) < 4 or magic != expected:
        raise IdxError(f"magic number 0x{content[:4].hex()} where an IDX file begins with 0x{expected:08x}")
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise IdxError(f"truncated in its header: {len(content)} of {header} bytes")
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4))
    declared, held = math.prod(shape), len(content) - header
    if held != declared:
        sizes = " x ".join(map(str, shape))
        raise IdxError(f"declares {sizes} = {declared} bytes of data but holds {held}")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def _plain_bytes(path: Path) -> bytes:
    # By content, not by name: browsers unpack a download and keep its ".gz".
    content = path.read_bytes()
    return gzip.decompress(content) if content.startswith(GZIP) else content
