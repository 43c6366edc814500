"""Every lesson in real JupyterLab in Chromium: it runs, the keyboard suffices, axe is content."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_page import Lesson, chromium, jupyterlab
from playwright.sync_api import Browser, sync_playwright

from nestkit.resources import notebooks_path

pytestmark = pytest.mark.browser

LESSONS = sorted(path.name for path in notebooks_path().glob("*.ipynb"))

# A folder for pictures of every form, from which the README's are taken.
PICTURES = os.environ.get("NESTKIT_PICTURES", "")

# This form measures a lab for minutes: it is started, and cancelled.
MEASURES = ("explore", 0)

# JupyterLab's own: its cell editors have no label, its list of cells holds other things than
# articles, and the button that folds a heading has no name. Nothing of a lesson is in these.
OF_JUPYTERLAB = (
    'aria-input-field-name: <div spellcheck="false" autocorrect="off"',
    'aria-required-children: <div role="feed" aria-label="Cells"',
    'button-name: <button class="jp-Button jp-collapseHeadingButton"',
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with jupyterlab(tmp_path_factory.mktemp("jupyter")) as where:
        yield where


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        program = chromium(playwright)
        yield program
        program.close()


@pytest.fixture
def lesson(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[Lesson]:
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    yield Lesson(page, address, request.param)
    page.close()


@pytest.mark.parametrize("lesson", LESSONS, indirect=True)
def test_a_lesson_runs_and_its_forms_need_no_mouse(lesson: Lesson) -> None:
    lesson.run_all()
    assert lesson.errors() == []
    ours = [each for each in lesson.serious() if not each.startswith(OF_JUPYTERLAB)]
    assert ours == []
    for number in range(lesson.forms()):
        if (lesson.name, number) == MEASURES:
            assert lesson.cancel_form(number) == "Cancelled."
        else:
            assert lesson.use_form(number) == "Done.", f"form {number}"
        if PICTURES:
            lesson.picture(number, Path(PICTURES) / f"{lesson.name}-{number}.png")
    after = [each for each in lesson.serious() if not each.startswith(OF_JUPYTERLAB)]
    assert after == []


@pytest.mark.parametrize("lesson", ["00-start-here.ipynb"], indirect=True)
def test_a_form_that_cannot_do_it_says_what_to_do(lesson: Lesson) -> None:
    lesson.run_all()
    number = lesson.forms() - 1
    lesson.tab_to(number, "text")
    lesson.page.keyboard.press("Control+A")
    lesson.page.keyboard.type("esx://root:secret@esxi01.lab")
    assert lesson.use_form(number).startswith("It did not work")
    assert "password" in lesson.text_of(number)
    assert "secret" not in lesson.text_of(number).replace("root:secret@", "")


@pytest.mark.parametrize("lesson", ["08-automation.ipynb"], indirect=True)
def test_a_form_shows_how_far_it_is_and_can_be_cancelled(lesson: Lesson) -> None:
    lesson.run_all()
    number = lesson.forms() - 1
    assert lesson.cancel_form(number) == "Cancelled."


def test_there_are_lessons_to_look_at() -> None:
    assert len(LESSONS) >= 5
