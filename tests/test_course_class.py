"""Teaching: the instructor's edition, slides that need no network, one table of a class."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nestkit.cli.app import cli
from nestkit.course import classroom, editions, lessons, progress, slides, teaching
from nestkit.errors import CourseError, DataFileError

SOURCES = editions.sources()


def ids(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value)


# -- slides ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_slides_are_one_page_that_asks_for_nothing_else(source: Path) -> None:
    page = slides.page(source)
    assert "default-src 'none'" in page
    for attribute in re.findall(r"""(?:src|href|srcset|data|action)=["']([^"']{0,60})""", page):
        assert attribute.startswith("data:image/png;base64,"), attribute
    assert not re.search(r"@import|url\(|<link|<iframe|import\(|fetch\(", page)
    assert all("alt=" in tag and 'alt=""' not in tag for tag in re.findall(r"<img [^>]*>", page))
    assert "{{title}}" not in page
    assert "{{slides}}" not in page


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_each_section_of_a_lesson_is_a_slide_with_something_on_it(source: Path) -> None:
    _, deck = slides.slides(source)
    text = source.read_text(encoding="utf-8")
    titles = [re.sub(r"<[^>]+>", "", slide.title) for slide in deck]
    for heading in re.findall(r"^# ## (.*)$", text, re.M):
        assert heading.replace("`", "").replace("*", "") in titles
    for slide in deck:
        assert slide.shown, slide.title
        assert not set(slide.shown) & set(slide.notes), slide.title
        assert not any("../" in piece or ".ipynb)" in piece for piece in slide.shown)


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_no_label_is_parted_from_its_list(source: Path) -> None:
    _, deck = slides.slides(source)
    for slide in deck:
        assert not re.fullmatch(r"<p><strong>[^<]*</strong></p>\s*", slide.shown[-1]), slide.title


def test_what_the_instructor_says_is_in_the_notes_and_not_on_the_slide() -> None:
    _, deck = slides.slides(SOURCES[1])
    shown = "".join("".join(slide.shown) for slide in deck)
    notes = "".join("".join(slide.notes) for slide in deck)
    assert "Common mistake" in notes
    assert "Common mistake" not in shown
    quiz = next(slide for slide in deck if slide.title == "Quiz")
    assert "✓" in "".join(quiz.notes)
    assert "✓" not in "".join(quiz.shown)


def test_blocks_keep_code_together_and_split_at_empty_lines() -> None:
    assert slides.blocks("a\nb\n\n- c\n\n```\nd\n\ne\n```\n") == [
        "a\nb\n",
        "- c\n",
        "```\nd\n\ne\n```\n",
    ]


# -- the instructor's edition ---------------------------------------------------------------------


def test_the_instructor_gets_notes_solutions_and_outputs(tmp_path: Path) -> None:
    written = teaching.prepare(tmp_path / "new", lesson="01")
    assert [path.name for path in written] == ["01-layers.ipynb", "01-layers-slides.html"]
    notebook = json.loads(written[0].read_text(encoding="utf-8"))
    text = "".join("".join(cell["source"]) for cell in notebook["cells"])
    assert "> **For the instructor**" in text
    assert "instructor's** edition" in text
    assert "**solution** edition" not in text
    assert '"Microsoft Hyper-V": 1' in text
    assert '"Microsoft Hyper-V": ...' not in text
    assert any("passed" in str(cell.get("outputs")) for cell in notebook["cells"])


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_each_lesson_has_notes_with_timing_and_expected_answers(source: Path) -> None:
    cells = editions.generate(source, "instructor")["cells"]
    notes = "\n".join(
        cell["source"].lower() for cell in cells if "instructor" in cell["metadata"].get("tags", ())
    )
    words = [r"\b\d+ min|min\)", "mistake"]
    if not source.stem.startswith("10"):  # a capstone has no one answer
        words.append("expected")
    for word in words:
        assert re.search(word, notes), word


def test_no_note_and_no_solution_reaches_a_learner_in_any_form() -> None:
    for source in SOURCES:
        learner = editions.target(source, "learner").read_text(encoding="utf-8")
        assert "For the instructor" not in learner
        cells = json.loads(learner)["cells"]
        assert not any(
            {"instructor", "solution"} & set(c["metadata"].get("tags", ())) for c in cells
        )
        for cell in editions.generate(source, "instructor")["cells"]:
            tags = set(cell["metadata"].get("tags", ()))
            if "instructor" in tags:
                first = cell["source"].splitlines()[2].removeprefix("> ")
                assert first not in "".join("".join(c["source"]) for c in cells)


def test_a_lesson_that_is_not_there_or_has_no_solution_is_said(tmp_path: Path) -> None:
    for wrong in ("77", "0", "1"):  # not all those that begin so
        with pytest.raises(CourseError, match=f"no lesson '{wrong}'"):
            teaching.prepare(tmp_path, lesson=wrong)
    with pytest.raises(DataFileError, match=r"gone\.ipynb"):
        slides.outputs_of(tmp_path / "gone.ipynb")


# -- the class's progress -------------------------------------------------------------------------


def record(path: Path, number: int, *, key: str = "", at: str = "2026-01-01T10:00:00+00:00",
           **more: Any) -> Path:  # fmt: skip
    """A record in which the first items of lesson 00 are passed."""
    items = {
        f"00.{item}": {"status": "passed", "tries": 2, "at": at}
        for item in lessons.lessons()[0].items[:number]
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"schema": 1, "items": items, "id": key, **more}))
    return path


def table(*paths: Path) -> dict[str, int]:
    return {one.name: one.total for one in classroom.gather(paths).learners}


def test_one_row_a_learner_from_files_and_folders(tmp_path: Path) -> None:
    record(tmp_path / "alice.json", 2, key="a")
    record(tmp_path / "homes" / "bob" / ".local" / "state" / "nestkit" / "course" / "progress.json",
           1, key="b")  # fmt: skip
    runtime = tmp_path / "homes" / "bob" / ".local" / "share" / "jupyter"
    runtime.mkdir(parents=True)
    (runtime / "kernel-1.json").write_text("{}")
    found = classroom.gather([tmp_path])
    assert [(one.name, one.passed["00"], one.tries) for one in found.learners] == [
        ("alice", 2, 4),
        ("bob", 1, 2),
    ]
    assert found.notes == ()
    assert found.to_frame().loc[0, "all"] == 2
    assert "alice" in found._repr_html_()
    assert found.to_json()["learners"][1]["passed"]["00"] == 1


def test_copies_of_one_record_count_once_and_the_newest_wins(tmp_path: Path) -> None:
    old = record(tmp_path / "1" / "alice.json", 1, key="a", at="2026-01-01T10:00:00+00:00")
    new = record(tmp_path / "2" / "alice.json", 3, key="a", at="2026-01-02T10:00:00+00:00")
    twin = record(tmp_path / "carol.json", 1)
    record(tmp_path / "dave.json", 1)
    for order in ([old, new, old], [new, old]):
        found = classroom.gather(order)
        assert [(one.name, one.total) for one in found.learners] == [("alice", 3)]
        assert any("the newest is counted" in note for note in found.notes)
    assert any("counted once" in note for note in classroom.gather([old, old]).notes)
    assert table(tmp_path) == {"alice": 3, "carol": 1}  # no id, the same to the last byte
    assert table(twin) == {"carol": 1}


def test_two_learners_of_one_name_are_told_apart(tmp_path: Path) -> None:
    record(tmp_path / "1" / "alex.json", 1, key="a")
    record(tmp_path / "2" / "alex.json", 2, key="b")
    found = classroom.gather([tmp_path])
    assert [one.total for one in found.learners] == [1, 2]
    assert len({one.name for one in found.learners}) == 2
    assert found.notes == ("2 different records have the name alex.",)


@pytest.mark.parametrize(
    "damage",
    [
        b"", b"{", b"\xff", b"[]", b"[" * 100_000, b'{"schema": 99, "items": {}}',
        b'{"schema": 1, "items": {"00.ready": {"status": "passed", "tries": "many"}}}',
        b'{"schema": 1, "items": {"00.ready": {"status": "passed", "at": 3}}}',
        b'{"schema": 1, "items": {"00.ready": {"status": "passed", "at": "=cmd()"}}}',
        b'{"schema": 1, "items": {}, "id": 4}', b" " * (5 * 2**20),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named_and_left_as_it_is(
    tmp_path: Path, damage: bytes
) -> None:
    good = record(tmp_path / "alice.json", 1, key="a")
    bad = tmp_path / "bob.json"
    bad.write_bytes(damage)
    found = classroom.gather([good, bad, tmp_path / "gone.json"])
    assert [one.name for one in found.learners] == ["alice"]
    assert len(found.notes) == 2
    assert re.search(r"bob\.json is left out: its? ", found.notes[0])
    assert bad.read_bytes() == damage
    with pytest.raises(CourseError, match=r"bob\.json is left out"):
        classroom.gather([bad])


def test_links_count_once_and_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    record(tmp_path / "alice" / "progress.json", 2, key="a")
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / "progress.json").symlink_to(tmp_path / "alice" / "progress.json")
    (tmp_path / "round.json").symlink_to(tmp_path / "round.json")
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "endless.json").symlink_to(os.devnull)
    (tmp_path / "folder.json").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "waits.json")  # whoever opens it waits for a writer
    found = classroom.gather([tmp_path])
    assert [(one.name, one.total) for one in found.learners] == [("alice", 2)]
    said = "\n".join(found.notes)
    assert "bob/progress.json is" in said.replace("\\", "/")
    for name in ("round", "gone", "endless"):
        assert f"{name}.json is left out" in said
    assert "folder.json" not in said  # a folder that holds nothing


def test_a_record_counts_for_where_it_lies_and_not_for_where_a_link_leads(tmp_path: Path) -> None:
    real = record(tmp_path / "store" / "17" / "record.json", 1, key="a")
    link = tmp_path / "homes" / "alice" / "progress.json"
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    assert table(tmp_path / "homes") == {"alice": 1}


def test_a_class_s_folder_may_be_a_hidden_one(tmp_path: Path) -> None:
    record(tmp_path / ".class" / "alice.json", 1, key="a")
    assert table(tmp_path / ".class") == {"alice": 1}
    with pytest.raises(CourseError):  # but of a home's hidden folders only nestkit's is looked at
        classroom.gather([tmp_path])


def test_a_folder_that_may_not_be_looked_into_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path / "alice" / "progress.json", 1, key="a")
    for folder in ("bob", "carol/.ssh", "dave/.local"):
        (tmp_path / folder).mkdir(parents=True)
    scan = os.scandir

    def closed(path: Any) -> Any:
        if Path(path).name in ("bob", ".ssh", ".local"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    found = classroom.gather([tmp_path])
    assert [one.name for one in found.learners] == ["alice"]
    assert sorted(
        note.replace(str(tmp_path), "")[1:].replace("\\", "/") for note in found.notes
    ) == [
        "bob is left out: Permission denied.",
        "dave/.local is left out: Permission denied.",
    ]


def test_files_put_aside_are_no_learners(tmp_path: Path) -> None:
    record(tmp_path / "alice" / "progress.json", 1, key="a")
    record(tmp_path / "alice" / "progress-kept-20260101-100000-000000.json", 3, key="z")
    found = classroom.gather([tmp_path])
    assert [(one.name, one.total) for one in found.learners] == [("alice", 1)]
    assert "put it aside" in found.notes[0]


def test_items_of_another_version_of_the_course_do_not_count(tmp_path: Path) -> None:
    path = record(tmp_path / "alice.json", 1, key="a")
    data = json.loads(path.read_text())
    data["items"]["00.was-removed"] = {"status": "passed"}
    path.write_text(json.dumps(data))
    assert table(path) == {"alice": 1}


# -- the commands ---------------------------------------------------------------------------------


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_a_learner_hands_in_and_the_instructor_sees(state_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="no progress to save"):
        progress.save(tmp_path / "none.json")
    progress.record("00", "ready", "passed")
    progress.set_setting("host", "esx://root@secret.example")
    handed_in = tmp_path / "=cmd.json"
    assert run("progress", "--save", handed_in).exit_code == 0
    assert "secret.example" not in handed_in.read_text()
    sheet = tmp_path / "class.csv"
    done = run("class", "progress", tmp_path, "--save", sheet)
    assert done.exit_code == 0
    assert "1/4" in done.output
    assert "'=cmd" in sheet.read_text()  # no formula for a spreadsheet
    shown = json.loads(run("class", "progress", handed_in, "--json").stdout)
    assert shown["learners"][0]["name"] == "=cmd"


def test_reset_keeps_the_old_record(state_dir: Path) -> None:
    assert "no record of progress yet" in run("reset", "--progress").output
    progress.record("00", "ready", "passed")
    done = run("reset", "--progress")
    assert "0 practice hosts reset" in done.output
    assert progress.summary().done == 0
    kept = list(progress.path().parent.glob("progress-kept-*.json"))
    assert len(kept) == 1
    assert kept[0].name in done.output
    assert "no record" in run("reset", "--progress").output


def test_each_record_has_a_random_id_that_stays(state_dir: Path) -> None:
    progress.record("00", "ready", "passed")
    first = json.loads(progress.path().read_text())["id"]
    progress.record("00", "host", "passed")
    assert json.loads(progress.path().read_text())["id"] == first
    progress.begin_anew()
    progress.record("00", "ready", "passed")
    assert json.loads(progress.path().read_text())["id"] != first
