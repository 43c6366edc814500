"""Every lesson in real JupyterLab in Chromium: it runs, the keyboard suffices, axe is content."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_page import Lesson, jupyterlab
from playwright.sync_api import Browser, expect

from nestkit.course import quizzes
from nestkit.resources import notebooks_path

# the longest takes a minute on two idle CPUs
pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

LESSONS = sorted(path.name for path in notebooks_path().glob("*.ipynb"))

# A folder for pictures of every lesson and form; those of the README have the same names there.
PICTURES = os.environ.get("NESTKIT_PICTURES", "")

RIGHT = re.compile(r"Right\.$")  # what stands under an answer

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


@pytest.fixture
def lesson(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[Lesson]:
    page = browser.new_page(
        viewport={"width": 1280, "height": 1400}, device_scale_factor=2 if PICTURES else 1
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    yield Lesson(page, address, request.param)
    page.close()
    # a class without a network has all that the page needs
    here = address.partition("/lab/")[0]
    assert [url for url in asked if not url.startswith((here, "data:", "blob:"))] == []


@pytest.mark.parametrize("lesson", LESSONS, indirect=True)
def test_a_lesson_runs_and_its_forms_need_no_mouse(lesson: Lesson) -> None:
    lesson.run_all()
    assert lesson.errors() == []
    ours = [each for each in lesson.serious() if not each.startswith(OF_JUPYTERLAB)]
    assert ours == []
    if PICTURES:
        lesson.opening(Path(PICTURES) / f"{lesson.name}.png")
    for number in range(lesson.forms()):
        if (lesson.name, number) == MEASURES:
            assert lesson.cancel_form(number) == "Cancelled."
        else:
            assert lesson.use_form(number) == "Done.", f"form {number}"
        if PICTURES:
            lesson.picture(number, Path(PICTURES) / f"{lesson.name}-{number}.png")
    assert lesson.page.get_by_text("Jupyter news").count() == 0  # a learner came for the lesson
    after = [each for each in lesson.serious() if not each.startswith(OF_JUPYTERLAB)]
    assert after == []
    assert lesson.clipped() == []


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


@pytest.mark.parametrize("lesson", ["10-capstone.ipynb"], indirect=True)
def test_in_a_long_text_enter_begins_a_line_and_tab_leaves(lesson: Lesson) -> None:
    lesson.run_all()
    field = lesson.notebook.locator("textarea[rows]").first
    field.focus()
    for key in ("First.", "Enter", "Enter", "Second.", "Tab"):
        if key in ("Enter", "Tab"):
            lesson.page.keyboard.press(key)
        else:
            lesson.page.keyboard.type(key)
    assert field.input_value() == "First.\n\nSecond."
    assert not field.evaluate("e => e === document.activeElement")
    number = lesson.forms() - 1
    lesson.page.wait_for_function(
        r"""() => document.body.innerText.includes('First.\\n\\nSecond.')"""
    )
    assert lesson.status(number) == "Ready."


@pytest.mark.parametrize("lesson", ["01-layers.ipynb"], indirect=True)
def test_a_quiz_needs_no_mouse_and_its_answers_are_there_again(
    lesson: Lesson, browser: Browser, address: str
) -> None:
    lesson.run_all()
    questions = quizzes.load("01")
    for number, question in enumerate(questions, start=1):
        wrong = next(option for option in question.options if not option.right)
        right = [option for option in question.options if option.right]
        for option in (wrong, *right):
            lesson.tab_to_words(option.text)
            lesson.page.keyboard.press("Space")
        if question.kind == "many":  # else the right answer has taken the wrong one's place
            lesson.tab_to_words(wrong.text)
            lesson.page.keyboard.press("Space")
        lesson.tab_to_words(f"Check answer {number}")
        lesson.page.keyboard.press("Enter")
        expect(lesson.notebook.get_by_text(RIGHT)).to_have_count(number)
    ours = [each for each in lesson.serious() if not each.startswith(OF_JUPYTERLAB)]
    assert ours == []
    again = Lesson(browser.new_page(), address, "01-layers.ipynb")
    again.run_all()
    expect(again.notebook.get_by_text(RIGHT)).to_have_count(len(questions))
    again.page.close()


@pytest.mark.parametrize("lesson", ["02-preflight.ipynb"], indirect=True)
def test_a_list_is_chosen_from_and_a_number_is_written_by_keyboard(lesson: Lesson) -> None:
    lesson.run_all()
    keyboard = lesson.page.keyboard
    lesson.tab_to_words("Virtual machine", "SELECT")
    first = lesson.chosen()
    # Space opens the list; on a closed one the arrow keys are JupyterLab's
    for key in ("Space", "ArrowDown", "ArrowDown", "Enter"):
        keyboard.press(key)
    expect(lesson.notebook.locator("select:focus")).not_to_have_value(first)
    chosen = lesson.chosen()
    assert chosen != first
    lesson.page.wait_for_function(f"() => document.body.innerText.includes('vm=\"{chosen}\")')")
    assert lesson.use_form(0) == "Done."
    assert f"VM {chosen}" in lesson.text_of(0)


@pytest.mark.parametrize("lesson", ["08-automation.ipynb"], indirect=True)
def test_a_form_shows_how_far_it_is_and_can_be_cancelled(lesson: Lesson) -> None:
    lesson.run_all()
    number = lesson.forms() - 1
    assert lesson.cancel_form(number) == "Cancelled."


def test_there_are_lessons_to_look_at() -> None:
    assert len(LESSONS) >= 5
