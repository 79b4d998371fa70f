"""An S3 server of the tests' own, over HTTP."""

from __future__ import annotations

import http.client
import logging
from typing import ClassVar
from uuid import uuid4

from moto.server import ThreadedMotoServer


class ObjectStorage:
    """A server with buckets, which can be cut off and brought back with all that is in it.

    Attributes:
        endpoint: host and port.
        requests: method, path and query of every request so far.
    """

    # What a process needs that is given a URI without keys.
    ENVIRONMENT: ClassVar = {
        "AWS_ACCESS_KEY_ID": "from-the-environment",
        "AWS_SECRET_ACCESS_KEY": "from-the-environment-too",
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.requests: list[str] = []
        self._start(0)

    def bucket(self) -> str:
        """Make a bucket; its name."""
        name = f"bucket-{uuid4().hex[:8]}"
        connection = http.client.HTTPConnection(self.endpoint)
        connection.request("PUT", f"/{name}")
        assert connection.getresponse().status == 200
        connection.close()
        return name

    def uri(self, path: str, key: str = "") -> str:
        """The URI of *path*, bucket first, with ``user:password`` if given."""
        at = f"{key}@" if key else ""
        return f"s3://{at}{path}?endpoint_override={self.endpoint}&scheme=http&region=us-east-1"

    def stop(self) -> None:
        """Answer nobody any more."""
        self._server.stop()

    def start(self) -> None:
        """Answer again, at the same place."""
        self._start(int(self.endpoint.rpartition(":")[2]))

    def _start(self, port: int) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        self._server.start()
        self.endpoint = "{}:{}".format(*self._server.get_host_and_port())
        application = self._server._server.app

        def counted(environ, start_response):
            self.requests.append(
                f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}"
            )
            return application(environ, start_response)

        self._server._server.app = counted
