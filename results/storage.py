"""A folder on any file system that pyarrow knows: this machine's, a shared one, or an object store."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pyarrow as pa
from pyarrow import fs as pafs

__all__ = ["Entry", "Folder", "StoreError", "is_uri", "masked", "reason", "redacted"]


class StoreError(Exception):
    """Results cannot be written, or are not there; ``str(error)`` is ready to print."""


class Entry(NamedTuple):
    """A file in a folder, and which version of it is there; or a folder, whose size and time mean nothing."""

    name: str
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Folder:
    """A folder, which need not exist yet: writing makes it.

    A file appears whole or not at all, whatever happens to the writer; once it is written it outlives a loss
    of power, as far as the disk or the object store keeps its word. Everything can be pickled (with secrets
    that the URI held) and used on another machine, as far as that machine sees the same files.

    Attributes:
        files: the file system.
        path: the folder on it.
        name: how people call it: the path as they gave it, or a URI without secrets and options.

    >>> str(Folder.at("runs") / "quickstart")
    'runs/quickstart'
    """

    files: Any
    path: str
    name: str

    @classmethod
    def at(cls, place: str | Path) -> Folder:
        """The folder at a path or URI (``s3://bucket/runs``, ``gs://bucket/runs``).

        Raises:
            StoreError: there is no such kind of URI, or it is incomplete.
        """
        if not is_uri(place):
            return cls(pafs.LocalFileSystem(), os.path.abspath(place), str(Path(place)))
        name = redacted(os.fspath(place))
        try:
            files, path = pafs.FileSystem.from_uri(_quick(os.fspath(place)))
        except (pa.ArrowException, OSError, ValueError) as error:
            # Without the error itself: it may quote the URI.
            raise StoreError(f"{name}: {_wrong_with_uri(error)}") from None
        if not path.strip("/"):
            raise StoreError(f"{name}: no bucket or folder is named")
        # A copy, as a pickled one, tries a request three times, also when it is told to slow down; what a URI
        # makes tries for six seconds to connect, and nothing else.
        return cls(copy.copy(files), path.rstrip("/"), name.rstrip("/"))

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine, as far as this machine can tell: it may be shared."""
        return bool(self.files.type_name == "local")

    def __truediv__(self, name: str) -> Folder:
        """The folder *name* within it."""
        return Folder(self.files, f"{self.path}/{name}", f"{self.name}/{name}")

    @property
    def parent(self) -> Folder:
        """The folder that it is in; itself, if it is the root or a bucket."""
        path = self.path.rpartition("/")[0]
        if not path:
            return self
        return Folder(self.files, path, self.name.rpartition("/")[0] or ".")

    def __str__(self) -> str:
        return self.name

    def write(self, name: str, content: bytes | pa.Buffer) -> None:
        """Write the file *name*, or replace it.

        Raises:
            StoreError: it cannot be written; what was there before still is.
        """
        with self._explained("write", name):
            if self.is_local:
                self._replace(name, content)
            else:  # an object is there once its stream is closed
                with self.files.open_output_stream(f"{self.path}/{name}") as sink:
                    sink.write(content)

    def read(self, name: str) -> pa.Buffer:
        """The content of the file *name*.

        Raises:
            OSError: there is none, or it cannot be read.
        """
        with self.files.open_input_file(f"{self.path}/{name}") as source:
            return source.read_buffer()

    def entries(self) -> list[Entry]:
        """What is in it by name, but for what is hidden; nothing if there is no such folder."""
        return sorted(map(_entry, self._infos()))

    def entry(self, name: str) -> Entry | None:
        """The file or folder *name* as it is now; None if there is none."""
        with self._explained("read", name):
            info = self.files.get_file_info(f"{self.path}/{name}")
        return None if info.type == pafs.FileType.NotFound else _entry(info)

    def folders(self) -> list[str]:
        """The names of the folders in it, but for hidden ones; none if there is no such folder."""
        return sorted(info.base_name for info in self._infos() if info.type == pafs.FileType.Directory)

    def has(self, name: str) -> bool:
        """Whether there is a file or folder *name* in it."""
        return self.entry(name) is not None

    def remove(self, name: str) -> None:
        """Remove the file *name*; nothing happens if it is gone already."""
        with self._explained("remove", name), suppress(FileNotFoundError):
            self.files.delete_file(f"{self.path}/{name}")

    def remove_all(self) -> None:
        """Remove the folder with all that is in it; nothing happens if it is gone already."""
        with self._explained("remove"), suppress(FileNotFoundError):
            self.files.delete_dir(self.path)

    def _infos(self) -> list[Any]:
        with self._explained("read"):
            found = self.files.get_file_info(pafs.FileSelector(self.path, allow_not_found=True))
        return [info for info in found if not info.base_name.startswith(".")]

    def _replace(self, name: str, content: bytes | pa.Buffer) -> None:
        # Hidden, and not ending in .parquet: no reader of the folder takes it for a part.
        temporary = f"{self.path}/.{name}.{uuid4().hex}.tmp"
        try:
            try:
                _put(temporary, content)
            except FileNotFoundError:
                os.makedirs(self.path, exist_ok=True)
                _put(temporary, content)
            os.replace(temporary, f"{self.path}/{name}")
        except BaseException:
            with suppress(OSError):
                os.remove(temporary)
            raise
        _settle(self.path)

    @contextmanager
    def _explained(self, doing: str, *names: str) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            place = "/".join([self.name, *names])
            raise StoreError(f"cannot {doing} {place}: {reason(error)}") from error


def is_uri(place: str | Path) -> bool:
    """Whether *place* is a URI and not a path.

    >>> is_uri("s3://bucket/runs"), is_uri("runs"), is_uri("C:/runs")
    (True, False, False)
    """
    return re.match(r"[a-z][a-z0-9+.-]+://", os.fspath(place), re.IGNORECASE) is not None


def redacted(place: str) -> str:
    """*place* as it may be printed and kept: a URI without user, password and options.

    >>> redacted("s3://AKIA1:secret@bucket/runs?region=eu-north-1"), redacted("runs")
    ('s3://bucket/runs', 'runs')
    """
    if not is_uri(place):
        return place
    scheme, _, rest = place.partition("://")
    # A key that somebody forgot to escape may hold any sign, so what is before the last @ is taken for one.
    if re.match(r"[^/?#]*[:@]", rest):
        rest = rest.rpartition("@")[2]
    return f"{scheme}://{re.split('[?#]', rest)[0]}"


def masked(argument: str) -> str:
    """*argument* of a command as it may be printed: of a URI in it, nothing that may be a secret.

    >>> masked("--storage=s3://AKIA1:secret@bucket/runs?region=eu-north-1")
    '--storage=s3://***@bucket/runs?region=eu-north-1'
    """
    before, sign, rest = argument.partition("://")
    if not sign:
        return argument
    _, at, rest = rest.rpartition("@")
    rest = re.sub(r"(?i)(secret|token|key|password|signature)=[^&]*", r"\1=***", rest)
    return f"{before}://{'***@' if at else ''}{rest}"


def reason(error: Exception) -> str:
    """What went wrong, in one line."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error).strip().partition("\n")[0]


def _wrong_with_uri(error: Exception) -> str:
    text = reason(error)
    if "Unrecognized filesystem" in text:
        return "no such kind of storage; there are paths, s3://, gs://, abfs:// and hdfs://"
    if "://" in text:
        return "not a valid URI; in keys and passwords, / is written %2F, + is %2B and @ is %40"
    return text


def _quick(uri: str) -> str:
    """*uri* with an option that makes a small object one request instead of three."""
    if not uri.startswith("s3://") or "allow_delayed_open" in uri:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}allow_delayed_open=true"


def _entry(info: Any) -> Entry:
    return Entry(info.base_name, info.size or 0, info.mtime_ns or 0)


def _put(path: str, content: bytes | pa.Buffer) -> None:
    with open(path, "xb") as sink:
        sink.write(content)
        sink.flush()
        os.fsync(sink.fileno())  # else a loss of power could leave the new name with half its content


def _settle(folder: str) -> None:
    """Let new names in *folder* outlive a loss of power, where the file system can be told so."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
