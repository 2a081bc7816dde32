"""What a text from outside may hold: one check for forms, JSON, imports, the command line and the environment.

A text is refused when it would harm its later readers: it holds codes that no encoding can write,
controls, characters that turn the letters around them, or characters that hide words. A character
that this Python does not know yet harms nobody. `whole_number` reads every number that somebody types
or sends as text. Standard library only.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

REPLACEMENT = "\ufffd"
MOST_MARKS = 16
"""Combining marks in a row. The richest real scripts (Tibetan, cantillated Hebrew) need about nine; a tower of them
covers the lines above and below."""
MOST_DIGITS = 18
"""Digits of a number: the most that always fit into 64 bits. Python itself refuses more than 4,300, with an error."""
LONGEST_SHOWN = 2_000
"""Characters of one text that was stored before there was a limit."""

_ENDS = "".join(chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF))
_NEVER = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls
    "\ud800-\udfff"  # halves of characters
    f"\ufdd0-\ufdef{_ENDS}"  # no characters, by definition
    "\u202d\u202e"  # overrides: letters in the order of another script
    "\U000e0001"  # a language tag, which nobody sees
)
_HARM = {True: re.compile(f"[{_NEVER}]"), False: re.compile(f"[{_NEVER}\t\n\u2028\u2029]")}
_ESCAPED = re.compile(f"[{_NEVER}\t\n\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_TURNS = re.compile("[\u202a-\u202c\u2066-\u2069]")
_CLOSES = {"\u202c": "\u202a\u202b", "\u2069": "\u2066\u2067\u2068"}
_TAGS = re.compile("[\U000e0020-\U000e007f]")
# Tags have one use: a black flag and the name of a country within a country, such as England's.
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
_LINE_ENDS = re.compile("\r\n|[\r\u2028\u2029]")

_BLANK = "\u200b\u2060\ufeff"  # blanks of no width: no part of a text at its ends
# What shows nothing although its category is that of a letter, a mark, a symbol or nothing yet: fillers, the empty
# Braille cell, the note without a head, a place for an object, selectors of a variant, and what Unicode reserves.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\ufffc"
    "\U0001d159\U000e0000-\U000e0fff]"
)
_UNSEEN = frozenset({"Cf", "Mn", "Me"})  # marks need something that they stand on
_ACCENTS = frozenset({"Mn", "Me"})
_JOINERS = "\u200c\u200d"
# Joiners change how these look: scripts whose letters join, and what emoji are made of.
_JOINED = re.compile("[\u0590-\u109f\u1780-\u18af\u2190-\u2bff\U000e007f\U0001f000-\U0001faff]")


def tidy(text: str, *, lines: bool = False) -> str:
    """The one form in which a text is kept: composed (NFC), without blanks at its ends, and, of several lines, with one
    kind of line end.
    """
    if lines:
        text = _LINE_ENDS.sub("\n", text)
    composed = unicodedata.normalize("NFC", text)
    while composed != (composed := composed.strip().strip(_BLANK)):
        continue
    return composed


def harm(text: str, *, lines: bool = False) -> str | None:
    """The first character that must not be taken in, as code and name, such as "U+202E RIGHT-TO-LEFT OVERRIDE"; None
    for a harmless text. `lines` allows several lines, and tabs.
    """
    if text.isascii() and text.isprintable():
        return None
    if match := _HARM[lines].search(text):
        return _name(match[0])
    for line in text.split("\n"):
        if (place := _harm_in_line(line)) is not None:
            return _name(line[place])
    return None


def whole_number(text: str, *, digits: int = MOST_DIGITS) -> int | None:
    """The whole number that 1 to `digits` ASCII digits say; None for any other text.

    Signs, blanks, underscores and the digits of other scripts, which `int` accepts, are refused.
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None


def is_empty(text: str) -> bool:
    """Whether nothing of it can be seen. A harmful character counts as seen, so that it is refused and not ignored."""
    return not any(_is_seen(character) for character in text)


def likeness(text: str) -> str:
    """A form that is equal for two texts that look the same, which differ in blanks or in invisible characters."""
    flags = _FLAG.findall(text)
    kept: list[str] = []
    for character in _FLAG.sub("\U000e007f", unicodedata.normalize("NFC", text)):
        if character == "\U000e007f" and flags:
            kept.append(flags.pop(0))
        elif character in _JOINERS:
            if kept and _JOINED.fullmatch(kept[-1][-1]):
                kept.append(character)
        elif character.isspace():
            kept.append(" ")
        elif unicodedata.category(character) != "Cf" and not _INVISIBLE.match(character):
            kept.append(character)
    return " ".join("".join(kept).strip(_JOINERS).split())


def harmless(text: str, *, lines: bool = False, most: int | None = None) -> str:
    """A text that is stored already, made fit to be shown: harmful characters are replaced, in a text of one line also
    its line ends, and a text longer than `most` characters is cut.
    """
    if not lines:
        text = " ".join(text.splitlines()).replace("\t", " ")
    if harm(text, lines=lines) is not None:
        text = _HARM[lines].sub(REPLACEMENT, text)
    if harm(text, lines=lines) is not None:
        text = _TURNS.sub(REPLACEMENT, _TAGS.sub(REPLACEMENT, text))
    if harm(text, lines=lines) is not None:
        text = "".join(character for character in text if unicodedata.category(character) not in _ACCENTS)
    return text if most is None or len(text) <= most else f"{text[: most - 1]}…"


def harmless_json(value: Any) -> Any:
    """Stored JSON with every text in it harmless, in one line, and not endless."""
    if isinstance(value, str):
        return harmless(value, most=LONGEST_SHOWN)
    if isinstance(value, dict):
        return {harmless(name): harmless_json(inner) for name, inner in value.items()}
    return [harmless_json(inner) for inner in value] if isinstance(value, list) else value


def escaped(text: str) -> str:
    """A text for one line of a log: characters that would break or turn the line are written as Python escapes them."""
    return _ESCAPED.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _harm_in_line(line: str) -> int | None:
    """The place of a character that is harmful only because of what stands, or does not stand, around it."""
    open_: list[tuple[str, int]] = []
    for match in _TURNS.finditer(line):
        if match[0] not in _CLOSES:
            open_.append((match[0], match.start()))
        elif not open_ or open_.pop()[0] not in _CLOSES[match[0]]:
            return match.start()
    if open_:
        return open_[0][1]
    flagless = _FLAG.sub(lambda match: " " * len(match[0]), line)
    if tag := _TAGS.search(flagless):
        return tag.start()
    return None if line.isascii() else _tower(line)


def _tower(line: str) -> int | None:
    marks = 0
    for place, character in enumerate(line):
        marks = marks + 1 if unicodedata.category(character) in _ACCENTS else 0
        if marks > MOST_MARKS:
            return place
    return None


def _is_seen(character: str) -> bool:
    blank = character.isspace() or unicodedata.category(character) in _UNSEEN
    return not blank and _INVISIBLE.match(character) is None


def _name(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()
