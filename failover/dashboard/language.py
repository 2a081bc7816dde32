"""The status document's English sentences in the reader's language.

Each text of the document has beside it what it was made of (`failover.core.phrases`); this looks
the template up in the catalogue and puts the values in again. What was not made by a template is
shown as it is: what a person typed, and what an SDK or an operating system said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from failover.core.phrases import Phrase, Value, from_json


def text_of(document: Mapping[str, Any], name: str, said: str = "said") -> str:
    """The text under `name` in the reader's language; `said` is the field beside it that tells how
    it was made.
    """
    return translated(made(document, name, said))


def made(document: Mapping[str, Any], name: str, said: str = "said") -> str:
    """The text under `name` as a phrase, where the document says how it was made and this program
    understands it.
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
