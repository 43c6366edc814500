"""The page of a fleet in Chromium: its filter by keyboard alone, hostile names, no network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Dialog,
    Error,
    Page,
    Request,
)

import nestkit as nk
from nestkit.hosts.base import Unread
from nestkit.preflight import FleetReport

pytestmark = pytest.mark.browser
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)></td>`${1}`"
SHOWN = "[...document.querySelectorAll('tr[data-level]')].filter(row => row.offsetParent).length"


@pytest.fixture(scope="module")
def report() -> FleetReport:
    with nk.practice.start("vpx", vms=200) as practice:
        host = nk.connect(practice.url, password=practice.password)
        found = nk.preflight.fleet(host)
        host.close()
    number = [vm.name for vm in found.sheet.vms].index("nested-esxi-07")
    found.sheet.vms[number] = replace(found.sheet.vms[number], name=HOSTILE)
    return replace(found, unread=(*found.unread, Unread('<b>hid"den</b>', "<i>not for you</i>")))


@pytest.fixture(scope="module")
def written(report: FleetReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report.save_html(tmp_path_factory.mktemp("fleet") / "fleet.html")


class Opened:
    """The page, with all that it asked for and said."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.asked: list[str] = []
        self.said: list[str] = []
        page.on("request", self._request)
        page.on("console", self._message)
        page.on("pageerror", self._error)
        page.on("dialog", self._dialog)
        page.goto(path.as_uri())

    def _request(self, request: Request) -> None:
        self.asked.append(request.url)

    def _message(self, message: ConsoleMessage) -> None:
        self.said.append(message.text)

    def _error(self, error: Error) -> None:
        self.said.append(str(error))

    def _dialog(self, dialog: Dialog) -> None:
        self.said.append(dialog.message)
        dialog.dismiss()

    def rows(self) -> int:
        """How many rows are to be seen; what the page says must be the same."""
        count: int = self.page.evaluate(SHOWN)
        said = self.page.locator("output").inner_text()
        fits, _, rest = said.partition(f" of {self.all} rows")
        assert (int(fits) == count) != (rest == f", the first {count} shown")
        assert count or rest == ": nothing to look at there, or no such name"
        return int(fits)

    @property
    def all(self) -> int:
        return self.page.locator("tr[data-level]").count()

    def type(self, text: str) -> None:
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)


@pytest.fixture
def opened(browser: Browser, written: Path) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    yield Opened(page, written)
    page.close()


def test_the_filter_is_used_by_keyboard_alone(opened: Opened, report: FleetReport) -> None:
    first = sum(report.counts[level] for level in ("fail", "warn", "unknown", "note"))
    assert opened.rows() == first + len(report.unread)
    opened.page.keyboard.press("Tab")  # the text, before all rows
    opened.type("nested-esxi-10")
    assert opened.rows() == 2
    opened.type("MACs nested-esxi-10 forged")  # each word, wherever it stands
    named = opened.rows()
    opened.type("nested-esxi-10 forged")
    assert (named, opened.rows()) == (0, 1)
    opened.type("nested-esxi-17")  # its host is lost, so it could not be read
    assert opened.rows() == 1
    opened.page.keyboard.press("Escape")
    assert opened.rows() == opened.all
    opened.page.keyboard.press("Tab")
    opened.page.keyboard.type("warn")
    assert opened.rows() == report.counts["warn"]
    opened.page.keyboard.press("End")  # the last of the results: unread
    assert opened.rows() == len(report.unread)


def test_of_very_many_rows_the_first_are_laid_out_and_more_on_demand(
    opened: Opened, written: Path, tmp_path: Path
) -> None:
    text = written.read_text("utf-8")
    body = text[text.index("<tr data-level") : text.rindex("</tr>") + len("</tr>")]
    times = 10_000 // opened.all + 1
    many = tmp_path / "many.html"
    many.write_text(text.replace(body, body * times), "utf-8")
    page = Opened(opened.page, many)
    assert page.rows() == page.all >= 10_000
    for shown in (250, 500):
        assert page.page.evaluate(SHOWN) == shown
        page.page.get_by_role("button", name="Show more").click()
    page.page.locator("input").fill("nested-esxi-10 forged")
    assert page.rows() == times
    assert page.page.evaluate(SHOWN) == min(times, 250)
    assert page.said == []


@pytest.mark.parametrize("width", [360, 400, 760])
def test_the_page_is_no_wider_than_a_phone(opened: Opened, width: int) -> None:
    opened.page.set_viewport_size({"width": width, "height": 800})
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    found = Axe().run(opened.page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []


def test_names_stay_text_and_nothing_is_asked_of_a_network(opened: Opened, written: Path) -> None:
    opened.page.keyboard.press("Tab")
    opened.type("onerror=alert(2)")
    assert opened.rows() == 1
    assert HOSTILE in opened.page.locator("tr[data-level]:visible th").inner_text()
    opened.type('<b>hid"den</b>')
    assert opened.rows() == 1
    assert opened.page.locator("main img").count() == 0
    assert opened.page.locator("main script").count() == 1
    assert opened.asked == [written.as_uri()] and opened.said == []


def test_the_page_is_content_with_axe_and_tells_all_without_scripts(
    opened: Opened, browser: Browser, written: Path
) -> None:
    found = Axe().run(opened.page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(written.as_uri())
    assert not plain.locator("input").is_visible()  # it could not filter
    assert plain.locator("tr[data-level]:visible").count() == opened.all
    plain.close()
