"""Reads JSON from strangers, and refuses what two readers could understand differently."""

import json
from typing import Any, NoReturn

from django.utils.translation import gettext as _

DEPTH = 16  # a definition needs 4 levels, a ballot 3


class Malformed(ValueError):
    """The text is not JSON that we accept; the message says why in one sentence."""


def loads(data: bytes) -> Any:
    """Parse UTF-8 JSON.

    Raises Malformed for anything else, and for duplicate names, NaN and infinities, more than 16
    levels, numbers too long to read and half characters (lone surrogates, which no database
    stores).
    """
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_constant)
    except UnicodeDecodeError:
        raise Malformed(_("The text is not UTF-8.")) from None
    except json.JSONDecodeError as error:
        raise Malformed(
            _("Not valid JSON: %(what)s in line %(line)d, column %(column)d.")
            % {"what": error.msg, "line": error.lineno, "column": error.colno}
        ) from None
    except RecursionError:
        raise Malformed(_too_deep()) from None
    except Malformed:
        raise
    except ValueError:
        raise Malformed(_("A number is too long.")) from None
    _inspect(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise Malformed(_("The name “%(name)s” appears twice in one object.") % {"name": name[:50]})
        result[name] = value
    return result


def _constant(name: str) -> NoReturn:
    raise Malformed(_("%(name)s is not JSON.") % {"name": name})


def _inspect(value: Any) -> None:
    """Walks without recursion, because a stranger controls the depth."""
    waiting = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if depth > DEPTH:
            raise Malformed(_too_deep())
        if isinstance(item, str):
            _whole(item)
        elif isinstance(item, float) and item in (float("inf"), float("-inf")):
            raise Malformed(_("A number is too large."))
        elif isinstance(item, dict):
            for name, inner in item.items():
                _whole(name)
                waiting.append((inner, depth + 1))
        elif isinstance(item, list):
            waiting.extend((inner, depth + 1) for inner in item)


def _whole(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed(_("A text holds half a character (a lone surrogate).")) from None


def _too_deep() -> str:
    return _("More than %(depth)d levels of nesting.") % {"depth": DEPTH}
