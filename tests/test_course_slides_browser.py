"""Slides in Chromium without a network: the keyboard moves them, axe is content."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from nestkit.course import editions, slides

pytestmark = pytest.mark.browser

SOURCES = editions.sources()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_slides_need_no_network_and_no_mouse(
    source: Path, browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "slides.html"
    path.write_text(slides.page(source), encoding="utf-8")
    context = browser.new_context(offline=True, bypass_csp=True)  # axe brings a script of its own
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    total = len(slides.slides(source)[1])
    where = page.locator("#where")
    assert where.inner_text() == f"1 of {total}"
    page.keyboard.press("n")
    assert page.locator("section.now aside").is_visible()
    for full in ("!!document.fullscreenElement", "!document.fullscreenElement"):
        page.keyboard.press("f")
        page.wait_for_function(f"() => {full}")
    for number in range(2, total + 1):
        page.keyboard.press("ArrowRight")
        assert where.inner_text() == f"{number} of {total}"
        assert page.locator("section.now h1").is_visible()
    page.keyboard.press("ArrowRight")  # there is no further one
    assert where.inner_text() == f"{total} of {total}"
    found = [
        (rule["id"], rule["impact"])
        for rule in Axe().run(page).response["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    assert found == []
    page.keyboard.press("ArrowLeft")
    assert where.inner_text() == f"{total - 1} of {total}"
    page.keyboard.press("Home")
    page.keyboard.press("n")
    small = """() => [...document.querySelectorAll('section.now h1 + img:last-child')].filter(
        e => e.offsetHeight < 0.66 * innerHeight && e.offsetWidth < 0.98 * e.parentNode.offsetWidth
            && e.offsetWidth < e.naturalWidth).length"""
    high = "() => document.querySelector('section.now').offsetHeight - innerHeight"
    for number in range(1, total + 1):
        assert page.evaluate(high) <= 0, f"slide {number} must be scrolled"
        assert page.evaluate(small) == 0, f"the picture of slide {number} could be larger"
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Home")
    assert where.inner_text() == f"1 of {total}"
    assert not page.locator("section.now aside").is_visible()
    assert said == []
    assert all(url.startswith(("file:", "data:")) for url in asked)
    context.close()
