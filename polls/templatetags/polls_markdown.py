"""`{{ text|markdown }}`: a help text as HTML."""

from django import template
from django.utils.safestring import SafeString

from polls.surveys.markdown import render

register = template.Library()


@register.filter
def markdown(text: str) -> SafeString:
    """Markdown without HTML; see polls/surveys/markdown.py."""
    return render(text)
