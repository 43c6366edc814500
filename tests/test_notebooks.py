"""One source, several editions: nothing leaks, nothing is stale, the anatomy is kept."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html import escape
from pathlib import Path

import pytest

from nestkit.course import editions, execution, lessons, quizzes
from nestkit.errors import CourseError, DataFileError
from nestkit.resources import notebooks_path

SOURCES = editions.sources()
SOURCE = """# ---
# jupyter:
#   nestkit:
#     number: "98"
#     title: A lesson
#     minutes: 5
#     items: []
# ---

# %% [markdown]
# # 98 A lesson

# %% tags=["learner"]
answer = ...

# %% tags=["solution"]
answer = 42

# %% [markdown] tags=["instructor"]
# Say that 42 is meant.

# %% tags=["slide"]
print("both")

# %%
print("both")
"""


def ids(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "98-a-lesson.py").write_text(SOURCE, encoding="utf-8")
    return tmp_path / "source"


def texts(notebook: editions.Notebook) -> str:
    return "\n".join(cell["source"] for cell in notebook["cells"])


def test_each_edition_has_its_cells_and_no_others(folder: Path) -> None:
    source = editions.sources(folder)[0]
    learner, solution, instructor = (
        texts(editions.generate(source, name)) for name in ("learner", "solution", "instructor")
    )
    assert "answer = ..." in learner
    assert "42" not in learner
    assert "answer = 42" in solution
    assert "..." not in solution
    assert "is meant" not in solution
    assert "answer = 42" in instructor
    assert "is meant" in instructor
    for text in (learner, solution, instructor):
        assert text.count('print("both")') == 2


def test_generation_is_deterministic_and_an_edit_leaves_other_ids_alone(folder: Path) -> None:
    source = editions.sources(folder)[0]
    first = editions.generate(source, "learner")
    assert editions.text_of(first) == editions.text_of(editions.generate(source, "learner"))
    cells = [cell["id"] for cell in first["cells"]]
    assert len(set(cells)) == len(cells)
    source.write_text(SOURCE.replace("answer = ...", "answer = ...  # yours"))
    changed = [cell["id"] for cell in editions.generate(source, "learner")["cells"]]
    assert [a == b for a, b in zip(cells, changed, strict=True)] == [True, False, True, True]


def test_a_notebook_is_valid_and_names_no_machine(folder: Path) -> None:
    import nbformat

    notebook = editions.generate(editions.sources(folder)[0], "learner")
    nbformat.validate(nbformat.reads(editions.text_of(notebook), as_version=4))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert notebook["metadata"]["language_info"] == {"name": "python"}


def test_stale_missing_and_stray_notebooks_are_found(folder: Path) -> None:
    assert editions.stale(folder) == [
        "98-a-lesson.ipynb (learner) is missing",
        "98-a-lesson.ipynb (solution) is missing",
    ]
    source = editions.sources(folder)[0]
    for name in ("learner", "solution"):
        path = editions.target(source, name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(editions.text_of(editions.generate(source, name)))
    assert editions.stale(folder) == []
    learner = editions.target(source, "learner")
    learner.write_text(learner.read_text().replace('"outputs": []', '"outputs": [{}]', 1))
    assert editions.stale(folder) == ["98-a-lesson.ipynb (learner) has outputs"]
    source.write_text(SOURCE.replace("both", "all"))
    (learner.parent / "97-old.ipynb").write_text("{}")
    assert [line.partition(" ")[2] for line in editions.stale(folder)] == [
        "(learner) is not what its source gives",
        "(learner) has no source",
        "(solution) is not what its source gives",
    ]


def test_an_unknown_tag_or_a_broken_header_is_named(folder: Path) -> None:
    source = editions.sources(folder)[0]
    source.write_text(SOURCE.replace('"slide"', '"solutoin"'))
    with pytest.raises(DataFileError, match="solutoin"):
        editions.generate(source, "learner")
    source.write_text(SOURCE.replace("minutes: 5", "minutes: five"))
    with pytest.raises(DataFileError, match=r"metadata\.nestkit\.minutes"):
        editions.generate(source, "learner")
    with pytest.raises(CourseError, match="no edition 'teacher'"):
        editions.generate(source, "teacher")


def test_an_output_that_belongs_to_this_machine_stops_a_solution(folder: Path) -> None:
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "source": "x",
        "execution_count": 1,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "see /home/me/x"}],
    }
    with pytest.raises(CourseError, match="/home/me/x"):
        execution.kept(cell, {}, "98-a-lesson")
    shown = execution.kept(cell, {"/home/me": "~"}, "98-a-lesson")
    assert shown["outputs"][0]["text"] == "see ~/x"


def test_a_widget_in_a_solution_becomes_what_it_says_without_a_browser() -> None:
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "source": "form",
        "execution_count": 1,
        "outputs": [
            {
                "output_type": "execute_result",
                "data": {execution.WIDGET: {}, "text/html": "<p>form</p>", "text/plain": "form"},
            }
        ],
    }
    assert execution.kept(cell, {}, "x")["outputs"][0]["data"] == {
        "text/html": "<p>form</p>",
        "text/plain": "form",
    }


# -- the lessons themselves -----------------------------------------------------------------------


def test_committed_notebooks_are_what_their_sources_give() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nestkit.course.editions", "--check"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_a_lesson_has_its_anatomy(source: Path) -> None:
    notebook = editions.generate(source, "learner")
    lesson = lessons.lesson_of(notebook["metadata"], source)
    text = texts(notebook)
    head = notebook["cells"][0]["source"]
    assert head.startswith(f"# {lesson.number} {lesson.title}")
    assert f"**{lesson.minutes} minutes**" in head
    assert "**Questions**" in head
    assert "**You will**" in head
    assert source.stem.startswith(lesson.number)
    for part in ("## Quiz", "## Key points", "**Next:**"):
        assert part in text


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_the_items_of_a_lesson_are_its_checks_and_questions(source: Path) -> None:
    notebook = editions.generate(source, "learner")
    lesson = lessons.lesson_of(notebook["metadata"], source)
    checks = re.findall(rf'check\("{lesson.number}\.([a-z-]+)"', texts(notebook))
    questions = [question.item for question in quizzes.load(lesson.number)]
    assert [*checks, *questions] == list(lesson.items)


@pytest.mark.parametrize("source", SOURCES, ids=ids)
@pytest.mark.parametrize("edition", editions.COMMITTED)
def test_links_between_lessons_lead_somewhere(source: Path, edition: str) -> None:
    text = texts(editions.generate(source, edition))
    for link in re.findall(r"\]\(([^)#]+\.ipynb)\)", text):
        path = (editions.target(source, edition).parent / link).resolve()
        assert path.is_file(), link
        assert path.is_relative_to(notebooks_path().resolve())


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_links_in_saved_outputs_lead_somewhere(source: Path) -> None:
    file = editions.target(source, "solution")
    notebook = json.loads(file.read_text(encoding="utf-8"))
    pages = [
        "".join(output.get("data", {}).get("text/html", ""))
        for cell in notebook["cells"]
        for output in cell.get("outputs", ())
    ]
    links = re.findall(r'<a [^>]*href="(?!https?:|#)([^"#]+)', " ".join(pages))
    for link in links:
        assert link != "my-lab.html"  # it lies there for whoever has run the lesson in place
        assert (file.parent / link).is_file(), link
    assert links or source.stem[:2] != "10"


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_a_learner_notebook_holds_no_solution_and_no_note(source: Path) -> None:
    learner = {c["source"] for c in editions.generate(source, "learner")["cells"]}
    jupytext = editions._jupytext().reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    kept_back = [
        cell.source
        for cell in jupytext.cells
        if {"solution", "instructor"} & set(cell.metadata.get("tags", ()))
    ]
    assert kept_back
    assert not learner & set(kept_back)
    path = editions.target(source, "learner")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert not any(cell.get("outputs") for cell in notebook["cells"])


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_a_solution_was_run_to_its_end_without_an_error(source: Path) -> None:
    notebook = json.loads(editions.target(source, "solution").read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert "widgets" not in notebook["metadata"]
    text = json.dumps(notebook)
    assert execution.WIDGET not in text
    assert '"output_type": "error"' not in text
    verdicts = re.findall(r'"(\d\d\.[a-z-]+): (passed|not done yet|not right)\.', text)
    assert verdicts
    assert {state for _, state in verdicts} == {"passed"}


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_a_solution_shows_the_answers_of_its_quiz_and_why(source: Path) -> None:
    notebook = json.loads(editions.target(source, "solution").read_text(encoding="utf-8"))
    pages = [
        "".join(output["data"].get("text/html", ""))
        for cell in notebook["cells"]
        for output in cell.get("outputs", ())
        if "data" in output
    ]
    answered = next(page for page in reversed(pages) if "<strong>(chosen)</strong>" in page)
    questions = quizzes.load(source.stem[:2])
    assert answered.count("Right.") == len(questions)
    for question in questions:
        for option in question.options:
            assert (escape(option.why) in answered) == option.right


def test_an_instructor_edition_can_be_made_of_every_lesson() -> None:
    for source in SOURCES:
        assert editions.generate(source, "instructor")["cells"]


def test_pictures_have_words_and_are_the_same_each_time() -> None:
    from nestkit.course import diagrams, diagrams_network

    for picture in (
        diagrams.layers_diagram(1),
        diagrams.layers_diagram(3),
        diagrams_network.network_diagram(),
    ):
        data, metadata = picture._repr_mimebundle_()
        assert data["text/plain"] == metadata["image/png"]["alt"] == picture.alt
        assert f'<img alt="{picture.alt}"' in data["text/html"]
        assert picture.png().startswith(b"\x89PNG")
        assert picture.png() == picture.png()
    assert "L3 is a VM on L2" in diagrams.layers_diagram(3).alt
    for depth in (0, 4, "2"):
        with pytest.raises(CourseError, match="cannot be drawn"):
            diagrams.layers_diagram(depth)


def test_a_table_keeps_text_as_text_and_numbers_short() -> None:
    import pandas as pd

    from nestkit.course.markup import Table

    frame = pd.DataFrame(
        {"name": ["<b>", None], "value": [153630.094, 1.29683], "low": [float("nan"), 0.5]}
    ).astype({"low": "Float64"})
    html = Table(frame, caption="a & b")._repr_html_()
    for piece in ("&lt;b&gt;", "153,630", "1.297", "a &amp; b", '<th scope="col"'):
        assert piece in html
    assert "nan" not in html.lower().replace("name", "")
