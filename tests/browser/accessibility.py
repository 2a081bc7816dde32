"""What must hold of every page: axe finds nothing, text is readable in each colour scheme, nothing is too wide."""

from collections.abc import Collection
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
"""axe's names for the rules of WCAG 2.2 AA."""
SCREEN_RULES = ["color-contrast", "target-size", "link-in-text-block", "scrollable-region-focusable"]
"""axe's rules whose outcome can depend on the width of the screen or on its colours."""
FINISH_ANIMATIONS = "document.getAnimations().forEach(animation => animation.finish())"
# For a page into which `assert_accessible` has loaded axe.
VIOLATIONS = """async (values) => {
  const results = await axe.run({runOnly: {type: "rule", values}, resultTypes: ["violations"]});
  return results.violations.flatMap(
    rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 200)}: ${node.failureSummary}`));
}"""


def show_on(page: Page, screen: dict[str, Any], scheme: str) -> None:
    """Gives the page another size and colour scheme, and ends the transitions that this starts."""
    page.set_viewport_size(screen["viewport"])
    page.emulate_media(color_scheme=scheme)
    page.evaluate(FINISH_ANIMATIONS)


def assert_accessible(page: Page, tags: Collection[str] = WCAG) -> None:
    """axe finds nothing against the rules with these tags."""
    options = {"runOnly": {"type": "tag", "values": list(tags)}, "resultTypes": ["violations"]}
    results = Axe().run(page, options=options)
    assert results.violations_count == 0, results.generate_report()


def assert_no_sideways_scrolling(page: Page) -> None:
    """The page is no wider than the screen."""
    page_width, screen_width = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert page_width <= screen_width, f"the page is {page_width} px wide, the screen {screen_width} px"


def assert_good(page: Page) -> None:
    """The page is accessible and no wider than the screen."""
    assert_accessible(page)
    assert_no_sideways_scrolling(page)


def assert_stays_good(page: Page, screen: dict[str, Any], scheme: str) -> None:
    """A page that `assert_accessible` has passed is good on another screen or in other colours, too.

    Only the rules whose outcome can have changed are checked again.
    """
    show_on(page, screen, scheme)
    assert_no_sideways_scrolling(page)
    violations = page.evaluate(VIOLATIONS, SCREEN_RULES)
    assert not violations, "\n".join(violations)


def assert_good_in_light_and_dark(page: Page) -> None:
    """The page is good in light colours and readable in dark colours, which it keeps."""
    screen = {"viewport": page.viewport_size}
    show_on(page, screen, "light")
    assert_good(page)
    assert_stays_good(page, screen, "dark")
