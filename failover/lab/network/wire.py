"""Just enough HTTP to answer instead of an engine: the end of each request, and DynamoDB's errors."""

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
    """Counts the requests in the bytes that a client sends.

    DynamoDB's clients always send a Content-Length.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> int:
        """Take bytes; returns how many requests have become complete with them."""
        self._buffer += data
        complete = 0
        while (length := self._length()) is not None and length <= len(self._buffer):
            del self._buffer[:length]
            complete += 1
        return complete

    def _length(self) -> int | None:
        """Length of the first request, head and body; None while its head is not complete."""
        end = self._buffer.find(HEAD_END)
        if end < 0:
            return None
        header = CONTENT_LENGTH.search(self._buffer, 0, end + 2)
        return end + len(HEAD_END) + (int(header[1]) if header else 0)


@dataclass(frozen=True)
class Refusal:
    """An error reply in DynamoDB's words."""

    status: HTTPStatus
    code: str
    message: str

    def as_bytes(self) -> bytes:
        """The whole reply.

        It has a new request id, and the checksum that DynamoDB sends with every body.
        """
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
