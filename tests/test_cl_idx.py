"""The IDX format: what is read and which damage is named."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cl.idx import IdxError, read_idx

THREE_LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9])


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@given(
    array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5)),
    gzipped=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_as_idx_is_read_back(array, gzipped, tmp_path):
    path = tmp_path / "array"
    path.write_bytes(gzip.compress(idx(array)) if gzipped else idx(array))
    again = read_idx(path, dimensions=array.ndim)
    assert again.dtype == np.uint8
    assert again.shape == array.shape
    assert np.array_equal(again, array)


def test_a_header_written_by_hand_is_read(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(bytes.fromhex("00000803 00000002 00000001 00000003") + bytes([1, 2, 3, 4, 5, 255]))
    assert read_idx(path, dimensions=3).tolist() == [[[1, 2, 3]], [[4, 5, 255]]]


def test_gzip_is_told_by_content_whatever_the_name(tmp_path):
    unpacked = tmp_path / "labels.gz"
    unpacked.write_bytes(THREE_LABELS)
    packed = tmp_path / "labels"
    packed.write_bytes(gzip.compress(THREE_LABELS))
    assert read_idx(unpacked, 1).tolist() == read_idx(packed, 1).tolist() == [7, 8, 9]


@pytest.mark.parametrize(
    ("content", "damage"),
    [
        (b"", "magic number 0x where an IDX file begins with 0x00000801"),
        (b"\x00\x00\x08", "magic number 0x000008"),
        (b"<htm" + THREE_LABELS, "magic number 0x3c68746d where an IDX file begins with 0x00000801"),
        (THREE_LABELS[:6], "truncated in its header: 6 of 8 bytes"),
        (THREE_LABELS[:-1], "declares 3 = 3 bytes of data but holds 2"),
        (THREE_LABELS + b"\x00", "declares 3 = 3 bytes of data but holds 4"),
        (gzip.compress(THREE_LABELS)[:-9], "damaged gzip data"),
        (gzip.compress(THREE_LABELS)[:12] + b"\xff" * 12, "damaged gzip data"),
        (gzip.compress(THREE_LABELS) + b"garbage", "damaged gzip data"),
    ],
    ids=["empty", "3 bytes", "web page", "header", "short", "long", "gzip cut", "gzip garbled", "gzip tail"],
)
def test_each_damage_is_named(content, damage, tmp_path):
    path = tmp_path / "labels"
    path.write_bytes(content)
    with pytest.raises(IdxError) as caught:
        read_idx(path, dimensions=1)
    assert damage in str(caught.value)


def test_images_are_not_read_as_labels(tmp_path):
    path = tmp_path / "labels"
    path.write_bytes(idx(np.zeros((2, 2, 2), np.uint8)))
    with pytest.raises(IdxError, match="0x00000803 where an IDX file begins with 0x00000801"):
        read_idx(path, dimensions=1)


def test_a_file_that_cannot_be_opened_says_why():
    with pytest.raises(IdxError, match=r"cannot be read \(No such file or directory\)"):
        read_idx(Path("/nowhere/labels"), dimensions=1)
