"""Storage that can be made to fail: a disk that fills up, and an S3 server whose line can be cut."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import logging
import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from moto.server import ThreadedMotoServer
from pyarrow import fs as pafs

DISK_BYTES = 64 * 2**20
BUCKET = "chaos"
CLONE_NEWNS = 0x00020000


class Storage(Protocol):
    """A place for runs that can be made to fail and works again afterwards."""

    place: str
    """For `--storage`."""

    def fail(self) -> None:
        """Fail from now on."""

    def mend(self) -> None:
        """Work again."""


def own_mounts() -> bool:
    """Let this process and those that it starts mount what nobody else sees, and what ends with them.

    Only root may; without, the answer is False.
    """
    if ctypes.CDLL(None).unshare(CLONE_NEWNS):
        return False
    return not subprocess.run([_program("mount"), "--make-rprivate", "/"], check=False).returncode


def _program(name: str) -> str:
    return shutil.which(name) or name


class Disk:
    """A small file system in *folder*; where none can be mounted, an ordinary folder and a stub.

    Attributes:
        stub: the file that says to `chaos_driver` that the disk is full; empty if it can really be.
    """

    def __init__(self, folder: Path, *, mount: bool) -> None:
        folder.mkdir()
        self._folder = folder
        if mount:
            command = [
                _program("mount"),
                "-t",
                "tmpfs",
                "-o",
                f"size={DISK_BYTES}",
                "clsweep-chaos",
                str(folder),
            ]
            subprocess.run(command, check=True)
        self.stub = "" if mount else f"{folder}.full"
        self.place = str(folder / "runs")
        self._filler = Path(self.stub or folder / "filler")

    def fail(self) -> None:
        """Fill it."""
        with open(self._filler, "wb") as filler:
            while not self.stub:
                try:
                    os.write(filler.fileno(), bytes(2**16))
                except OSError as error:
                    if error.errno == errno.ENOSPC:
                        return
                    raise

    def mend(self) -> None:
        """Remove what fills it."""
        self._filler.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Give it up."""
        if not self.stub:
            subprocess.run([_program("umount"), "--lazy", str(self._folder)], check=True)


class Server:
    """An S3 server in this process with an empty bucket, behind a line that can be cut."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else it tells of every request
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        self._wire = Wire(self._server.get_host_and_port()[1])
        endpoint = f"endpoint_override=127.0.0.1:{self._wire.port}"
        self.place = f"s3://chaos:chaos@{BUCKET}/runs?{endpoint}&scheme=http&region=us-east-1"
        options = f"{endpoint}&scheme=http&region=us-east-1&allow_bucket_creation=true"
        files, bucket = pafs.FileSystem.from_uri(f"s3://chaos:chaos@{BUCKET}?{options}")
        files.create_dir(bucket)

    def fail(self) -> None:
        """Cut the line."""
        self._wire.cut()

    def mend(self) -> None:
        """Mend it."""
        self._wire.mend()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """End the server."""
        self._wire.close()
        self._server.stop()


class Wire:
    """A line to a port of this machine. Cut, it resets its connections and refuses new ones.

    Attributes:
        port: its other end.
    """

    def __init__(self, server: int) -> None:
        self._server = server
        self._connections = dict[asyncio.Task[Any] | None, tuple[asyncio.StreamWriter, ...]]()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chaos-wire", daemon=True)
        self._thread.start()
        self.port = 0
        self.mend()

    def mend(self) -> None:
        """Take connections."""
        self._run(self._listen())

    def cut(self) -> None:
        """Take no more connections, and reset those that there are."""
        self._run(self._reset())

    def close(self) -> None:
        """Cut it for good."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _reset(self) -> None:
        self._listener.close()
        now = struct.pack("ii", 1, 0)  # closed without lingering, a connection is reset
        for end in (end for ends in self._connections.values() for end in ends):
            with suppress(OSError):  # it is closed already
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
            end.transport.abort()
        await asyncio.gather(*filter(None, self._connections), return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", self._server)
        self._connections[asyncio.current_task()] = (writer, ours)
        await asyncio.gather(_pump(reader, ours), _pump(theirs, writer))
        del self._connections[asyncio.current_task()]


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(2**16):
            writer.write(piece)
            await writer.drain()
    writer.close()
