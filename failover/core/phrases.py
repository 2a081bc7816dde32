"""English that remembers how it was made, so that a page can say the same in another language.

The core writes English: to the log, to the command line, in the status document and in the events that are stored. It
knows no catalogue and no other language. But a sentence is made of a template and values, and both travel with it as
JSON. A page looks the template up in its own language and puts the same values in, so no English is taken apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Required, TypedDict

Value = str | int | float
"""What a template is filled with; a text may be a phrase itself."""


class PhraseDocument(TypedDict, total=False):
    """A phrase as JSON: the template with its named fields, what fills them, and, where its words follow a number,
    the template of the plural and that number."""

    template: Required[str]
    values: Mapping[str, Any]
    plural: str
    count: int


class Phrase(str):
    """A text that is plain English, and knows its template and values."""

    template: str
    values: Mapping[str, Value]
    plural: str | None
    number: int


def phrase(template: str, /, **values: Value) -> Phrase:
    """`template` filled with `values`, as `str.format` does."""
    return _filled(template, None, 0, values)


def counted(singular: str, plural: str, count: int, /) -> Phrase:
    """`singular` or `plural`, by the rule of English; both may hold `{count}`."""
    return _filled(singular, plural, count, {"count": count})


def to_json(text: str) -> str | PhraseDocument:
    """A phrase as a document; any other text is its own."""
    if not isinstance(text, Phrase):
        return text
    document: PhraseDocument = {"template": text.template}
    if text.plural is not None:
        document["plural"], document["count"] = text.plural, text.number
    elif text.values:
        document["values"] = {
            name: to_json(value) if isinstance(value, str) else value for name, value in text.values.items()
        }
    return document


def from_json(document: Any) -> str:
    """The phrase, or the plain text, that was written. Raises ValueError for anything else."""
    if isinstance(document, str):
        return document
    try:
        template = str(document["template"])
        if "plural" in document:
            return counted(template, str(document["plural"]), int(document["count"]))
        values = document.get("values", {})
        return phrase(
            template,
            **{name: value if isinstance(value, int | float) else from_json(value) for name, value in values.items()},
        )
    except (KeyError, IndexError, TypeError, AttributeError) as exc:
        raise ValueError(f"not a phrase: {exc!r}") from exc


def _filled(template: str, plural: str | None, count: int, values: Mapping[str, Value]) -> Phrase:
    english = template if plural is None or count == 1 else plural
    text = Phrase(english.format_map(values))
    text.template, text.plural, text.number, text.values = template, plural, count, values
    return text
