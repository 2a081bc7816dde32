"""Just enough HTTP to answer in a region's place: requests told apart by Content-Length, and DynamoDB's errors."""

from __future__ import annotations

import json
import re
import uuid
import zlib
from dataclasses import dataclass
from http import HTTPStatus

HEAD_END = b"\r\n\r\n"
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)[ \t]*\r", re.IGNORECASE)
PREFIX = "com.amazonaws.dynamodb.v20120810#"


class Requests:
    """Counts the requests in what a client sends. DynamoDB's clients always say how long a body is."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> int:
        """How many requests have become whole."""
        self._held += data
        whole = 0
        while (length := self._length()) is not None and length <= len(self._held):
            del self._held[:length]
            whole += 1
        return whole

    def _length(self) -> int | None:
        """Of the first request, head and body; None while its head has not arrived."""
        end = self._held.find(HEAD_END)
        if end < 0:
            return None
        said = CONTENT_LENGTH.search(self._held, 0, end + 2)
        return end + len(HEAD_END) + (int(said[1]) if said else 0)


@dataclass(frozen=True)
class Refusal:
    """An error as DynamoDB words it."""

    status: HTTPStatus
    code: str
    message: str

    def as_bytes(self) -> bytes:
        """One whole reply, with a request id of its own and the checksum that DynamoDB sends with every body."""
        body = json.dumps({"__type": PREFIX + self.code, "message": self.message}).encode()
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
            "Content-Type: application/x-amz-json-1.0\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"x-amzn-requestid: {uuid.uuid4()}\r\n"
            f"x-amz-crc32: {zlib.crc32(body)}\r\n\r\n"
        )
        return head.encode() + body


UNAVAILABLE = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", "The service is temporarily unavailable. Please try again."
)
DENIED = Refusal(
    HTTPStatus.BAD_REQUEST,
    "AccessDeniedException",
    "You are not authorized to perform this operation because no identity-based policy allows it.",
)
THROTTLED = Refusal(
    HTTPStatus.BAD_REQUEST,
    "ProvisionedThroughputExceededException",
    "The level of configured provisioned throughput for the table was exceeded. "
    "Consider increasing your provisioning level with the UpdateTable API.",
)
