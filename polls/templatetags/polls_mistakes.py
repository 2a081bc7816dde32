"""What is wrong with a field of the builder, said at the field.

`{% mistakes_at "title" %}` is the paragraph, `{% describes "title" "title-hint" %}` the attributes
of the field. Fields of a question are named with its place: `{% mistakes_at "text" place %}`.
"""

from typing import Any

from django import template
from django.template import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

register = template.Library()


@register.simple_tag(takes_context=True)
def mistakes_at(context: Context, field: str, place: int | None = None) -> SafeString:
    """A paragraph with everything that is wrong with the field; empty where all is well."""
    mistakes = _mistakes(context, field, place)
    if not mistakes:
        return SafeString("")
    sentences = format_html_join(" ", "{}", ((mistake,) for mistake in mistakes))
    return format_html(
        '<p class="field-error" id="{}-error"><span class="visually-hidden">{}</span> {}</p>',
        _anchor(field, place),
        _("Error:"),
        sentences,
    )


@register.simple_tag(takes_context=True)
def describes(context: Context, field: str, hint: str = "", place: int | None = None) -> SafeString:
    """The attributes that tie a field to its hint (an id, within its question) and to what is wrong
    with it.
    """
    wrong = bool(_mistakes(context, field, place))
    ids = [*([_anchor(hint, place)] if hint else []), *([f"{_anchor(field, place)}-error"] if wrong else [])]
    described = format_html(' aria-describedby="{}"', " ".join(ids)) if ids else SafeString("")
    return described + SafeString(' aria-invalid="true"') if wrong else described


def _mistakes(context: Context, field: str, place: int | None) -> list[str]:
    shown: list[Any] = [*(context.get("mistakes") or []), *(context.get("broken") or [])]
    return [mistake.what for mistake in shown if mistake.anchor == _anchor(field, place)]


def _anchor(field: str, place: int | None) -> str:
    return field if place is None else f"q{place}-{field}"
