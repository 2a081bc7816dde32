"""A chunked body (RFC 9112, 7.1), decoded as it arrives. gunicorn's own decoder waits for the
client, in a thread.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from gunicorn.http.body import CHUNK_EXT_RE

from surveyapp.server.limits import Limits
from surveyapp.server.refusals import refused

LONGEST_LINE, LONGEST_TRAILERS = 256, 8_190
SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})" + CHUNK_EXT_RE.pattern)
"""A chunk's size; an extension means nothing here and is dropped."""
TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")
"""A field after the last chunk: dropped, too."""


class Expect(Enum):
    """What comes next."""

    SIZE = auto()
    DATA = auto()
    END_OF_DATA = auto()
    TRAILER = auto()
    NOTHING = auto()


class ChunkedBody:
    """`body` grows with each `feed`, which raises `Refused`: 400 for broken framing, 413 for a body
    above the limit, 431 for too many trailers.
    """

    def __init__(self, limits: Limits) -> None:
        self.body = bytearray()
        self._limits = limits
        self._expect = Expect.SIZE
        self._remaining = 0  # bytes of the chunk that have not come
        self._chunks = 0
        self._trailers = 0

    def feed(self, received: bytearray) -> bool:
        """Moves what belongs to the body from the front of `received`. Returns whether the body is
        complete.
        """
        while self._expect is not Expect.NOTHING:
            if self._expect is Expect.DATA:
                piece = received[: self._remaining]
                del received[: len(piece)]
                self.body += piece
                self._remaining -= len(piece)
                if self._remaining:
                    return False
                self._expect = Expect.END_OF_DATA
            elif (line := _line(received)) is None:
                return False
            else:
                self._read(line)
        return True

    def _read(self, line: bytes) -> None:
        if self._expect is Expect.SIZE:
            self._begin(line)
        elif self._expect is Expect.END_OF_DATA:
            if line:
                raise refused(400)
            self._expect = Expect.SIZE
        else:
            self._trailers += len(line)
            if line and not TRAILER.fullmatch(line):
                raise refused(400)
            if self._trailers > LONGEST_TRAILERS:
                raise refused(431)
            if not line:
                self._expect = Expect.NOTHING

    def _begin(self, line: bytes) -> None:
        size = SIZE.fullmatch(line)
        self._chunks += 1
        if not size or self._chunks > self._limits.chunks:
            raise refused(400)
        self._remaining = int(size[1], 16)
        if len(self.body) + self._remaining > self._limits.body:
            raise refused(413)
        self._expect = Expect.DATA if self._remaining else Expect.TRAILER


def _line(received: bytearray) -> bytes | None:
    """Removes the first line from `received` and returns it without its end; None while it is not
    complete.
    """
    end = received.find(b"\n", 0, LONGEST_LINE)
    if end < 0:
        if len(received) >= LONGEST_LINE:
            raise refused(400)
        return None
    line = bytes(received[: end + 1])
    del received[: end + 1]
    if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
        raise refused(400)
    return line[:-2]
