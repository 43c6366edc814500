"""What a newcomer meets first: the README's list of lessons, and JupyterLab's start."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from nestkit.course import launch
from nestkit.course.lessons import lessons
from nestkit.errors import CourseError

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_lists_each_lesson_with_its_minutes() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    for lesson in lessons():
        (row,) = (line for line in lines if line.startswith(f"| {lesson.number} |"))
        assert f"(notebooks/solutions/{lesson.file})" in row
        assert f" | {lesson.minutes} | " in row


def test_a_terminal_in_jupyterlab_finds_the_nestkit_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: dict[str, str] = {}

    class Ended:
        pid = 0

        def __init__(self, _command: list[str], env: dict[str, str]) -> None:
            given.update(env)

        def poll(self) -> int:
            return 1

    monkeypatch.setattr(launch.subprocess, "Popen", Ended)
    with pytest.raises(CourseError, match="did not start"):
        launch.open_lesson("00", browser=False)
    first, *rest = given["PATH"].split(os.pathsep)
    assert first == str(Path(sys.executable).parent)
    assert rest == os.environ["PATH"].split(os.pathsep)


def test_a_home_that_cannot_be_written_is_said_before_jupyterlab_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "file" / "runtime"))
    monkeypatch.setattr(launch.subprocess, "Popen", lambda *_, **__: pytest.fail("was started"))
    with pytest.raises(CourseError, match="cannot be written") as raised:
        launch.open_lesson("00", browser=False)
    assert "HOME=" in raised.value.remedy


def test_pictures_of_the_readme_are_there_small_and_told_in_words() -> None:
    shown = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", README.read_text(encoding="utf-8"))
    kept = {path.name for path in (README.parent / "docs" / "images").iterdir()}
    assert {Path(file).name for _, file in shown} == kept
    assert len({words for words, _ in shown}) == len(shown)
    for words, file in shown:
        assert len(words) > 60, file
        assert (README.parent / file).stat().st_size < 200_000, file
