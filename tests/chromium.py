"""Chromium where there is one, and the faults of a page as it is laid out in it."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

DESK, PHONE, PAPER = 1280, 390, 794  # pixels: the last is A4
LOOKS = [  # width, medium, colour scheme
    *((width, "screen", scheme) for width in (DESK, PHONE) for scheme in ("light", "dark")),
    (PAPER, "print", "light"),
]
CHECKS = Path(__file__).with_name("page_checks.js").read_text(encoding="utf-8")


def find_chromium():
    """Return the path of a Chromium, or skip: unless one is required, which CI says."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        reason = f"no Chromium: set CHROMIUM to its path, or install one of {', '.join(names)}"
        if os.environ.get("ROBFAIR_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def open_chromium():
    """Run a Chromium; skip as `find_chromium` does, or where playwright is missing."""
    path = find_chromium()
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        # In a container Chromium cannot make the sandbox, and it opens no file but ours.
        browser = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def listen(page):
    """Return a list to which all that goes wrong in a page will be added: messages, requests."""
    wrong = []

    def message(said):
        if not said.text.startswith("[PST]: "):  # the documentation's theme tells of itself
            wrong.append(f"console: {said.text}")

    def request(asked):
        if not asked.url.startswith(("file:", "data:")):
            wrong.append(f"request: {asked.url}")

    page.on("console", message)
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", request)
    return wrong


def faults(page, width, medium, scheme):
    """Lay a page out and list its faults: too wide, hard to read, without landmarks."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(media=medium, color_scheme=scheme, reduced_motion="reduce")
    return page.evaluate(CHECKS)
