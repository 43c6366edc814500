"""Real guests: what works, what fails, and that nothing is left behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from nestkit import lab
from nestkit.benchmark import memory_per_layer
from nestkit.errors import LabError
from nestkit.lab import accelerator, boot, image, rundir
from nestkit.lab.cpio import Archive
from nestkit.state import cache_dir

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The user's cached image, in a cache of these tests' own: other labs may run meanwhile."""
    lab.build_image()
    cache = tmp_path_factory.mktemp("cache")
    (cache / "lab").mkdir()
    (cache / "lab/images").symlink_to(cache_dir("lab", "images"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NESTKIT_CACHE", str(cache))
        yield lab.build_image()


@pytest.fixture(scope="module")
def deep(built):
    with lab.up(depth=2) as running:
        yield running


def _left() -> tuple[list[int], list[str]]:
    """QEMU processes of this user's labs, and run folders."""
    loader = str(image.image_folder())
    processes = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(loader.encode() in word for word in words):
                processes.append(int(entry.name))
    folders = [p.name for p in cache_dir("lab", "run").iterdir() if p.name != "sweep.lock"]
    return sorted(processes), sorted(folders)


@pytest.fixture
def nothing_left(built, tmp_path, monkeypatch):
    # beside the lab that other tests of this module share, which has the machine's turn
    monkeypatch.setenv("NESTKIT_LAB_QUEUE", str(tmp_path / "queue"))
    before = _left()
    yield
    deadline = time.monotonic() + 60
    while _left()[0] != before[0] and time.monotonic() < deadline:
        time.sleep(0.1)
    rundir.sweep_all()
    assert _left() == before
    assert lab.queue() == []


def test_cpio_reads_the_archive_back(built, tmp_path):
    archive = Archive()
    archive.folder("bin")
    archive.file("bin/tool", b"\x7fELF\x00" * 7, executable=True)
    archive.link("bin/alias", "tool")
    command = [str(built.busybox), "cpio", "-id"]
    subprocess.run(command, input=bytes(archive), cwd=tmp_path, check=True)
    assert (tmp_path / "bin/tool").read_bytes() == b"\x7fELF\x00" * 7
    assert os.access(tmp_path / "bin/tool", os.X_OK)
    assert (tmp_path / "bin/alias").readlink() == Path("tool")


def test_every_layer_is_another_kernel_and_the_inner_two_are_one_build(deep):
    said = [runner.run(["uname", "-nr"], timeout=60).stdout.split() for runner in deep.layers]
    assert [name for name, _ in said[1:]] == ["L1", "L2"]
    assert said[1][1] == said[2][1] == deep.image.kernel


def test_l2_answers_within_eight_times_a_bare_l1_boot(deep):
    assert deep.timings["L2 answers"] <= 8 * deep.timings["L1 boot"], deep.timings


def test_a_lab_of_depth_2_takes_at_most_2_gib(deep):
    assert deep.host_memory_mib() <= 2048


def test_facts_tell_how_each_layer_was_reached(deep):
    facts = [runner.facts() for runner in deep.layers]
    outermost = deep.acceleration
    assert [f.depth for f in facts] == [0, 1, 2]
    assert [f.stack for f in facts[1:]] == [outermost.upper(), f"{outermost.upper()} > KVM"]
    assert [f.acceleration for f in facts] == ["none", outermost, "kvm"]
    assert [f.emulated for f in facts] == [False, *[outermost == "tcg"] * 2]
    expected = "TCGTCGTCGTCG" if outermost == "tcg" else "KVMKVMKVM"
    assert expected in facts[1].hypervisor_leaves
    assert "KVMKVMKVM" in facts[2].hypervisor_leaves
    assert [f.cpu_count for f in facts[1:]] == [1, 1]
    assert facts[0].extra["cpus_used"] == "1"
    assert all(f.extra["image"] == facts[0].extra["image"] for f in facts)


def test_the_guests_clocks_keep_time(deep):
    for runner in deep.layers[1:]:
        assert "jiffies" not in str(runner.facts().clock_source)
        before = runner.run(["cat", "/proc/uptime"], timeout=60)
        time.sleep(5)
        after = runner.run(["cat", "/proc/uptime"], timeout=60)
        guest = float(after.stdout.split()[0]) - float(before.stdout.split()[0])
        # each reading was taken between two instants that are known
        assert (
            after.host_t0 - before.host_t1 - 0.05 <= guest <= after.host_t1 - before.host_t0 + 0.05
        )


def test_a_wall_clock_that_jumps_moves_no_figure(deep):
    guest = deep.runner(2)
    before = guest.run(["cat", "/proc/uptime"], timeout=60)
    assert guest.run(["date", "-s", "2031-01-01 00:00"], timeout=60).rc == 0
    probe = guest.run(["nestkit-probe", "syscall", "--seconds", "0.2"], timeout=60)
    after = guest.run(["cat", "/proc/uptime"], timeout=60)
    assert float(probe.stdout.split()[1]) < 20
    passed = float(after.stdout.split()[0]) - float(before.stdout.split()[0])
    assert passed <= after.host_t1 - before.host_t0 + 0.05


def test_nested_paging_can_be_switched_off(nothing_left):
    with lab.up(depth=2, npt=False) as running:
        outer, inner = running.runner(1), running.runner(2)
        said = outer.run(
            ["sh", "-c", "cat /sys/module/kvm_amd/parameters/npt "
             "/sys/module/kvm_intel/parameters/ept 2>/dev/null"], timeout=60)  # fmt: skip
        assert said.stdout.strip() == "N"
        facts = inner.facts()
        assert facts.extra["nested_paging"] == "off"
        assert facts.stack.endswith("> KVM without nested paging")
        assert "npt" not in inner.run(["cat", "/proc/cpuinfo"], timeout=60).stdout.split()


def test_nested_paging_is_on_unless_it_is_switched_off(deep):
    assert deep.runner(2).facts().extra["nested_paging"] == "on"


@pytest.mark.parametrize("program", ["sysbench", "fio", "nestkit-probe"])
def test_every_layer_runs_the_same_bytes(deep, program):
    hashes = set()
    for runner in deep.layers:
        path = runner.facts().extra[f"path:{program}"]
        hashes.add(runner.run(["sha256sum", path], timeout=60).stdout.split()[0])
    assert len(hashes) == 1


def test_the_tools_run_in_every_layer(deep):
    for runner in deep.layers:
        cpu = ["sysbench", "cpu", "--cpu-max-prime=2000", "--events=20", "--time=0", "run"]
        assert "events per second" in runner.run(cpu, timeout=120).stdout
        probe = runner.run(["nestkit-probe", "exit", "--seconds", "0.1"], timeout=60)
        assert float(probe.stdout.split()[3]) > 0
        disk = f"--filename={runner.facts().extra['disk']}"
        fio = ["fio", "--name=d", disk, "--readonly", "--rw=randread", "--bs=4k", "--direct=1",
               "--thread", "--number_ios=20", "--output-format=json"]  # fmt: skip
        done = runner.run(fio, timeout=120)
        assert '"error" : 0' in done.stdout, done.stderr


def test_an_exit_costs_more_one_layer_down(deep):
    costs = []
    for runner in deep.layers[1:]:
        said = runner.run(["nestkit-probe", "exit", "--seconds", "0.3"], timeout=60).stdout
        words = said.split()
        costs.append(float(dict(zip(words[::2], words[1::2], strict=True))["ns_per_op"]))
    assert costs[1] > 5 * costs[0]


@pytest.mark.parametrize("arguments", [[], ["exit"], ["exit", "--seconds", "x"], ["what"]])
def test_the_probe_refuses_what_it_does_not_know(deep, arguments):
    done = deep.layers[0].run(["nestkit-probe", *arguments], timeout=60)
    assert done.rc == 2
    assert "usage" in done.stderr


def test_a_console_flood_does_not_disturb_the_channel(deep):
    guest = deep.runner(2)
    guest.run(["sh", "-c", "yes flood > /dev/console & echo $! > /tmp/flood"], timeout=60)
    try:
        assert guest.run(["echo", "still here"], timeout=60).stdout == "still here\n"
        deadline = time.monotonic() + 60
        while "flood" not in deep.console(2) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert "flood" in deep.console(2)
        assert len(deep.console(2)) <= 64 * 1024
    finally:
        guest.run(["sh", "-c", "kill $(cat /tmp/flood)"], timeout=60)


def test_layers_and_consoles_that_are_not_there_are_refused(deep):
    for wrong in (3, -1, "2", True):
        with pytest.raises(LabError, match="layers 0 to 2"):
            deep.runner(wrong)
    with pytest.raises(LabError, match="no guest 3"):
        deep.console(3)


def _with_kernel_word(monkeypatch, word, layer=1):
    original = boot.kernel_arguments
    monkeypatch.setattr(
        boot,
        "kernel_arguments",
        lambda n, **more: original(n, **more) + (f" {word}" if n == layer else ""),
    )


def test_a_guest_that_panics_is_told_with_its_last_words(monkeypatch, nothing_left):
    _with_kernel_word(monkeypatch, "rdinit=/bin/false")
    # not "in 120 s": at once
    with pytest.raises(LabError, match="L1 did not come up: ") as caught:
        lab.up(depth=1)
    assert "Attempted to kill init" in str(caught.value)


def test_an_inner_guest_that_panics_is_told_with_its_last_words(monkeypatch, nothing_left):
    _with_kernel_word(monkeypatch, "rdinit=/bin/false", layer=2)
    with pytest.raises(LabError, match="L2 did not come up: its QEMU in L1 ended") as caught:
        lab.up(depth=2)
    assert "Attempted to kill init" in str(caught.value)


def test_a_guest_that_hangs_meets_its_deadline(monkeypatch, nothing_left):
    _with_kernel_word(monkeypatch, "rdinit=/bin/cat")
    monkeypatch.setitem(accelerator.__dict__, "KVM_DEVICE", Path("/nonexistent"))
    with pytest.raises(LabError, match="did not come up in 6 s"):
        lab.up(depth=1, boot_deadline_s=6)


def test_kvm_that_cannot_run_the_lab_gives_way_to_emulation(monkeypatch, nothing_left):
    accelerator.forget()
    choice = accelerator.Choice("kvm", "as if the trial had passed")
    monkeypatch.setattr(accelerator, "choose", lambda *_: choice)
    original = boot.cpu_arguments
    # the KVM of a machine that lies: QEMU ends at once
    monkeypatch.setattr(
        boot, "cpu_arguments", lambda a, **k: ["-accel", "none"] if a == "kvm" else original(a, **k)
    )
    told: list[str] = []
    with lab.up(depth=1, progress=told.append) as running:
        assert running.acceleration == "tcg"
        assert "KVM could not run a lab of depth 1" in running.reason
        assert running.run(["true"]).rc == 0
    accelerator.forget()


def _with_measured_clock(built, monkeypatch):
    """Under TCG a busy machine's kernel cannot calibrate its clock; under KVM it need not."""
    probe = [*built.command("nestkit-probe"), "tsc"]
    said = subprocess.run(probe, check=True, capture_output=True, text=True).stdout
    original = accelerator.kernel_arguments
    monkeypatch.setattr(
        accelerator,
        "kernel_arguments",
        lambda n, **more: original(n, tsc_khz=int(said.split()[1]), **more),
    )


@pytest.mark.parametrize(("svm", "nests"), [("+svm", True), ("-svm", False)])
def test_the_trial_boot_tells_whether_a_guest_could_run_guests(
    built, monkeypatch, nothing_left, svm, nests
):
    cpu = ["-accel", "tcg", "-cpu", f"EPYC,{svm}"]
    monkeypatch.setattr(accelerator, "cpu_arguments", lambda a: cpu)
    _with_measured_clock(built, monkeypatch)
    monkeypatch.setattr(accelerator, "TRIAL_DEADLINE_S", 90.0)
    verdict = accelerator._try_kvm(built, None)
    assert (verdict.runs, verdict.nests) == (True, nests), verdict


def test_a_trial_guest_that_hangs_meets_its_deadline(built, monkeypatch, nothing_left):
    original = accelerator.kernel_arguments
    monkeypatch.setattr(accelerator, "cpu_arguments", lambda a: ["-accel", "tcg"])
    monkeypatch.setattr(
        accelerator, "kernel_arguments", lambda n, **m: original(n, **m) + " rdinit=/bin/cat"
    )
    monkeypatch.setattr(accelerator, "TRIAL_DEADLINE_S", 3.0)
    verdict = accelerator._try_kvm(built, None)
    assert not verdict.runs
    assert "a guest did not boot on it in 3 s" in verdict.reason


def test_a_start_that_is_cancelled_leaves_nothing(nothing_left):
    cancel = threading.Event()
    threading.Timer(1.0, cancel.set).start()
    with pytest.raises(LabError, match="cancelled"):
        lab.up(depth=2, cancel=cancel)


def test_an_exception_in_the_block_leaves_nothing(nothing_left):
    with pytest.raises(ZeroDivisionError), lab.up(depth=1):
        raise ZeroDivisionError
    with lab.up(depth=1) as running:
        runner = running.runner(1)
        running.close()
        running.close()
    with pytest.raises(LabError, match="was closed"):
        runner.run(["true"], timeout=5)


def test_a_guest_that_ends_by_itself_is_an_error_not_a_hang(nothing_left):
    with lab.up(depth=1) as running:
        with pytest.raises(LabError, match="is gone"):
            running.run(["reboot", "-f"], timeout=30)
        with pytest.raises(LabError, match="is gone"):
            running.run(["true"], timeout=30)


_CHILD = """
    import sys, time
    from nestkit import lab
    print("begins", flush=True)
    with lab.up(depth=int(sys.argv[1])) as running:
        print("up", flush=True)
        if len(sys.argv) > 2:
            running.run(["sleep", "300"], timeout=300)
        time.sleep(300)
"""


def _start_child(*words: str) -> subprocess.Popen[str]:
    """A program that boots a lab now; Python has its own answer to signals by then."""
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_CHILD), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "begins\n"
    return child


@pytest.mark.parametrize("when", ["booting", "up", "in a command"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_however_python_ends_no_machine_is_left(nothing_left, when, how):
    child = _start_child("1", *(["busy"] if when == "in a command" else []))
    if when == "booting":
        time.sleep(1.5)
    else:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        time.sleep(0.3)
    child.send_signal(how)
    out, err = child.communicate(timeout=120)
    if how == signal.SIGINT:
        assert "KeyboardInterrupt" in err, (out, err)


def test_an_interrupted_command_leaves_the_layer_usable(nothing_left):
    with lab.up(depth=1) as running:
        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            running.run(["sleep", "60"], timeout=60)
        assert running.run(["echo", "on"]).stdout == "on\n"
        assert running.run(["sh", "-c", "pgrep sleep || echo none"]).stdout == "none\n"


def test_a_damaged_image_is_found_before_it_is_booted(built, monkeypatch, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(built.folder, copy, symlinks=True)
    assert image.load(copy).digest == built.digest
    with (copy / "tools.img").open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"\x55" * 16)
    with pytest.raises(ValueError, match=r"tools\.img is not the file that was built"):
        image.load(copy)


@pytest.mark.timeout(900)
def test_depth_3_answers_within_forty_times_a_bare_l1_boot(built, tmp_path, monkeypatch):
    monkeypatch.setenv("NESTKIT_LAB_QUEUE", str(tmp_path / "queue"))
    with lab.up(depth=3) as running:
        print(f"\n{running.timings}")
        guest = running.runner(3)
        assert guest.run(["uname", "-n"], timeout=300).stdout == "L3\n"
        facts = guest.facts()
        assert facts.depth == 3
        assert facts.stack == f"{running.acceleration.upper()} > KVM > KVM"
        assert "KVMKVMKVM" in facts.hypervisor_leaves
        assert running.timings["L3 answers"] <= 40 * running.timings["L1 boot"], running.timings
        assert "jiffies" not in str(facts.clock_source), "only the start counts ticks"
        memory = memory_per_layer(running)
        print(*memory, sep="\n")
        assert [item.layer for item in memory] == ["L1", "L2", "L3"]
        outer, _, inner = (item.usable_mib for item in memory)
        assert 256 <= inner < outer
        assert running.host_memory_mib() <= 2048


def _sockets(folder: Path) -> list[str]:
    lines = Path("/proc/net/unix").read_text().splitlines()
    return [line for line in lines if str(folder) in line]


@pytest.mark.timeout(7200)
@pytest.mark.soak
def test_labs_that_come_and_go_or_are_killed_leave_nothing(built, tmp_path, monkeypatch):
    """50 starts with NESTKIT_SOAK=1, else 12; every third is killed at a random moment."""
    soak = os.environ.get("NESTKIT_SOAK") == "1"
    seed = int(os.environ.get("NESTKIT_SOAK_SEED", time.time_ns() % 10**6 if soak else 1))
    dice = random.Random(seed)
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setenv("NESTKIT_LAB_QUEUE", str(tmp_path / "queue"))
    monkeypatch.setenv("TMPDIR", str(scratch))
    mounts = Path("/proc/self/mounts").read_text()
    # beside the lab that other tests of this module share
    before, sockets = _left(), sorted(_sockets(cache_dir("lab")))
    killed = 0
    for index in range(50 if soak else 12):
        depth = 2 if index % 4 == 3 else 1
        child = _start_child(str(depth))
        what = f"start {index}, depth {depth}, seed {seed}"
        if index % 3 == 2:
            time.sleep(dice.uniform(0, 8 * depth))
            child.kill()
            killed += 1
        else:
            assert child.stdout is not None
            assert child.stdout.readline() == "up\n", (what, child.communicate(timeout=30))
            child.send_signal(signal.SIGINT)
        child.communicate(timeout=120)
        deadline = time.monotonic() + 60
        while _left()[0] != before[0] and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _left()[0] == before[0], what
        assert sorted(_sockets(cache_dir("lab"))) == sockets, what
    rundir.sweep_all()
    assert lab.queue() == []
    assert _left() == before
    assert [p.name for p in (tmp_path / "queue").iterdir()] == ["door"]
    assert list(scratch.iterdir()) == []
    assert Path("/proc/self/mounts").read_text() == mounts
    print(f"\n{index + 1} starts, {killed} killed, nothing left; seed {seed}")
