"""The status document's English sentences in the reader's language.

Each text of the document stands beside the phrase that it was formatted from
(`failover.core.phrases`). This module looks the phrase's template up in the catalogue and formats
it again. A text without a template is shown as it is: text that a person typed, and messages of an
SDK or an operating system.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from failover.core.phrases import Phrase, Value, from_json


def text_of(document: Mapping[str, Any], name: str, said: str = "said") -> str:
    """The text under `name` in the reader's language; `said` is the field that holds its phrase."""
    return translated(phrase_of(document, name, said))


def phrase_of(document: Mapping[str, Any], name: str, said: str = "said") -> str:
    """The phrase of the text under `name`, or the text itself where the document has no phrase that
    this program understands.
    """
    try:
        return from_json(document.get(said, document[name]))
    except ValueError:
        return str(document[name])


def translated(text: str) -> str:
    """A phrase in the reader's language; any other text as it is."""
    if not isinstance(text, Phrase):
        return text
    template = gettext(text.template) if text.plural is None else ngettext(text.template, text.plural, text.number)
    return template.format_map({name: _value(value) for name, value in text.values.items()})


class _Number(float):
    """Formats itself as the reader writes numbers."""

    def __format__(self, spec: str) -> str:
        return number_format(super().__format__(spec))


def _value(value: Value) -> Value:
    if isinstance(value, str):
        return translated(value)
    return _Number(value) if isinstance(value, float) else value
