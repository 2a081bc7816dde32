"""Replies of the server itself, to requests that it does not hand to the application."""

from __future__ import annotations

import json
from http import HTTPStatus

from gunicorn.http import errors

STATUSES: dict[type[Exception], int] = {
    errors.LimitRequestLine: 414,
    errors.LimitRequestHeaders: 431,
    errors.ExpectationFailed: 417,
    errors.UnsupportedTransferCoding: 501,
}
"""Errors of gunicorn's parser that are not answered with a plain 400."""


class Refused(Exception):
    """A request that is not served, with one sentence for a person; its connection is closed after
    the reply.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail

    @classmethod
    def malformed(cls, error: Exception) -> Refused:
        """The refusal for an error of gunicorn's parser, whose own text is not shown because it
        quotes the request.
        """
        status = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 400)
        return cls(status, DETAILS[status])

    def reply(self, *, to_program: bool) -> bytes:
        """The whole HTTP reply: a problem document (RFC 9457) for a program, a plain text for a
        person.
        """
        phrase = HTTPStatus(self.status).phrase
        problem = {"type": "about:blank", "title": phrase, "status": self.status, "detail": self.detail}
        body = json.dumps(problem) if to_program else f"{self.status} {phrase}\n\n{self.detail}\n"
        kind = "application/problem+json" if to_program else "text/plain; charset=utf-8"
        retry = "Retry-After: 2\r\n" if self.status == 503 else ""
        head = (
            f"HTTP/1.1 {self.status} {phrase}\r\nConnection: close\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body.encode())}\r\nCache-Control: no-store\r\n{retry}\r\n"
        )
        return (head + body).encode()


DETAILS = {
    400: "This is not a valid HTTP request.",
    408: "The request was not complete in time.",
    411: "The request must say how long its body is.",
    413: "The request is larger than 1 MB, and was not read.",
    414: "The address is too long.",
    415: "The body must not be compressed.",
    417: "This expectation cannot be met.",
    431: "The header fields are too large. Deleting this site's cookies may help.",
    501: "This transfer coding is not supported.",
    503: "The server is reading as much as it can. Send it again.",
}


def refused(status: int) -> Refused:
    """A refusal with its usual sentence."""
    return Refused(status, DETAILS[status])
