"""Quizzes: data in, a form out, answers kept; malformed files named by line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from nestkit.course import progress, quizzes
from nestkit.errors import CourseError, DataFileError
from nestkit.resources import data_path

LESSONS = sorted(path.stem for path in data_path("quizzes").glob("*.toml"))
GOOD = """schema = 1

[[question]]
id = "a"
text = "Which <b>one</b>?"
kind = "one"
options = [
    { text = "<img onerror=x>", right = false, why = "no </div>" },
    { text = "this", right = true, why = "yes" },
]

[[question]]
id = "b"
text = "Which ones?"
kind = "many"
options = [
    { text = "one", right = true, why = "yes" },
    { text = "two", right = true, why = "yes" },
    { text = "three", right = false, why = "no" },
]
"""


@pytest.fixture(autouse=True)
def _own_state(state_dir: Path) -> None:
    """Each test has a record of its own."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(quizzes, "data_path", lambda *parts: tmp_path.joinpath(*parts))
    (tmp_path / "quizzes").mkdir()
    return tmp_path / "quizzes"


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_shipped_quiz_can_be_passed_and_failed(lesson: str) -> None:
    quiz = quizzes.quiz(lesson)
    for asked in quiz.asked:
        options = asked.question.options
        wrong = [i for i, option in enumerate(options) if not option.right]
        asked.choose(wrong[0])
        assert not asked.submit()
        asked.choose(*(i for i, option in enumerate(options) if option.right))
        assert asked.submit()
        assert asked.feedback.value.count("<li>") == sum(option.right for option in options)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_shipped_quiz_does_not_give_the_answer_away_by_its_length(lesson: str) -> None:
    questions = [q for q in quizzes.load(lesson) if q.kind == "one"]
    longest = [max(q.options, key=lambda o: len(o.text)).right for q in questions]
    assert not all(longest) or len(longest) < 3


def test_an_answer_is_judged_recorded_and_there_again(folder: Path) -> None:
    (folder / "99.toml").write_text(GOOD)
    quiz = quizzes.quiz("99")
    one, many = quiz.asked
    one.choose(1)
    assert one.submit()
    many.choose(0)
    assert not many.submit()
    assert "it is not all" in many.feedback.value
    again = quizzes.quiz("99")
    assert [asked.chosen for asked in again.asked] == [(1,), (0,)]
    assert "Right." in again.asked[0].feedback.value
    many.choose(0, 1)
    assert many.submit()
    many.choose(0, 1, 2)
    assert not many.submit()


def test_nothing_chosen_is_said_and_not_recorded(folder: Path) -> None:
    (folder / "99.toml").write_text(GOOD)
    asked = quizzes.quiz("99").asked[0]
    assert not asked.submit()
    assert "Nothing is chosen yet" in asked.feedback.value
    assert progress.answer_to("99", "quiz-a") is None


def test_an_answer_recorded_for_another_question_is_ignored(folder: Path) -> None:
    (folder / "99.toml").write_text(GOOD)
    progress.record("99", "quiz-a", "not right", answer=[7])
    assert quizzes.quiz("99").asked[0].chosen == ()


def test_text_from_the_file_is_escaped_and_pages_without_widgets_get_the_questions(
    folder: Path,
) -> None:
    (folder / "99.toml").write_text(GOOD)
    quiz = quizzes.quiz("99")
    html = quiz._repr_mimebundle_()["text/html"]
    assert "&lt;img onerror=x&gt;" in html
    assert "<img" not in html
    assert "yes" not in html  # the reasons would give the answers away
    quiz.asked[0].choose(0)
    quiz.asked[0].submit()
    assert "<img" not in quiz.asked[0].feedback.value
    assert quiz.asked[0].feedback.value.count("</div>") == 1
    answered = quiz._repr_mimebundle_()["text/html"]  # as a solution shows it
    assert answered.count("(chosen)") == 1
    assert quiz.asked[0].feedback.value in answered


def test_every_answer_has_a_label(folder: Path) -> None:
    (folder / "99.toml").write_text(GOOD)
    for asked in quizzes.quiz("99").asked:
        assert asked.button.description
        assert all(box.description for box in asked.boxes)


def test_where_one_answer_is_asked_a_second_takes_its_place(folder: Path) -> None:
    (folder / "99.toml").write_text(GOOD)
    one, many = quizzes.quiz("99").asked
    for asked, expected in ((one, (1,)), (many, (0, 1))):
        for box in asked.boxes[:2]:
            box.value = True
        assert asked.chosen == expected


@pytest.mark.parametrize(
    ("old", "new", "line", "field"),
    [
        ('kind = "one"', 'kind = "some"', 6, "kind"),
        ('id = "a"', "", 3, "id"),
        ('id = "b"', 'id = "a"', 13, "id"),
        ('text = "Which ones?"', "text = 3", 14, "text"),
        ("right = true, why", 'right = "yes", why', 7, "options"),
        (', why = "yes"', "", 7, "options"),
        ("right = true", "right = false", 7, "options"),
        ('kind = "one"', 'kind = "one"\ncolour = 1', 7, "colour"),
        ('kind = "one"', "kind = one", 6, "syntax"),
    ],
)
def test_what_is_wrong_is_named_with_file_line_and_field(
    folder: Path, old: str, new: str, line: int, field: str
) -> None:
    assert old in GOOD
    (folder / "99.toml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(DataFileError, match=rf"99\.toml:{line}: {field}: "):
        quizzes.load("99")


def test_two_right_answers_do_not_fit_a_question_with_one(folder: Path) -> None:
    (folder / "99.toml").write_text(GOOD.replace("right = false", "right = true", 1))
    with pytest.raises(DataFileError, match="2 are right"):
        quizzes.load("99")


def test_a_lesson_without_a_quiz_is_said() -> None:
    with pytest.raises(CourseError, match="'77' has no quiz") as raised:
        quizzes.quiz("77")
    assert "03" in raised.value.remedy
