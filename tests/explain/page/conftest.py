"""A browser for the tests of pages, where there is one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from cellwright.explain.opened import Explained
from page_runs import Open

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a browser without a window."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no Chromium here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open facts as a page; nothing may be asked for, and nothing complain."""
    complaints: list[str] = []
    pages: list[Page] = []

    def open_page(found: Explained) -> Page:
        found.save_html(tmp_path / "page.html")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        pages.append(page)
        page.on("pageerror", lambda fault: complaints.append(str(fault)))
        page.on("console", lambda said: complaints.append(said.text))
        page.on("request", lambda asked: complaints.append(asked.url))
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_selector("body[data-open]")
        if found.traces is not None:
            page.wait_for_selector("body[data-ready]")
        return page

    yield open_page
    own = [page.url for page in pages]
    assert [each for each in complaints if each not in own] == []
    for page in pages:
        page.close()
