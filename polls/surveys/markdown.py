"""Renders help texts: Markdown without HTML. Scripts, images, headings and addresses outside the
web come out as plain text.
"""

from functools import cache

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

WEB = ("http://", "https://", "mailto:")


def render(text: str) -> SafeString:
    """HTML for a help text; empty for an empty one. It is safe, whatever the text holds."""
    return mark_safe(_parser().render(text)) if text else SafeString()  # noqa: S308  HTML in the text is escaped


class _Parser(MarkdownIt):
    """The library's own check lists the addresses that are forbidden; ours lists those that are
    allowed.
    """

    def validateLink(self, url: str) -> bool:
        return url.strip().lower().startswith(WEB)


@cache
def _parser() -> MarkdownIt:
    # Headings belong to the page. An image would be fetched from another host, which learns who
    # reads the page.
    return _Parser("commonmark", {"html": False}).disable(["image", "heading", "lheading", "html_block"])
