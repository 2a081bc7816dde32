"""A person without a mouse: Tab, Shift+Tab, Enter, Space, arrows and typing, and a focus that is seen."""

from playwright.sync_api import Page, expect

MOST = 250  # presses: the list of surveys has a dozen buttons a survey
REACHED = "selector => document.activeElement.matches(selector)"
# What is drawn around the element itself, or around the label that stands for it; a shadow that a card has without the
# focus does not count. In view, and nothing lies over its middle.
SEEN = """() => {
  const element = document.activeElement;
  const drawn = (one) => {
    const style = getComputedStyle(one);
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
    """Presses Tab (or Shift+Tab) until the element, which may be on a page that is still on its way, has the focus, and
    must then be seen to have it.
    """
    expect(page.locator(selector).first).to_be_visible()
    for _press in range(MOST):
        if page.evaluate(REACHED, selector):
            break
        page.keyboard.press(key)
    else:
        raise AssertionError(f"no way to {selector} by keyboard")
    assert_focus_is_seen(page, selector)


def assert_focus_is_seen(page: Page, what: str) -> None:
    """The element with the focus shows that it has it."""
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
