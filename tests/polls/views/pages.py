"""Pages as a browser without JavaScript sees them: what tests of several pages read and send."""

import html
import re
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from polls.ballots.selectors import ballots
from polls.surveys.survey import Survey


def url(survey: Survey, rest: str = "") -> str:
    return f"/s/{survey.code}/{rest}"


def text(response: HttpResponse) -> str:
    return response.content.decode()


def hidden(response: HttpResponse) -> dict[str, str]:
    """The hidden fields of a page's ballot."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text(response)))


def send(browser: Client, survey: Survey, page: HttpResponse, **answers: Any) -> HttpResponse:
    return browser.post(url(survey), {**hidden(page), **answers})


def stored(survey: Survey) -> list[dict[str, Any]]:
    return [dict(ballot.answers) for ballot in ballots(survey).value]


def assert_sound(page: str) -> None:
    """What every page owes its reader."""
    assert page.count("<h1") == 1
    assert '<main id="main"' in page
    assert 'href="#main"' in page
    assert not re.search(r"\sstyle=|\son\w+=|<script>|<style", page), "the content policy forbids inline code"


def carried(page: Any) -> dict[str, str]:
    """Every hidden field of a page with one form."""
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', text(page), re.DOTALL)
    return {name: html.unescape(value) for name, value in fields}


def rotated(browser: Client) -> Client:
    """Somebody signed in in another tab, so that every page that is open holds an old token."""
    browser.cookies[settings.CSRF_COOKIE_NAME] = "A" * 32
    return browser
