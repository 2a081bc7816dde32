"""Finds a Chromium for the browser tests. As a program, for `make test`, it also installs one where it can."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
EXPECTED_WITHIN_MS = 15_000  # for each `expect`, on a machine that does other work too
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def executable() -> str | None:
    """The path of the system's Chromium, or of the one that Playwright installed, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None) or _playwrights_own()


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.path.exists(path) else None


@contextlib.contextmanager
def started() -> Iterator[Browser]:
    """Chromium for many tests, each of which opens its own browser context. Skips the test where there is no Chromium.

    Within the block this thread has a running event loop, Playwright's: `asyncio.run` fails, and Django would refuse
    to use the database.
    """
    import pytest
    from playwright.sync_api import expect, sync_playwright

    path = executable()
    if path is None:
        pytest.skip("no Chromium on this machine")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "yes")  # only Playwright runs in that loop
        expect.set_options(timeout=EXPECTED_WITHIN_MS)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def main() -> None:
    """Installs Chromium: as root Debian's package, otherwise Playwright's download. Prints one line if that fails."""
    if executable():
        return
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], check=False, **quiet)
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    if not executable():
        sys.exit("the browser tests need Chromium: apt install chromium, or playwright install chromium")


if __name__ == "__main__":
    main()
