"""A person without a mouse: Tab, Shift+Tab, Enter, Space, arrows and typing, and a focus that can be seen."""

from playwright.sync_api import Page, expect

MOST = 250  # presses: the list of surveys has a dozen buttons for each survey
REACHED = "selector => document.activeElement.matches(selector)"
# Whether the element with the focus, or the label that is drawn in its place, has an outline, is in view, and has
# nothing over its middle. A shadow does not count: a card has one without the focus, too.
SEEN = """() => {
  const element = document.activeElement;
  const drawn = (target) => {
    const style = getComputedStyle(target);
    const solid = !["none", "hidden"].includes(style.outlineStyle) && !/, 0\\)$/.test(style.outlineColor);
    return solid && (style.outlineStyle === "auto" || parseFloat(style.outlineWidth) >= 2);
  };
  const label = element.closest("label");
  const box = (label ?? element).getBoundingClientRect();
  const middle = [box.left + box.width / 2, box.top + Math.min(box.height, innerHeight) / 2];
  const over = document.elementFromPoint(...middle);
  return {
    "is focus-visible": element.matches(":focus-visible"),
    "has a ring": drawn(element) || (label !== null && drawn(label)),
    "is large enough to be seen": box.width > 4 && box.height > 4,
    "is in view": box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    "lies under nothing": over !== null && (element.contains(over) || (label ?? element).contains(over)),
  };
}"""


def tab_to(page: Page, selector: str, *, key: str = "Tab") -> None:
    """Waits for the element, presses Tab (or Shift+Tab) until it has the focus, and asserts that the focus is seen."""
    expect(page.locator(selector).first).to_be_visible()
    for _press in range(MOST):
        if page.evaluate(REACHED, selector):
            break
        page.keyboard.press(key)
    else:
        raise AssertionError(f"no way to {selector} by keyboard")
    assert_focus_is_seen(page, selector)


def assert_focus_is_seen(page: Page, what: str) -> None:
    """Asserts that the element with the focus shows it."""
    missing = [name for name, holds in page.evaluate(SEEN).items() if not holds]
    assert not missing, f"the focus on {what} is not one that {', '.join(missing)}"


def press(page: Page, selector: str, key: str = "Enter") -> None:
    """Goes to a link or a button and presses it."""
    tab_to(page, selector)
    page.keyboard.press(key)


def write(page: Page, selector: str, text: str) -> None:
    """Goes to a field and types over what stands in it."""
    tab_to(page, selector)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)
