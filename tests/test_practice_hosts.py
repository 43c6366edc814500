"""Practice hosts start, are shared, are found again, and end when they should."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from practice_helpers import connect, until, vim, vm_named

import nestkit.practice
from nestkit.errors import DataFileError, PracticeError
from nestkit.practice.faults import Faults, in_words, parse


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NESTKIT_STATE", str(tmp_path))
    yield tmp_path / "practice"
    nestkit.practice.stop()


def child(code: str, **more: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, **more)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_it_is_ready_soon_and_ends_with_its_block() -> None:
    began = time.monotonic()
    with nestkit.practice.start("esx") as p:
        ready = time.monotonic() - began
        connect(p)
        assert p.url == f"esx://root@127.0.0.1:{p.port}?pin={p.fingerprint}"
        assert p.fingerprint.startswith("sha256:")
    print(f"ready after {ready:.2f} s")
    assert gone(p.pid)
    assert ready < 60, "1.5 s on a quiet machine"
    p.close()


def test_the_certificate_is_the_one_that_is_pinned_and_loopback_only() -> None:
    with nestkit.practice.start("esx") as p, nestkit.practice.start("esx") as q:
        assert p.fingerprint != q.fingerprint
        assert p.password != q.password
        listening = [
            c for c in psutil.Process(p.pid).net_connections() if c.status == psutil.CONN_LISTEN
        ]
        assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


def test_the_password_shows_nowhere() -> None:
    with nestkit.practice.start("esx") as p:
        process = psutil.Process(p.pid)
        assert p.password not in repr(p)
        assert p.password not in p.url
        assert p.password not in " ".join(process.cmdline())
        assert p.password not in str(process.environ())


def test_a_private_host_ends_when_its_parent_is_killed() -> None:
    parent = child(
        "import nestkit.practice, time\n"
        "p = nestkit.practice.start('esx')\n"
        "print(p.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert not gone(pid)
    parent.kill()
    parent.wait()
    until(lambda: gone(pid))


def test_options_that_do_not_fit_are_refused_with_a_remedy(tmp_path: Path) -> None:
    for options in (
        {"kind": "lab"},
        {"kind": "toaster"},
        {"kind": "esx", "profile": "none"},
        {"kind": "esx", "faults": "gremlins=1"},
        {"kind": "esx", "faults": {"slow_task": -1}},
        {"kind": "esx", "faults": {"slow_task": "soon"}},
        {"kind": "esx", "vms": -1},
        {"kind": "esx", "vms": 10**9},
    ):
        with pytest.raises(PracticeError) as refused:
            nestkit.practice.start(**options)
        assert refused.value.remedy
    broken = tmp_path / "broken.toml"
    broken.write_text("schema = 1\n[host]\nname = 3\n")
    with pytest.raises(DataFileError, match=r"^broken\.toml:3: host\.name: "):
        nestkit.practice.start("esx", inventory=broken)
    with pytest.raises(PracticeError):
        nestkit.practice.join("esx", {"colour": "red"})


def test_joining_gives_everyone_the_same_host_and_it_outlives_who_started_it(
    state: Path,
) -> None:
    code = (
        "import nestkit.practice\n"
        "p = nestkit.practice.join('esx', {'vms': '3', 'pin': 'ignored'})\n"
        "print(p.url, p.pid, flush=True)\n"
    )
    both = [child(code) for _ in range(2)]
    said = [process.communicate(timeout=240)[0].decode().split() for process in both]
    assert said[0] == said[1]
    p = nestkit.practice.join("esx", {"vms": "3"})
    assert [p.url, str(p.pid)] == said[0]
    other = nestkit.practice.join("esx", {})
    assert other.url != p.url
    assert {row["url"] for row in nestkit.practice.status()} == {p.url, other.url}
    assert nestkit.practice.stop("esx") == 2
    assert nestkit.practice.status() == []
    until(lambda: gone(p.pid) and gone(other.pid))


def test_the_state_file_is_private_and_goes_with_the_host(state: Path) -> None:
    nestkit.practice.join("esx")
    (file,) = state.glob("*.json")
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600
    nestkit.practice.stop()
    until(lambda: not file.exists())


def test_stale_state_is_cleaned_up(state: Path) -> None:
    first = nestkit.practice.join("esx")
    (file,) = state.glob("*.json")
    told = json.loads(file.read_text())
    psutil.Process(first.pid).kill()
    until(lambda: gone(first.pid))
    assert nestkit.practice.status() == []
    second = nestkit.practice.join("esx")
    assert second.url != first.url
    # a file that tells of the right address but of another host: port and process id used again
    file.write_text(json.dumps(told | {"port": second.port, "pid": second.pid}))
    third = nestkit.practice.join("esx")
    assert third.pid != second.pid
    file.write_text("{ torn")
    assert nestkit.practice.status() == []


@pytest.mark.parametrize(
    "change",
    [
        {"host": 5}, {"host": "192.0.2.1"}, {"port": "x"}, {"port": 10**30}, {"port": True},
        {"token": None}, {"token": "a\r\nb"}, {"fingerprint": "日本"}, {"url": 5},
        {"password": 5}, {"user": []}, {"pid": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_a_state_file_that_tells_lies_is_not_followed(state: Path, change: dict[str, Any]) -> None:
    state.mkdir(exist_ok=True)
    file = state / "esx-0000.json"
    whole = {
        "url": "esx://root@127.0.0.1:9", "host": "127.0.0.1", "port": 9, "user": "root",
        "password": "x", "fingerprint": "sha256:0", "kind": "esx", "pid": 1, "token": "x",
    }  # fmt: skip
    file.write_text(json.dumps(whole | change))
    assert nestkit.practice.status() == []
    assert not file.exists()


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "5", "null", "\0"], ids=lambda t: t[:4])
def test_a_state_file_of_something_else_is_removed(state: Path, text: str) -> None:
    state.mkdir(exist_ok=True)
    file = state / "esx-0000.json"
    file.write_text(text)
    assert nestkit.practice.status() == []
    assert not file.exists()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="/proc is Linux's")
def test_the_password_of_a_real_host_is_not_handed_on(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NESTKIT_PASSWORD", "of-a-real-host")
    with nestkit.practice.start("esx") as private:
        for host in (private, nestkit.practice.join("esx")):
            assert b"of-a-real-host" not in Path(f"/proc/{host.pid}/environ").read_bytes()


def test_a_shared_host_that_nobody_can_find_ends(state: Path) -> None:
    p = nestkit.practice.join("esx")
    (file,) = state.glob("*.json")
    file.unlink()
    until(lambda: gone(p.pid))


def test_an_idle_shared_host_ends(state: Path) -> None:
    p = nestkit.practice.join("esx", {}, idle_s=2)
    until(lambda: gone(p.pid))
    assert list(state.glob("*.json")) == []


def test_reset_by_kind_keeps_address_and_password(state: Path) -> None:
    p = nestkit.practice.join("esx")
    vm = vm_named(connect(p), "nested-esxi-16")
    vm.ReconfigVM_Task(vim.vm.ConfigSpec(nestedHVEnabled=True))
    until(lambda: vm.config.nestedHVEnabled)
    assert nestkit.practice.reset() == 1
    assert vm_named(connect(p), "nested-esxi-16").config.nestedHVEnabled is False


def test_faults_are_set_and_seen_while_it_runs() -> None:
    with nestkit.practice.start("esx", faults="slow_task=3,task_fails=1") as p:
        assert p.status()["faults"]["slow_task"] == 3
        p.set_faults("slow_task=2", drop_after=7)
        now = p.status()["faults"]
        assert (now["slow_task"], now["drop_after"], now["task_fails"]) == (2, 7, 0)
        p.set_faults()
        assert p.status()["faults"]["slow_task"] == 0
        with pytest.raises(PracticeError, match="gremlins"):
            p.set_faults(gremlins=1)


def test_faults_are_told_in_the_words_that_set_them() -> None:
    assert in_words(parse("slow_task=0.5,drop_after=7").to_json()) == "slow_task=0.5,drop_after=7"
    assert in_words(Faults().to_json()) == ""


def foreground(**more: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "nestkit.practice", "esx", "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, **more)


def test_the_foreground_prints_one_line_and_ends_with_its_input() -> None:
    process = foreground(stdin=subprocess.PIPE)
    assert process.stdout is not None and process.stdin is not None
    facts = json.loads(process.stdout.readline())
    assert set(facts) == {
        "url", "host", "port", "user", "password", "fingerprint", "kind", "pid", "https_port",
    }  # fmt: skip
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    assert process.stdout.read() == b""


def test_the_foreground_stays_up_without_an_input() -> None:
    process = foreground(stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    json.loads(process.stdout.readline())
    time.sleep(0.5)
    assert process.poll() is None
    process.terminate()
    process.wait(timeout=60)


def test_importing_it_loads_neither_the_server_nor_the_other_side() -> None:
    code = (
        "import sys, nestkit.practice\n"
        "print(sorted(m for m in sys.modules if m.startswith(('pyVmomi', 'cheroot', "
        "'cryptography', 'nestkit.preflight', 'nestkit.requirements', 'nestkit.configure', "
        "'nestkit.hosts'))))"
    )
    assert child(code).communicate(timeout=240)[0].strip() == b"[]"
    code = code.replace("nestkit.practice", "nestkit.practice.esx.service", 1)
    loaded = child(code).communicate(timeout=240)[0].decode()
    assert "pyVmomi" in loaded
    assert "nestkit.hosts" not in loaded and "nestkit.preflight" not in loaded
