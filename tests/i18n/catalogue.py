"""`make messages`: extracts the texts of the source into the German .po file, and compiles it.

It uses Babel only, so no machine needs gettext's own tools.
"""

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
PO = ROOT / "locale/de/LC_MESSAGES/django.po"
MO = PO.with_suffix(".mo")
PACKAGES = ("failover", "polls", "surveyapp")
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "phrase": None,
    "counted": (1, 2),
}
HEADER = """\
# What people read, in German. Instructors and students are addressed with "Sie".
#
# survey Umfrage, vote Stimme, to vote abstimmen, ballot Stimmzettel, round Runde, join code Umfragecode,
# voting link Abstimmungslink, instructor Lehrperson, receipt Quittung, presenter Präsentation, to reveal aufdecken
# region Region, outage Ausfall, failover Umschaltung, failback Rückkehr, routing Verkehrslenkung, traffic Verkehr,
# circuit Schutzschalter, canary Probe, trial Versuch, hold Wartezeit, lag Rückstand, to pin festlegen
#
# Kept by `make messages`: it adds what is new with an empty msgstr and drops what is gone."""
_FIELDS = re.compile(r"%(?:\(\w+\))?[sd]|\{\w*(?::[^{}]*)?\}|<[^<>]+>")


def extracted() -> Catalog:
    """Every text that the source marks for translation, without translations."""
    catalogue = Catalog()
    for path in _sources():
        text = path.read_text()
        if path.suffix == ".html":
            # The result is read as Python, to which a template's indentation would matter.
            text = "\n".join(line.strip() for line in templatize(text).splitlines())
        for _line, texts, _comments, context in extract("python", BytesIO(text.encode()), keywords=KEYWORDS):
            catalogue.add(texts, locations=[(path.relative_to(ROOT).as_posix(), 0)], context=context)
    return catalogue


def kept() -> Catalog:
    """The catalogue in the .po file; an empty one if there is no file."""
    if not PO.exists():
        return Catalog("de")
    with PO.open("rb") as file:
        return read_po(file, "de")


def compiled(catalogue: Catalog) -> bytes:
    """The .mo file of a catalogue."""
    file = BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def mistakes(source: Catalog, catalogue: Catalog) -> list[str]:
    """A line for each text without a valid translation, and for each translation of no text."""
    lines = []
    for message in texts(source):
        translated = catalogue.get(message.id, message.context)
        if translated is None or not all(_strings(translated)):
            lines.append(f"not translated: {message.id}")
        elif translated.fuzzy:
            lines.append(f"fuzzy: {message.id}")
        elif any(wrong := [text for text in _strings(translated) if not _fits(message, text)]):
            lines.append(f"other fields than {message.id}: {wrong}")
    used = {(message.id, message.context) for message in texts(source)}
    lines += [f"unused: {entry.id}" for entry in texts(catalogue) if (entry.id, entry.context) not in used]
    return lines


def texts(catalogue: Catalog) -> Iterator[Message]:
    """The messages of a catalogue without its header."""
    return (message for message in catalogue if message.id)


def updated(source: Catalog, old: Catalog) -> Catalog:
    """The texts of `source` with the translations of `old`."""
    day = datetime(2026, 11, 24, tzinfo=UTC)  # a fixed date, so that a run without news changes nothing
    new = Catalog(
        "de",
        header_comment=HEADER,
        project="surveyapp",
        version="1",
        copyright_holder="surveyapp",
        msgid_bugs_address="surveyapp",
        last_translator="surveyapp",
        language_team="surveyapp",
        creation_date=day,
        revision_date=day,
        fuzzy=False,
    )
    for message in texts(source):
        known = old.get(message.id, message.context)
        new.add(message.id, known.string if known else None, sorted(set(message.locations)), context=message.context)
    return new


def _sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))
    yield from templates()


def templates() -> list[Path]:
    """The project's own templates and those of its packages."""
    return [path for folder in ("templates", *PACKAGES) for path in sorted((ROOT / folder).rglob("*.html"))]


def _strings(message: Message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


def _fits(message: Message, text: str) -> bool:
    """Whether a translation has the fields and tags of one of the source's forms: a singular may spell out the 1."""
    forms = message.id if isinstance(message.id, tuple) else (message.id,)
    return sorted(_FIELDS.findall(text)) in [sorted(_FIELDS.findall(form)) for form in forms]


def main() -> None:
    """Brings the .po file up to date with the source and compiles it; exits with 1 if a translation is missing."""
    source = extracted()
    catalogue = updated(source, kept())
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as file:
        write_po(file, catalogue, width=120, sort_output=True, include_lineno=False, include_previous=False)
    MO.write_bytes(compiled(catalogue))
    if lines := mistakes(source, catalogue):
        sys.exit("\n".join([*lines, f"{len(lines)} texts are to be translated in {PO.relative_to(ROOT)}"]))


if __name__ == "__main__":
    main()
