"""Progress is kept, shared, never silently lost, and never in the way."""

from __future__ import annotations

import json
import stat
import sys
import threading
from pathlib import Path

import pytest

from nestkit.course import progress
from nestkit.errors import CourseError


@pytest.fixture(autouse=True)
def _own_state(state_dir: Path) -> None:
    """Each test has a record of its own."""


def test_what_is_recorded_is_shown() -> None:
    assert progress.record("03", "applied", "passed") == ""
    summary = progress.summary()
    states = dict(summary.to_frame().set_index(["lesson", "item"])["status"])
    assert states["03", "applied"] == "passed"
    assert states["03", "rolled-back"] == "not done yet"
    assert summary.done == 1
    assert "03 ESXi 8" in str(summary)
    assert summary.to_json()["done"] == 1


def test_figures_stay_with_their_words_in_a_narrow_page() -> None:
    shown = progress.summary()._repr_html_()
    assert "180\N{NO-BREAK SPACE}min" in shown
    assert "0\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}10" in shown
    assert "07 Use cases" in shown


def test_passed_stays_passed_and_tries_count() -> None:
    progress.record("02", "faults", "not right")
    progress.record("02", "faults", "passed")
    progress.record("02", "faults", "not right")
    entry = json.loads(progress.path().read_text())["items"]["02.faults"]
    assert entry["status"] == "passed"
    assert entry["tries"] == 3


def test_an_untouched_exercise_is_no_try() -> None:
    progress.record("02", "faults", "not done yet")
    assert json.loads(progress.path().read_text())["items"]["02.faults"]["tries"] == 0


def test_an_answer_persists() -> None:
    progress.record("00", "quiz-layers", "not right", answer=[2])
    assert progress.answer_to("00", "quiz-layers") == [2]
    assert progress.answer_to("00", "quiz-other") is None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_the_file_is_private() -> None:
    progress.record("00", "ready", "passed")
    assert stat.S_IMODE(progress.path().stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"schema": 1}',
        b'{"schema": 99, "items": {}}',
        b'{"schema": "1", "items": {}}',
        b'{"schema": 1, "items": {"00.ready": {"status": "great"}}}',
        b'{"schema": 1, "items": {}, "settings": {"host": 3}}',
        b"[" * 100_000,
    ],
)
def test_a_file_that_cannot_be_used_is_kept_aside_and_said(damage: bytes) -> None:
    progress.path().write_bytes(damage)
    note = progress.record("00", "ready", "passed")
    assert "Expecting" not in note and "recursion" not in note
    kept = list(progress.path().parent.glob("progress-kept-*.json"))
    assert [path.read_bytes() for path in kept] == [damage]
    assert kept[0].name in note
    assert progress.summary().done == 1
    assert progress.record("00", "host", "passed") == ""


def test_looking_at_a_newer_file_leaves_it_where_it_is_and_says_so_each_time() -> None:
    newer = '{"schema": 99, "items": {}}'
    progress.path().write_text(newer)
    assert progress.answer_to("00", "quiz-layers") is None
    assert progress.setting("host", "none") == "none"
    for _ in range(2):
        summary = progress.summary()
        assert "newer nestkit" in summary.note
        assert "newer nestkit" in summary._repr_html_()
    assert progress.path().read_text() == newer


def test_two_damages_are_two_files() -> None:
    for text in ("{", "["):
        progress.path().write_text(text)
        progress.record("00", "ready", "passed")
    assert len(list(progress.path().parent.glob("progress-kept-*.json"))) == 2


def test_where_nothing_can_be_written_the_course_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("NESTKIT_STATE", str(blocked / "state"))
    note = progress.record("00", "ready", "passed")
    assert "not recorded" in note
    assert "NESTKIT_STATE" in note
    assert progress.summary().done == 0
    assert "cannot be shown" in progress.summary().note
    assert progress.setting("host", "practice://esx") == "practice://esx"


def test_a_home_that_became_read_only_shows_what_was_done_and_records_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    progress.record("00", "ready", "passed")
    progress.set_setting("host", "practice://esx?seed=4")
    before = progress.path().read_bytes()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(progress, "write_private", refuse)
    monkeypatch.setattr(progress.FileLock, "acquire", refuse)
    assert (progress.summary().done, progress.summary().note) == (1, "")
    assert progress.setting("host") == "practice://esx?seed=4"
    assert "Read-only file system" in progress.record("00", "host", "passed")
    assert progress.path().read_bytes() == before


def test_a_record_that_cannot_be_opened_is_said_and_left_alone() -> None:
    progress.path().mkdir()  # for root too, which may open any file
    (progress.path() / "inside").write_text("kept")
    assert "Progress is not recorded here" in progress.record("00", "ready", "passed")
    assert "cannot be shown" in progress.summary().note
    assert "Progress is not recorded here" in progress.set_setting("host", "practice://esx")
    assert (progress.path() / "inside").read_text() == "kept"


def test_a_full_disk_is_said_and_leaves_the_old_record(monkeypatch: pytest.MonkeyPatch) -> None:
    progress.record("00", "ready", "passed")

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(progress, "write_private", full)
    assert "No space left on device" in progress.record("00", "host", "passed")
    assert progress.summary().done == 1


def test_notebooks_writing_at_once_lose_nothing() -> None:
    def many(lesson: str) -> None:
        for i in range(15):
            assert progress.record(lesson, f"item-{i}", "passed") == ""

    threads = [threading.Thread(target=many, args=(f"{n:02}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads(progress.path().read_text())["items"]) == 60


def test_a_status_that_does_not_exist_is_refused() -> None:
    with pytest.raises(CourseError, match="'great'"):
        progress.record("00", "ready", "great")  # type: ignore[arg-type]


def test_hostile_names_stay_text() -> None:
    name = "</script><img onerror=x> Müller 日本 \ud800"
    assert progress.record("00", name, "passed", answer=[name]) == ""
    assert progress.answer_to("00", name) == [name]
