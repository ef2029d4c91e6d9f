"""Drive a page in Chromium, and note whatever a page must not do."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

PATIENCE_S = 30.0  # a page waits for two busy cores
expect.set_options(timeout=1000 * PATIENCE_S)
WIDE, PHONE = (1280, 900), (390, 844)
LOCAL = {"file", "data", "blob", "about"}


@dataclass
class Watched:
    """Hold a page with the errors it logged and the requests that left this machine."""

    page: Page
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def show(self, address: str, view: str, **settings: str) -> Page:
        """Open a view and wait until it is drawn.

        The page is left before: an address that differs behind its ``#`` alone would be drawn some time later, over what is
        taken for the answer.
        """
        wanted = "&".join([f"view={view}", *(f"{key}={value}" for key, value in settings.items())])
        self.page.goto("about:blank")
        self.page.goto(f"{address}#{wanted}")
        self.page.wait_for_selector(f"main[data-view={view}]")
        self.page.wait_for_selector("main .state[role=status]", state="detached")
        return self.page


def reads(page: Page, read: Callable[[], object], wanted: object) -> None:
    """Wait until ``read`` returns what is wanted, and compare once more when the page had its time.

    For reads of several elements, which Playwright's ``expect`` does not wait for.
    """
    giving_up = time.monotonic() + PATIENCE_S
    while read() != wanted and time.monotonic() < giving_up:
        page.wait_for_timeout(50)
    assert read() == wanted


def until_true(page: Page, expression: str, argument: object = None) -> None:
    """Wait until a page answers an expression with something true.

    Playwright's own ``wait_for_function`` asks again by ``eval``, which the pages' policy forbids: it works only where the first
    answer is true.
    """
    giving_up = time.monotonic() + PATIENCE_S
    while not page.evaluate(expression, argument):
        assert time.monotonic() < giving_up, expression
        page.wait_for_timeout(50)


def find_chromium() -> str:
    """Return the path of Debian's Chromium without windows, or of the whole one, or skip where there is neither.

    The former spends a fifth less of the CPU on the same pages.
    """
    path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed (apt-get install chromium-headless-shell)")
    return path


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium, or skip where there is none."""
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def watched(browser: Browser, size: tuple[int, int] = WIDE, scheme: str = "light") -> Iterator[Watched]:
    """Open a page of its own; what leaves the machine is refused and noted."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        timezone_id="UTC",
    )
    found = Watched(context.new_page())
    found.page.on("console", lambda message: found.errors.append(message.text) if message.type == "error" else None)
    found.page.on("pageerror", lambda error: found.errors.append(str(error)))
    found.page.on("request", lambda request: found.strangers.append(request.url) if _leaves(request.url) else None)
    yield found
    context.close()


def _leaves(address: str) -> bool:
    parts = urlparse(address)
    return parts.scheme not in LOCAL and parts.hostname != "127.0.0.1"
