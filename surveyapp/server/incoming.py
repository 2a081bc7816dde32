"""From the bytes that have arrived on a connection to whole requests. Never waits, and has no
socket.
"""

from __future__ import annotations

import io
from typing import Any

from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from surveyapp.server.chunked import ChunkedBody
from surveyapp.server.limits import Limits
from surveyapp.server.refusals import Refused, refused

HEAD_ENDS = b"\r\n\r\n"


class Incoming:
    """The requests of one connection. `config` is gunicorn's, whose parser reads each head as soon
    as that is whole.
    """

    def __init__(self, config: Any, client: Any, limits: Limits) -> None:
        self._config = config
        self._client = client
        self._limits = limits
        self._received = bytearray()
        self._searched = 0  # no head ends before this place
        self._requests = 0
        self._request: Any = None  # its head has been read
        self._length = 0
        self._chunked: ChunkedBody | None = None

    @property
    def size(self) -> int:
        """Bytes that have arrived for requests not yet taken."""
        return len(self._received) + (len(self._chunked.body) if self._chunked else 0)

    @property
    def in_body(self) -> bool:
        """Whether the head has been read and the body is not complete."""
        return self._request is not None

    @property
    def to_program(self) -> bool:
        """Whether the request's path is known to be the API's, whose clients read problem
        documents.
        """
        if self._request is not None:
            return str(self._request.path).startswith("/api/")
        return bytes(self._received[:64]).partition(b" ")[2].startswith(b"/api/")

    def feed(self, data: bytes) -> None:
        """Adds what the client has sent."""
        self._received += data

    def take(self) -> Any:
        """The next request, with its body in memory and of a known length; None while it is
        incomplete.

        Raises `Refused` for a request that cannot be served.
        """
        if self._request is None and not self._read_head():
            return None
        body = self._read_body()
        if body is None:
            return None
        request, self._request = self._request, None
        request.body = io.BytesIO(body)
        return request

    def continues(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body. True at most once
        for each request.
        """
        if not self.in_body or self._received or not self._request._expected_100_continue:
            return False
        self._request._expected_100_continue = False
        return True

    def _read_head(self) -> bool:
        received = self._received
        if not received:
            return False
        end = received.find(HEAD_ENDS, self._searched)
        if end < 0 or end > self._limits.head:
            self._check_beginning()
            self._searched = max(0, len(received) - len(HEAD_ENDS) + 1)
            return False
        head = bytes(received[: end + len(HEAD_ENDS)])
        self._requests += 1
        try:
            self._request = Request(self._config, IterUnreader([head]), self._client, self._requests)
        except (ParseException, NoMoreData, StopIteration) as error:
            raise Refused.malformed(error) from error
        del received[: len(head)]
        self._searched = 0
        self._frame()
        return True

    def _check_beginning(self) -> None:
        """Raises `Refused` for a beginning that no valid head has, so that the client need not wait
        for a deadline.
        """
        received, longest = self._received, int(self._config.limit_request_line)
        # A request begins with a method, whatever speaks TLS to this port does not.
        if not (received[:1].isalpha() or received[:1] == b"\r"):
            raise refused(400)
        if received.find(b"\r\n", 0, longest + 4) < 0 and len(received) > longest + 2:
            raise refused(414)
        if len(received) > self._limits.head:
            raise refused(431)
        at = received.find(b"\n", self._searched)
        while at >= 0:
            if received[at - 1 : at] != b"\r":
                raise refused(400)
            at = received.find(b"\n", at + 1)

    def _frame(self) -> None:
        """Decides how the body ends. gunicorn's parser has already refused a Content-Length beside
        a Transfer-Encoding, and more than one Content-Length.
        """
        codings = self._values("TRANSFER-ENCODING")
        if codings:
            if codings != ["chunked"]:  # a compressed one within a chunked one, for example
                raise refused(501)
            self._chunked = ChunkedBody(self._limits)
        self._length = int((self._values("CONTENT-LENGTH") or ["0"])[0])
        if self._length > self._limits.body:
            raise refused(413)
        compressed = not {"", "identity"}.issuperset(self._values("CONTENT-ENCODING"))
        if compressed and (self._chunked or self._length):
            raise refused(415)

    def _values(self, name: str) -> list[str]:
        return [value.lower() for given, value in self._request.headers if given == name]

    def _read_body(self) -> bytes | None:
        received = self._received
        if self._chunked is None:
            if len(received) < self._length:
                return None
            body = bytes(received[: self._length])
            del received[: self._length]
            return body
        if not self._chunked.feed(received):
            return None
        body = bytes(self._chunked.body)
        self._chunked = None
        headers = [header for header in self._request.headers if header[0] != "TRANSFER-ENCODING"]
        self._request.headers = [*headers, ("CONTENT-LENGTH", str(len(body)))]
        return body
