"""The command line as scripts use it: separate processes, exit status, JSON on standard output."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nestkit import resources
from nestkit.plans import Plan

VM = "nested-esxi-01"
PRACTICE = "practice://esx"


def nestkit(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nestkit", *argv],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
        env=os.environ | env,
        timeout=120,
    )


def findings(vm: str | None = None) -> dict[str, Any]:
    only = ["--vm", vm] if vm else []
    done = nestkit("preflight", PRACTICE, *only, "--json")
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def practice_host(state_dir: Path) -> Iterator[None]:
    yield
    assert nestkit("practice", "stop").returncode == 0


def test_check_plan_apply_and_undo_in_separate_processes(
    practice_host: None, tmp_path: Path
) -> None:
    first = findings(VM)
    assert first["schema"] == 1
    assert first["ok"] is False
    assert [f["id"] for f in first["findings"] if f["level"] == "fail"]

    saved = tmp_path / "plan.json"
    made = nestkit("plan", PRACTICE, "--vm", VM, "--save", str(saved))
    assert made.returncode == 0, made.stderr
    digest = json.loads(saved.read_text(encoding="utf-8"))["digest"]
    assert digest in made.stdout

    applied = nestkit("apply", PRACTICE, str(saved), "--accept", digest)
    assert applied.returncode == 0, applied.stderr
    journal = applied.stdout.strip()
    assert Path(journal).is_file()

    assert findings(VM)["ok"] is True
    again = nestkit("plan", PRACTICE, "--vm", VM, "--json")
    assert json.loads(again.stdout)["steps"] == []

    undone = nestkit("rollback", PRACTICE, journal)
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert findings(VM) == first


def test_a_plan_is_not_applied_without_its_digest(practice_host: None, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    assert nestkit("plan", PRACTICE, "--vm", VM, "--save", str(saved)).returncode == 0
    before = findings(VM)
    refused = nestkit("apply", PRACTICE, str(saved), "--accept", "0" * 64)
    assert refused.returncode == 2
    assert "digest" in refused.stderr
    assert findings(VM) == before


@pytest.mark.parametrize("kind", ["powercli", "pyvmomi", "govc", "gui"])
def test_a_plan_prints_as_a_script(practice_host: None, kind: str) -> None:
    done = nestkit("plan", PRACTICE, "--vm", VM, "--script", kind)
    assert done.returncode == 0, done.stderr
    assert VM in done.stdout


def test_near_names_are_offered_for_an_unknown_vm(practice_host: None) -> None:
    done = nestkit("preflight", PRACTICE, "--vm", "nested-esx-01")
    assert done.returncode == 2
    assert VM in done.stderr
    assert "Traceback" not in done.stderr


def test_a_foreground_practice_host_prints_one_line_and_ends_with_its_input() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "nestkit", "practice", "esx", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdin
    try:
        fields = json.loads(process.stdout.readline())
        assert {"url", "host", "port", "user", "password", "fingerprint"} <= set(fields)
        assert fields["password"] not in fields["url"]
        done = nestkit("preflight", fields["url"], "--json", NESTKIT_PASSWORD=fields["password"])
        assert json.loads(done.stdout)["schema"] == 1
    finally:
        process.stdin.close()
        assert process.wait(60) == 0
        process.stdout.close()


def test_local_preflight_answers_for_both_platforms() -> None:
    for platform in ("esx", "hyperv"):
        done = nestkit("preflight", "local://", "--as", platform, "--json")
        assert done.returncode in (0, 1), done.stderr
        report = json.loads(done.stdout)
        assert report["ok"] is (done.returncode == 0)
        assert all(f["source"] for f in report["findings"])


@pytest.mark.parametrize(
    "argv",
    [
        ["preflight", "nonsense"],
        ["preflight", "esx://root:hunter2@host"],
        ["preflight", "lab://"],
        ["preflight", "esx://root@127.0.0.1:1"],
        ["plan", "practice://nonsense", "--vm", "x"],
        ["apply", PRACTICE, "no-such-plan.json", "--accept", "0"],
        ["benchmark", "esx://host"],
        ["course", "99", "--no-browser"],
        ["lab", "run", "--depth", "9", "--", "true"],
        ["lab", "run", "--depth", "0", "--", "true"],
        ["lab", "run", "--depth", "two", "--", "true"],
    ],
)
def test_what_cannot_be_done_exits_2_with_a_message_and_no_traceback(argv: list[str]) -> None:
    done = nestkit(*argv, NESTKIT_PASSWORD="hunter2")
    assert done.returncode == 2, done.stdout
    assert len(done.stderr.strip()) > 20
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


def commands(help_text: str) -> list[str]:
    block = help_text.partition("Commands:\n")[2]
    return re.findall(r"^  (\w+)", block, re.M)


def test_every_command_has_help() -> None:
    top = nestkit("--help")
    names = commands(top.stdout)
    assert {"preflight", "plan", "apply", "resume", "rollback", "practice"} <= set(names)
    assert {"lab", "benchmark", "course", "progress"} <= set(names)
    assert "..." not in top.stdout.partition("Commands:")[2], "a summary is cut off"
    for name in names:
        assert nestkit(name, "--help").returncode == 0


def test_the_shell_can_complete_commands() -> None:
    done = nestkit(_NESTKIT_COMPLETE="bash_complete", COMP_WORDS="nestkit pre", COMP_CWORD="1")
    assert "preflight" in done.stdout


def on_a_terminal(*argv: str) -> str:
    """All that a terminal shows of a command."""
    pty = pytest.importorskip("pty", reason="pseudo-terminals are Unix's")
    shown, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "nestkit", *argv], stdin=end, stdout=end, stderr=end
    )
    os.close(end)
    text = b""
    while True:
        try:
            part = os.read(shown, 65536)
        except OSError:  # Linux says so that the other end is closed
            part = b""
        if not part:
            break
        text += part
    os.close(shown)
    process.wait(timeout=240)
    return text.decode()


def test_what_a_plan_file_says_cannot_steer_the_terminal(
    practice_host: None, tmp_path: Path
) -> None:
    made = json.loads(nestkit("plan", PRACTICE, "--vm", VM, "--json").stdout)
    del made["digest"]
    made["host_name"] = "\x1b[2Jgone\x9b31m\u202e"
    made["host"] = "another"
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(made))
    digest = Plan.from_json(made).digest
    text = on_a_terminal("apply", PRACTICE, str(path), "--accept", digest)
    assert "gone" in text
    assert not {"\x1b", "\x9b", "\u202e"} & set(text)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_json_is_json_on_any_terminal(practice_host: None, encoding: str, tmp_path: Path) -> None:
    inventory = tmp_path / "names.toml"
    text = resources.data_path("practice", "esx.toml").read_text("utf-8")
    name = "Müller 日本 \x7f </script>"
    inventory.write_text(text.replace('name = "nested-esxi-01"', f'name = "{name[:9]}"'), "utf-8")
    url = f"{PRACTICE}?inventory={inventory}"
    done = nestkit("preflight", url, "--json", PYTHONIOENCODING=encoding)
    assert done.returncode == 1, done.stderr
    assert any(name[:9] in f["subject"] for f in json.loads(done.stdout)["findings"])
    told = nestkit("preflight", url, PYTHONIOENCODING=encoding)
    assert told.returncode == 1, told.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_disk_is_told_as_such(practice_host: None) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "nestkit", "plan", PRACTICE, "--vm", VM],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=240,
        )  # fmt: skip
    assert done.returncode == 2
    assert "No space left" in done.stderr and "mistake" not in done.stderr
    done = nestkit("plan", PRACTICE, "--vm", VM, "--save", "/dev/full")
    assert done.returncode == 2 and "cannot be written" in done.stderr


def test_a_reader_who_leaves_changes_neither_the_work_nor_the_status(
    practice_host: None, tmp_path: Path
) -> None:
    path = tmp_path / "plan.json"
    made = json.loads(nestkit("plan", PRACTICE, "--vm", VM, "--save", str(path), "--json").stdout)
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "nestkit", "apply", PRACTICE, str(path),
             "--accept", made["digest"]],
            stdout=subprocess.PIPE, stderr=write, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0
        blocked = subprocess.run(
            [sys.executable, "-m", "nestkit", "preflight", PRACTICE], stdout=write, timeout=120
        )
        assert blocked.returncode == 1
    finally:
        os.close(write)
    assert nestkit("rollback", PRACTICE, done.stdout.strip()).returncode == 0


def test_a_state_folder_named_from_here_is_found_by_all(tmp_path: Path) -> None:
    name = os.path.relpath(tmp_path / "st ate ü")
    try:
        assert nestkit("preflight", PRACTICE, "--vm", VM, NESTKIT_STATE=name).returncode == 1
        running = nestkit("practice", "status", NESTKIT_STATE=name).stdout
        assert re.fullmatch(r"kind esx  url \S+  pid \d+  idle_s \S+  faults none\n", running)
    finally:
        assert nestkit("practice", "stop", NESTKIT_STATE=name).stdout.startswith("1 ")
    if os.name == "posix":
        assert (tmp_path / "st ate ü").stat().st_mode & 0o777 == 0o700
