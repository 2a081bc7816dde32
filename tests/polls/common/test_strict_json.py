"""JSON from strangers."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polls.common.strict_json import Malformed, loads


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b'{"a": 1, "a": 2}',
        b"[NaN]",
        b"[Infinity]",
        b"[1e999]",
        b"[" + b"9" * 5000 + b"]",
        b"[" * 17 + b"]" * 17,
        b"[" * 30_000,
        b'{"a":' * 30_000,
        b'["\\ud800"]',
        b'{"\\udc00": 1}',
        b"\xef\xbb\xbf{}",
        b"{} {}",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_could_be_misunderstood_is_refused_in_one_sentence(data: bytes):
    with pytest.raises(Malformed) as caught:
        loads(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 150


@given(st.binary(max_size=40))
def test_no_bytes_whatever_raise_anything_else(data: bytes):
    with suppress(Malformed):
        loads(data)


def test_ordinary_json_is_read():
    assert loads('{"a": [1, 2.5, true, null, "ü😀"]}'.encode()) == {"a": [1, 2.5, True, None, "ü😀"]}
