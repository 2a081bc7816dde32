"""The German catalogue: complete, fitting, and compiled as it stands."""

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo

from tests.i18n.catalogue import MO, extracted, kept, mistakes, texts, updated


@pytest.fixture(scope="module")
def source() -> Catalog:
    return extracted()


def test_every_text_of_the_source_is_translated_with_the_same_fields_and_none_is_left_over(source: Catalog) -> None:
    lines = mistakes(source, kept())
    assert not lines, "run `make messages`, translate in locale/de/LC_MESSAGES/django.po, run it again:\n" + "\n".join(
        lines
    )


def test_the_compiled_file_that_a_users_machine_reads_is_that_of_the_catalogue() -> None:
    with MO.open("rb") as file:
        compiled = read_mo(file)
    assert _flat(compiled) == _flat(kept()), "run `make messages`"


def _flat(catalogue: Catalog) -> dict[str, str]:
    def plain(text: object) -> str:
        return str(text if isinstance(text, str) else list(text))

    def context(message: Message) -> str:  # Babel reads it from a compiled file as bytes
        return message.context.decode() if isinstance(message.context, bytes) else str(message.context)

    return {f"{context(message)} {plain(message.id)}": plain(message.string) for message in texts(catalogue)}


@pytest.mark.parametrize(
    "text",
    [
        "Send my vote",  # a template
        "There is a problem; nothing was saved",  # a condition within one
        "Choose a file.",  # a lazy text
        "{region}: it has not been open yet.",  # a sentence of the engine
        ("%(number)d minute ago", "%(number)d minutes ago"),  # a plural in Python
        ("{count} canary", "{count} canaries"),  # a plural of the engine
        ("%(n)s voter", "%(n)s voters"),  # a plural in a template
    ],
)
def test_texts_are_found_wherever_they_are_marked(source: Catalog, text: str | tuple[str, str]) -> None:
    assert text in [message.id for message in texts(source)]


def _with(text: str | tuple[str, str], translation: str | tuple[str, str] | None) -> tuple[Catalog, Catalog]:
    source, catalogue = Catalog(), Catalog("de")
    source.add(text)
    if translation is not None:
        catalogue.add(text, translation)
    return source, catalogue


@pytest.mark.parametrize(
    ("text", "translation", "mistake"),
    [
        ("Vote", None, "not translated: Vote"),
        ("Vote", "", "not translated: Vote"),
        (("%(n)s vote", "%(n)s votes"), ("%(n)s Stimme", ""), "not translated: ('%(n)s vote', '%(n)s votes')"),
        ("%(n)s is open", "%(m)s ist offen", "other fields than %(n)s is open: ['%(m)s ist offen']"),
        ("{ms:.1f} ms", "{ms} ms", "other fields than {ms:.1f} ms: ['{ms} ms']"),
        ("<b>Vote</b>", "Stimme", "other fields than <b>Vote</b>: ['Stimme']"),
    ],
)
def test_what_is_missing_or_would_fail_on_the_page_is_named(text, translation, mistake) -> None:
    assert mistakes(*_with(text, translation)) == [mistake]


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("Vote", "Stimme"),
        ("%(n)d of %(all)d", "von %(all)d sind es %(n)d"),
        (("One vote", "%(n)s votes"), ("Eine Stimme", "%(n)s Stimmen")),
    ],
)
def test_a_fitting_translation_is_no_mistake(text, translation) -> None:
    assert mistakes(*_with(text, translation)) == []


def test_a_guess_and_a_text_that_is_gone_are_named() -> None:
    source, catalogue = _with("Vote", "Stimme")
    catalogue.get("Vote").flags.add("fuzzy")
    assert mistakes(source, catalogue) == ["fuzzy: Vote"]
    assert mistakes(Catalog(), catalogue) == ["unused: Vote"]


def test_bringing_it_up_to_date_keeps_what_is_translated_adds_what_is_new_and_drops_what_is_gone() -> None:
    source, old = _with("Vote", "Stimme")
    source.add("Ballot")
    old.add("Poll", "Umfrage")
    new = updated(source, old)
    assert {message.id: message.string for message in texts(new)} == {"Vote": "Stimme", "Ballot": None}
    assert new.get("Vote").fuzzy is False
