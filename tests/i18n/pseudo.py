"""A language that nobody speaks: every letter of a translated text is a full-width one, so that what went through no
catalogue stands out on a page in plain letters, also where it was put into a translated sentence.
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
"""Elements whose content is no language."""
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
    """The text with its letters made full-width; its fields, tags and entities stay."""
    made, at = [], 0
    for kept in _KEPT.finditer(text):
        made += [_wide(text[at : kept.start()]), kept.group()]
        at = kept.end()
    return "".join([*made, _wide(text[at:])])


def speak(patch: pytest.MonkeyPatch) -> None:
    """Every text that is looked up from now on is marked."""
    for name in ("gettext", "ngettext", "pgettext", "npgettext"):
        look_up = getattr(trans_real, name)
        patch.setattr(translation._trans, name, lambda *texts, look_up=look_up: marked(look_up(*texts)))


def leftovers(html: str, *, known: frozenset[str] = frozenset()) -> list[str]:
    """What a person would read of a page that went through no catalogue: each text that holds such a word."""
    page = _Page()
    page.feed(html)
    found = []
    for text in page.texts:
        words = [word for word in _WORD.findall(text) if word not in KNOWN | known]
        if words:
            found.append(" ".join(text.split()))
    return found


class _Page(HTMLParser):
    """Collects what is read, seen or heard."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Attributes that are read out; an element in a language of its own is not ours."""
        given = dict(attrs)
        self.texts += list(_attributes(tag, given))
        if tag in SILENT or (tag != "html" and "lang" in given):
            self._silent.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Back to what is read."""
        if self._silent and tag == self._silent[-1]:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        """A text."""
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
