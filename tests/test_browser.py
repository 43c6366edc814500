"""Every lesson in real JupyterLab in Chromium: it runs, the keyboard suffices, axe is content."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jupyter_page import Lesson, chromium, jupyterlab
from playwright.sync_api import Browser, sync_playwright

from nestkit.resources import notebooks_path

pytestmark = pytest.mark.browser

LESSONS = sorted(path.name for path in notebooks_path().glob("*.ipynb"))

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
        assert lesson.use_form(number) == "Done.", f"form {number}"
    after = [each for each in lesson.serious() if not each.startswith(OF_JUPYTERLAB)]
    assert after == []


def test_there_are_lessons_to_look_at() -> None:
    assert len(LESSONS) >= 5
