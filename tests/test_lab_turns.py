"""Labs on one machine take turns, whoever started them and however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from nestkit import lab
from nestkit.errors import LabError
from nestkit.lab import limits, session, turns
from nestkit.lab.progress import Timings, quiet

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the lab needs Linux")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    path = tmp_path / "queue"
    monkeypatch.setenv("NESTKIT_LAB_QUEUE", str(path))
    return path


_OTHER = """
    import sys, time
    from nestkit.lab.turns import Turn
    turn = Turn(2)
    print("in line", flush=True)
    turn.wait(lambda text: None, None, None)
    print("running", flush=True)
    sys.stdin.readline()
    turn.close()
"""


@pytest.fixture
def other():
    """Starts other programs that take a turn, and ends them."""
    started = []

    def start(until: str = "running") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_OTHER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        while process.stdout.readline().strip() != until:
            assert process.poll() is None
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _tickets(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name != "door")


def test_the_first_does_not_wait_and_leaves_no_ticket(folder):
    turn = turns.Turn(2)
    turn.wait(quiet, None, 0)  # else it would raise
    (running,) = lab.queue()
    assert (running.depth, running.pid) == (2, os.getpid())
    turn.close()
    turn.close()
    assert lab.queue() == []
    assert _tickets(folder) == []


def test_the_second_is_told_who_is_ahead_and_runs_when_they_end(other):
    first, second = other(), other("in line")
    told: list[str] = []
    turn = turns.Turn(1)

    def tell(text: str) -> None:
        told.append(text)
        ends = first if "2 ahead" in text else second
        threading.Timer(0.5, ends.communicate, ["\n"]).start()

    assert turn.wait(tell, None, 60) >= 1
    turn.close()
    assert "2 ahead" in told[0]
    assert f"running: {turns._user(os.getuid())}, depth 2, pid {first.pid}" in told[0]
    assert f"waiting: {turns._user(os.getuid())}, depth 2, pid {second.pid}" in told[0]
    assert "1 ahead" in told[-1]


def test_first_come_first_served(other):
    first = other()
    order: list[str] = []

    def take(name: str, turn: turns.Turn) -> None:
        turn.wait(quiet, None, 60)
        order.append(name)
        turn.close()

    waiting = [("a", turns.Turn(1))]
    thread = threading.Thread(target=take, args=waiting[0])
    thread.start()
    second = other("in line")
    first.communicate("\n")
    thread.join(60)
    assert order == ["a"]
    assert second.stdout is not None
    assert second.stdout.readline() == "running\n"


def test_not_to_wait_is_an_error_that_shows_the_queue(other, folder):
    first = other()
    turn = turns.Turn(2)
    with pytest.raises(LabError, match=f"1 ahead .*pid {first.pid}") as caught:
        turn.wait(quiet, None, 0)
    assert "NESTKIT_LAB_QUEUE" in caught.value.remedy
    turn.close()
    assert len(_tickets(folder)) == 1


def test_waiting_can_be_cancelled(other):
    other()
    cancel = threading.Event()
    threading.Timer(0.5, cancel.set).start()
    turn = turns.Turn(2)
    with pytest.raises(LabError, match="cancelled"):
        turn.wait(quiet, cancel, None)
    turn.close()


def test_a_killed_lab_holds_nobody_up(other, folder):
    first = other()
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert len(_tickets(folder)) == 1
    turn = turns.Turn(2)
    turn.wait(quiet, None, 0)
    turn.close()
    assert _tickets(folder) == []


def test_a_program_does_not_wait_for_itself():
    first, second = turns.Turn(2), turns.Turn(1)
    first.wait(quiet, None, 0)
    with pytest.raises(LabError, match="a lab of depth 2 up already") as caught:
        second.wait(quiet, None, None)
    assert "close it first" in caught.value.remedy
    second.close()
    first.close()


def test_a_link_in_the_folder_s_place_is_not_followed(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LabError, match="cannot be used") as caught:
        turns.Turn(2)
    assert "NESTKIT_LAB_QUEUE" in caught.value.remedy
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_in_the_folder_s_place_is_told(folder):
    folder.write_text("")
    with pytest.raises(LabError, match="cannot be used"):
        turns.Turn(2)


def test_a_folder_where_all_may_remove_all_is_refused(folder):
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(LabError, match="may be written by everybody"):
        turns.Turn(2)


def test_the_folder_is_everybody_s_whatever_the_umask(folder):
    before = os.umask(0o077)
    try:
        turns.Turn(2).close()
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o7777 == 0o1777
    assert (folder / "door").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("name", ["x", "000001.depth9.pid1", "000001.depth2.pid1\n", "-1", "é"])
def test_strange_files_are_no_tickets(folder, name):
    turns.Turn(2).close()
    (folder / name).write_text("")
    assert lab.queue() == []
    assert (folder / name).exists()


def test_links_and_pipes_that_look_like_tickets_are_not_opened(folder, tmp_path):
    turns.Turn(2).close()
    (tmp_path / "precious").write_text("x")
    (folder / "000001.depth2.pid1").symlink_to(tmp_path / "precious")
    os.mkfifo(folder / "000002.depth2.pid2")
    assert lab.queue() == []
    assert (tmp_path / "precious").read_text() == "x"


def test_a_door_that_is_held_is_an_error_not_a_hang(folder, monkeypatch):
    import fcntl

    turns.Turn(2).close()
    monkeypatch.setattr(turns, "_DOOR_DEADLINE_S", 0.3)
    with (folder / "door").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(LabError, match="is held"):
            turns.Turn(2)


def test_on_windows_no_lab_runs(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "O_DIRECTORY")
    assert lab.queue() == []


def test_many_at_once_run_one_at_a_time():
    running: list[int] = []
    most: list[int] = []
    lock = threading.Lock()

    def one() -> None:
        script = textwrap.dedent(_OTHER)
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        while process.stdout.readline() != "running\n":
            assert process.poll() is None
        with lock:
            running.append(process.pid)
            most.append(len(running))
        time.sleep(0.1)
        with lock:
            running.remove(process.pid)
        process.communicate("\n")

    threads = [threading.Thread(target=one) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert most == [1] * 5


# what a lab may ask for


def test_a_lab_refused_for_memory_gives_its_turn_back(monkeypatch, folder):
    monkeypatch.setattr(session, "build_image", lambda *_, **__: None)
    monkeypatch.setattr(limits, "available_mib", lambda: 600)
    with pytest.raises(LabError, match="takes 1024 MiB, and 600 MiB are free") as caught:
        lab.up(depth=2)
    assert "depth=1" in caught.value.remedy
    assert _tickets(folder) == []


def test_without_memory_for_any_lab_the_remedy_names_none(monkeypatch):
    monkeypatch.setattr(limits, "available_mib", lambda: 100)
    with pytest.raises(LabError) as caught:
        limits.require_memory([512])
    assert caught.value.remedy == "close other programs"


def test_the_limit_of_a_container_counts(monkeypatch, tmp_path):
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal: 99999999 kB\nMemAvailable:   20480000 kB\n")
    (proc / "self/cgroup").write_text("0::/class/anna\n")
    (groups / "class/anna").mkdir(parents=True)
    for name, text in {"max": 800 << 20, "current": 300 << 20}.items():
        (groups / f"class/memory.{name}").write_text(f"{text}\n")
    (groups / "class/memory.stat").write_text(f"anon 1\ninactive_file {100 << 20}\n")
    (groups / "class/anna/memory.max").write_text("max\n")
    monkeypatch.setattr(limits, "_PROC", proc)
    monkeypatch.setattr(limits, "_CGROUPS", groups)
    assert limits.available_mib() == 600
    (groups / "class/memory.max").write_text("max\n")
    assert limits.available_mib() == 20000
    (proc / "meminfo").unlink()
    assert limits.available_mib() is None


@pytest.mark.parametrize("memory", ["1024", 1024.0, True, -1, 0])
def test_memory_that_is_no_number_of_mib_is_refused(memory):
    with pytest.raises(LabError, match="MiB"):
        limits.memory_plan(2, memory)


@pytest.mark.parametrize(("depth", "npt"), [(1, False), (2, "off"), (2, 0), (2, None)])
def test_nested_paging_is_switched_off_only_where_there_is_some(depth, npt):
    with pytest.raises(LabError, match=r"nested paging|npt") as caught:
        lab.up(depth, npt=npt)
    assert "npt=False" in caught.value.remedy


def test_timings_read_as_a_table():
    timings = Timings()
    with timings.phase("image"):
        pass
    timings["L2 answers"] = 7.25
    assert str(timings) == "image          0.0 s\nL2 answers     7.2 s"
    assert timings.line() == "L2 answers 7.2 s"
