"""The journal: what survives, what is refused, and who may read it."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestkit.configure import journal as module
from nestkit.configure.journal import Journal, read_plan
from nestkit.errors import JournalError
from nestkit.plans import NestedGoal, Plan, Step, Target

VM = Target("vm", "5000", "nested-esxi-01")


def make_plan(name: str = VM.name) -> Plan:
    target = Target("vm", VM.id, name)
    steps = tuple(
        Step(id=f"{n}", op="set_property", target=target, property="cpu", before=n, after=n + 1)
        for n in (1, 2)
    )
    return Plan(
        host="4000", host_name="esxi", platform="esx", is_practice=True, vm=target,
        goal=NestedGoal(), steps=steps,
    )  # fmt: skip


@pytest.fixture
def path(tmp_path):
    with Journal.create(make_plan(), tmp_path) as journal:
        journal.append("intent", "1")
        journal.append("task", "1", task="haTask-1")
        journal.append("done", "1")
        journal.append("intent", "2")
        return journal.path


def test_what_was_written_is_read_back(path):
    with Journal.open(path) as journal:
        assert journal.plan == make_plan()
        assert journal.status == {"1": "done", "2": "intended"}
        assert journal.tasks == {"1": "haTask-1"}
        journal.append("done", "2")
        journal.append("undo_intent", "2")
        journal.append("undone", "2")
        journal.append("end", outcome="applied")
    with Journal.open(path) as journal:
        assert journal.status == {"1": "done", "2": "undone"} and journal.ended == "applied"
    assert read_plan(path) == make_plan()


def test_by_default_journals_are_kept_in_the_users_state(tmp_path, monkeypatch):
    monkeypatch.setenv("NESTKIT_STATE", str(tmp_path / "state"))
    with Journal.create(make_plan()) as journal:
        assert journal.path.parent == tmp_path / "state" / "journals"
        assert "nested-esxi-01" in journal.path.name


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_only_the_user_may_read_it(path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_record_is_on_disk_before_append_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(module.os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    with Journal.create(make_plan(), tmp_path) as journal:
        assert synced[0] == journal.path.stat().st_size
        journal.append("intent", "1")
        assert synced[-1] == journal.path.stat().st_size


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_last_line_is_forgotten_and_the_next_one_is_whole(path, cut):
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])  # tears the last line only: it is longer than that
    with Journal.open(path) as journal:
        assert journal.status["2"] == "pending"
        journal.append("intent", "2")
    with Journal.open(path) as journal:
        assert journal.status == {"1": "done", "2": "intended"}


@pytest.mark.parametrize(
    ("line", "text", "what"),
    [
        (2, "{broken", "not JSON"),
        (2, "[]", "no record"),
        (2, "[" * 100_000, "not JSON"),
        (2, '{"record": "intent", "n": 1, "step": ["1"]}', "without its step"),
        (2, '{"record": "intent", "n": 1}', "without its step"),
        (2, '{"record": "melody", "n": 1}', "no kind of record"),
        (3, '{"record": "task", "n": 2, "step": "1"}', "task without its id"),
        (4, '{"record": "done", "n": 3, "step": "77"}', "not in its plan"),
        (4, '{"record": "done", "n": 9, "step": "1"}', "a line before this one is missing"),
        (4, '{"record": "header", "n": 3}', "second header"),
        (4, '{"record": "end", "n": 3}', "end without"),
        (1, '{"record": "done", "n": 0, "step": "1"}', "header"),
        (
            1,
            '{"record": "header", "n": 0, "schema": 1, "plan": {"digest": "", "schema": 1}}',
            "whole",
        ),
        (1, '{"record": "header", "n": 0, "schema": 1, "plan": {"schema": 1}}', "no digest"),
        (1, '{"record": "header", "n": 0, "schema": 1, "plan": null}', "plan"),
        (1, '{"record": "header", "n": 0, "schema": true, "plan": null}', "header"),
    ],
)
def test_damage_is_named_with_its_line(path, line, text, what):
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(JournalError, match=rf":{line}: .*{what}"):
        Journal.open(path)


def test_a_lost_line_is_damage(path):
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2] + lines[3:]))
    with pytest.raises(JournalError, match=r":3: .*missing"):
        Journal.open(path)


def test_an_edited_plan_is_damage(path):
    path.write_text(path.read_text().replace("nested-esxi-01", "nested-esxi-02"))
    with pytest.raises(JournalError, match="edited"):
        Journal.open(path)


def test_a_newer_journal_is_refused(path):
    lines = path.read_text().splitlines()
    header = json.loads(lines[0]) | {"schema": 2, "plan": "whatever comes"}
    path.write_text("\n".join([json.dumps(header), *lines[1:]]) + "\n")
    with pytest.raises(JournalError, match="schema 2"):
        Journal.open(path)


@pytest.mark.parametrize("content", [b"", b'{"record": "header", "n": 0'])
def test_a_journal_torn_at_its_first_line_means_that_nothing_was_done(tmp_path, content):
    file = tmp_path / "x.jsonl"
    file.write_bytes(content)
    with pytest.raises(JournalError, match="nothing was changed"):
        Journal.open(file)


def test_a_missing_journal_is_named(tmp_path):
    with pytest.raises(JournalError, match="no journal"):
        Journal.open(tmp_path / "none.jsonl")
    with pytest.raises(JournalError):
        read_plan(tmp_path / "none.jsonl")


def test_a_plan_whose_digest_was_taken_out_is_damage(path):
    lines = path.read_text().splitlines()
    header = json.loads(lines[0])
    del header["plan"]["digest"]
    path.write_text("\n".join([json.dumps(header), *lines[1:]]) + "\n")
    with pytest.raises(JournalError, match="digest"):
        Journal.open(path)


@pytest.mark.skipif(os.name != "posix", reason="symbolic links need no rights on Unix only")
def test_a_journal_reached_by_another_name_is_still_in_use(path, tmp_path):
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    with Journal.open(path), pytest.raises(JournalError, match="in use"):
        Journal.open(link)


def test_a_huge_file_is_not_read_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    file = tmp_path / "big.jsonl"
    with file.open("wb") as stream:
        stream.truncate(2000)
    with pytest.raises(JournalError, match="too large"):
        Journal.open(file)


def test_a_journal_that_cannot_be_locked_says_so(path):
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    path.with_name(path.name + ".lock").mkdir()
    with pytest.raises(JournalError, match="cannot be locked"):
        Journal.open(path)


def test_only_one_process_at_a_time(path):
    program = (
        "import sys; from nestkit.configure.journal import Journal\n"
        "from nestkit.errors import JournalError\n"
        "try: Journal.open(sys.argv[1])\n"
        "except JournalError as error: print(error.message)"
    )
    with Journal.open(path):
        run = subprocess.run(
            [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
        )
        assert "in use by another process" in run.stdout
    Journal.open(path).close()


def test_a_full_disk_leaves_no_half_record(path, monkeypatch):
    before = path.read_bytes()
    plain = os.write

    def full(handle, data):
        plain(handle, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with Journal.open(path) as journal:
        monkeypatch.setattr(module.os, "write", full)
        with pytest.raises(JournalError, match="No space left") as caught:
            journal.append("done", "2")
        monkeypatch.setattr(module.os, "write", plain)
        assert path.read_bytes() == before and "resume" in caught.value.remedy
        assert journal.status["2"] == "intended"
        journal.append("done", "2")
    assert Journal.open(path).status["2"] == "done"


def test_a_full_disk_at_the_start_says_that_nothing_was_changed(tmp_path, monkeypatch):
    def full(handle, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "write", full)
    with pytest.raises(JournalError, match="nothing was changed"):
        Journal.create(make_plan(), tmp_path)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_vm_name_gives_a_plain_file_name_and_comes_back(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("j")
    with Journal.create(make_plan(name), folder) as journal:
        assert journal.path.parent == folder
        assert journal.path.name.isascii() and len(journal.path.name) < 100
        assert not set(journal.path.name) - set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
        )
    assert read_plan(journal.path).vm.name == name


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_as_a_journal_error(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("j") / "x.jsonl"
    file.write_bytes(data)
    with pytest.raises(JournalError):
        Journal.open(file)
