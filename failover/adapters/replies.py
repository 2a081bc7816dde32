"""Checks that a reply is one of DynamoDB, before the SDK turns it into a result or an error.

botocore turns a body that was cut or changed on its way into `{}`, "item not found". A body that it
cannot read (a page in another encoding, a JSON list) makes it raise any Python error, which looks
like a mistake of the caller. In both cases the region's answer did not arrive, and the outcome of
the request is unknown.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

from botocore.model import Shape
from botocore.parsers import ResponseParser, ResponseParserFactory

from failover.adapters.errors import TruncatedReply

NEEDED = {
    "BatchGetItemOutput": {"Responses", "UnprocessedKeys"},
    "QueryOutput": {"Count", "ScannedCount"},
    "ScanOutput": {"Count", "ScannedCount"},
}
"""Members that PynamoDB expects in a result; DynamoDB and the engines always send them."""


class CheckedParsers(ResponseParserFactory):
    """Makes the SDK's parsers, each behind a check: a session's `response_parser_factory`."""

    def create_parser(self, protocol_name: str) -> ResponseParser:
        """The parser of that protocol."""
        return _Checked(super().create_parser(protocol_name))


class _Checked(ResponseParser):
    def __init__(self, parser: ResponseParser) -> None:
        super().__init__()
        self._parser = parser

    def parse(self, response: Mapping[str, Any], shape: Shape) -> Any:
        """As botocore's. Raises `TruncatedReply` for a wrong checksum and for a body that is no
        result. An error whose body cannot be read is parsed by its status alone.
        """
        body, checksum = response["body"], response["headers"].get("x-amz-crc32")
        if checksum and checksum != str(zlib.crc32(body)):
            raise TruncatedReply(f"the checksum of {len(body)} bytes is wrong")
        if response["status_code"] >= 300:
            return self._error(response, shape)
        return self._result(response, shape, is_whole=bool(checksum))

    def _result(self, response: Mapping[str, Any], shape: Shape, *, is_whole: bool) -> Any:
        body = response["body"]
        try:
            if not is_whole:
                json.loads(body.decode())  # botocore takes what is no JSON for an empty result
            parsed = self._parser.parse(response, shape)
            absent = NEEDED.get(getattr(shape, "name", ""), set()) - parsed.keys()  # not every operation has an output
        except Exception as error:
            raise TruncatedReply(f"{len(body)} bytes that make no sense arrived") from error
        if absent:
            raise TruncatedReply(f"a reply without {' and '.join(sorted(absent))} arrived")
        return parsed

    def _error(self, response: Mapping[str, Any], shape: Shape) -> Any:
        with contextlib.suppress(Exception):
            parsed = self._parser.parse(response, shape)
            if isinstance(parsed.get("Error", {}).get("Code", ""), str):
                return parsed
        return self._parser.parse({**response, "body": b""}, shape)
