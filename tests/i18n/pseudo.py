"""A pseudo language: every letter of a translated text is a full-width one.

So a text that went through no catalogue stands out in plain letters, even within a translated sentence.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from django.utils import translation
from django.utils.translation import trans_real

_KEPT = re.compile(r"%%|%(?:\(\w+\))?[-#0 +]*[\d.]*[sdrfgc]|\{\w*(?::[^{}]*)?\}|</?\w[^<>]*>|&#?\w+;")
_WORD = re.compile(r"[A-Za-z]{2,}")
_SPOKEN = ("title", "alt", "aria-label", "aria-description", "placeholder", "data-ago", "data-lost")
SILENT = ("script", "style", "code", "kbd")
"""Elements whose content is not read as language."""
KNOWN = frozenset(
    {
        "surveyapp",  # this program's name
        "ms", "min", "UTC",  # units
        "us", "east", "west",  # regions
        "http", "https", "testserver", "localhost", "json",  # addresses
        "Europe", "Berlin",
    }
)  # fmt: skip
"""Words that are the same in every language."""


def marked(text: str) -> str:
    """The text with full-width letters; its fields, tags and entities are unchanged."""
    parts, at = [], 0
    for kept in _KEPT.finditer(text):
        parts += [_wide(text[at : kept.start()]), kept.group()]
        at = kept.end()
    return "".join([*parts, _wide(text[at:])])


def speak(patch: pytest.MonkeyPatch) -> None:
    """Marks every text that is looked up from now on."""
    for name in ("gettext", "ngettext", "pgettext", "npgettext"):
        look_up = getattr(trans_real, name)
        patch.setattr(translation._trans, name, lambda *texts, look_up=look_up: marked(look_up(*texts)))


def leftovers(html: str, *, known: frozenset[str] = frozenset()) -> list[str]:
    """The texts of a page, as a person reads them, with a word that went through no catalogue."""
    page = _Page()
    page.feed(html)
    plain = []
    for text in page.texts:
        words = [word for word in _WORD.findall(text) if word not in KNOWN | known]
        if words:
            plain.append(" ".join(text.split()))
    return plain


class _Page(HTMLParser):
    """Collects what is read, seen or heard."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collects attributes that are read out. The content of an element with its own language is skipped."""
        given = dict(attrs)
        self.texts += list(_attributes(tag, given))
        if tag in SILENT or (tag != "html" and "lang" in given):
            self._silent.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Ends a skipped element."""
        if self._silent and tag == self._silent[-1]:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        """Collects a text, unless its element is skipped."""
        if not self._silent:
            self.texts.append(data)


def _attributes(tag: str, given: dict[str, str | None]) -> Iterator[str]:
    for name, value in given.items():
        spoken = (
            name in _SPOKEN or name.startswith("data-say") or (tag == "meta" and given.get("name") == "description")
        )
        if value and spoken and (tag != "meta" or name == "content"):
            yield value


def _wide(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if letter.isascii() and letter.isalpha() else letter for letter in text)
