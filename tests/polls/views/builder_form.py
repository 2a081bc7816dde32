"""The builder's form as a browser without JavaScript sees it."""

from html.parser import HTMLParser
from typing import Any

from polls.surveys.survey import Survey


class Fields(HTMLParser):
    """What a browser would send of the form #builder, or of the only form with a hidden `base`."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "input" and (given.get("type") not in ("checkbox", "radio") or "checked" in given):
            self.found[name] = value or ("on" if given.get("type") == "checkbox" else "")
        elif tag == "select":
            self._select = name
        elif tag == "textarea":
            self._area, self.found[name] = name, ""
        elif tag == "option" and "selected" in given:
            self.found[self._select] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.found[self._area] += data


def fields(page: Any) -> dict[str, str]:
    """What a browser would send of this page's form, without any button."""
    parser = Fields()
    parser.feed(page.content.decode())
    return parser.found


def edit(survey: Survey) -> str:
    """The address at which a survey is edited."""
    return f"/admin/surveys/{survey.code}/edit/"
