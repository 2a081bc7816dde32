"""Help texts: Markdown without HTML. Scripts, images, headings and addresses that are not of the web come out as the
plain text that they were.
"""

from functools import cache

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

WEB = ("http://", "https://", "mailto:")


def render(text: str) -> SafeString:
    """HTML for a help text; empty for an empty one. Safe for whatever the text holds."""
    return mark_safe(_parser().render(text)) if text else SafeString()  # noqa: S308  HTML in the text is escaped


class _Parser(MarkdownIt):
    """The library's own check names which addresses are forbidden; ours names those that are allowed."""

    def validateLink(self, url: str) -> bool:
        return url.strip().lower().startswith(WEB)


@cache
def _parser() -> MarkdownIt:
    # A page's headings are its own; an image would be fetched from another host, which learns who reads the page.
    return _Parser("commonmark", {"html": False}).disable(["image", "heading", "lheading", "html_block"])
