"""The parts of the lab that need no virtual machine."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestkit.errors import DeadlineExceeded, LabError
from nestkit.lab import (
    accelerator,
    assemble,
    boot,
    elf,
    image,
    kernel,
    limits,
    packages,
    rundir,
    session,
)
from nestkit.lab.channel import Channel, ChannelClosed, _request
from nestkit.lab.cpio import Archive
from nestkit.lab.machine import Console, disk_arguments, kernel_arguments, port_arguments

linux = pytest.mark.skipif(sys.platform != "linux", reason="the lab needs Linux")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NESTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NESTKIT_STATE", str(tmp_path / "state"))


# ELF


@linux
def test_needed_names_the_libraries_of_a_real_program():
    program = Path(shutil.which("ls") or "/bin/ls")
    assert "libc.so.6" in elf.needed(program)


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + bytes(80)])
def test_what_is_no_64_bit_elf_file_is_refused(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no 64-bit ELF"):
        elf.needed(path)


@linux
def test_a_cut_off_elf_file_is_called_damaged(tmp_path):
    whole = Path(os.path.realpath(shutil.which("ls") or "/bin/ls")).read_bytes()
    path = tmp_path / "ls"
    path.write_bytes(whole[:100])
    with pytest.raises(ValueError, match="damaged"):
        elf.needed(path)


def test_a_library_in_no_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(elf, "needed", lambda path: ("libmissing.so.1",))
    with pytest.raises(LabError, match=r"prog needs libmissing\.so\.1"):
        elf.closure([tmp_path / "prog"], {})


def test_closure_follows_libraries_of_libraries_and_ends_on_cycles(tmp_path, monkeypatch):
    needs = {"prog": ("a.so",), "a.so": ("b.so",), "b.so": ("a.so", "c.so"), "c.so": ()}
    monkeypatch.setattr(elf, "needed", lambda path: needs[path.name])
    found = elf.closure([tmp_path / "prog"], {n: tmp_path / n for n in ("a.so", "b.so", "c.so")})
    assert set(found) == {"a.so", "b.so", "c.so"}


def test_a_library_that_is_a_link_out_of_the_tree_is_not_taken(tmp_path):
    outside = tmp_path / "outside.so.1"
    outside.write_bytes(b"x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "evil.so.1").symlink_to(outside)
    (root / "good.so.1").write_bytes(b"y")
    assert set(elf.library_index(root)) == {"good.so.1"}


# cpio


def test_a_cpio_entry_has_the_fields_of_the_newc_format():
    archive = Archive()
    archive.character_device("dev/console", 5, 1)
    archive.file("a", b"12345")
    data = bytes(archive)
    fields = [int(data[6 + i * 8 : 14 + i * 8], 16) for i in range(13)]
    assert data[:6] == b"070701"
    assert fields[1] == 0o020600
    assert (fields[9], fields[10]) == (5, 1)
    assert data[110:122] == b"dev/console\0"
    second = 124  # 110 + 12, padded to four
    assert data[second : second + 6] == b"070701"
    assert int(data[second + 6 + 6 * 8 : second + 6 + 7 * 8], 16) == 5
    assert data[second + 112 : second + 117] == b"12345"
    assert b"TRAILER!!!" in data
    assert len(data) % 512 == 0


def test_equal_input_gives_an_equal_archive():
    def make() -> bytes:
        archive = Archive()
        archive.file("a", b"x")
        return bytes(archive)

    assert make() == make()


# kernel and modules


def _module(depends: str) -> bytes:
    return b"\x7fELF....\0license=GPL\0depends=" + depends.encode() + b"\0name=x\0"


def test_modules_come_after_those_they_need_and_built_in_ones_are_left_out(tmp_path):
    folder = tmp_path / "lib/modules/6.1"
    (folder / "kernel").mkdir(parents=True)
    (folder / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\n")
    for name, needs in {
        "virtio": "",
        "virtio-ring": "virtio",
        "virtio_blk": "virtio,virtio_ring",
    }.items():
        (folder / "kernel" / f"{name}.ko").write_bytes(_module(needs))
    modules = kernel.Modules(tmp_path, "6.1", lambda path: b"")
    assert list(modules.load_order("virtio_blk", "ext4")) == ["virtio", "virtio_ring", "virtio_blk"]
    with pytest.raises(LabError, match="no module kvm_amd"):
        modules.load_order("kvm-amd")


def test_a_kernel_package_without_a_kernel_is_an_error(tmp_path):
    with pytest.raises(LabError, match="no kernel"):
        kernel.find_kernel(tmp_path)


# arguments


def test_a_comma_in_a_path_cannot_add_qemu_options(tmp_path):
    assert boot._option(Path("/a,readonly=off/x")) == "/a,,readonly=off/x"


def test_arguments_name_disks_and_ports():
    words = " ".join(disk_arguments({"tools": "file=/t,readonly=on"}))
    assert "if=none,id=tools,format=raw,file=/t,readonly=on" in words
    assert "drive=tools,serial=tools" in words
    words = " ".join(port_arguments({"ctl.1": "socket,path=ctl.1", "con.2": "pipe,path=/dev/x"}))
    assert "socket,id=p0,path=ctl.1" in words
    assert "chardev=p1,name=con.2" in words


def test_the_frequency_is_given_only_where_it_was_measured():
    assert "tsc_early_khz" not in kernel_arguments(2)
    assert "tsc_early_khz=2445000" in kernel_arguments(1, tsc_khz=2445000)


def test_only_the_emulated_guest_keeps_a_timer_that_repeats_by_itself():
    assert "highres=off nohz=off" in kernel_arguments(1, tsc_khz=2445000)
    assert not any("highres" in kernel_arguments(layer) for layer in (1, 2, 3))


def test_only_inner_guests_skip_parts_of_their_start():
    assert "initcall_blacklist" not in kernel_arguments(1)
    assert "initcall_blacklist" in kernel_arguments(3)


def test_a_console_keeps_the_end_of_a_flood():
    console = Console()
    for index in range(5000):
        console.add(b"line %d of a flood of text\r\n" % index)
    assert len(console.text()) <= 64 * 1024
    assert console.tail(1) == "line 4999 of a flood of text"


# depth and memory


@pytest.mark.parametrize("depth", [0, 4, -1, "two", "2", 2.0, True, None])
def test_a_depth_that_no_lab_has_is_refused_with_a_remedy(depth):
    with pytest.raises(LabError, match="depth 1 to 3") as caught:
        session.up(depth)
    assert "depth=1" in caught.value.remedy


def test_depth_2_takes_at_most_2_gib():
    assert limits.memory_plan(2, None)[0] <= 2048
    outer, inner = limits.memory_plan(2, 900)
    assert outer == 900
    assert 256 <= inner < outer


def test_too_little_memory_is_refused():
    with pytest.raises(LabError, match="too few") as caught:
        limits.memory_plan(2, 600)
    assert "768 MiB" in caught.value.remedy


# the channel, against an agent written in Python


def _frame(kind: bytes, payload: bytes = b"") -> bytes:
    return kind + struct.pack("<I", len(payload)) + payload


class FakeGuest:
    """The other end of a channel; ``script(kind, payload)`` returns what to send back."""

    def __init__(self, script):
        ours, self.theirs = socket.socketpair()
        self.channel = Channel(ours, "L1")
        self.seen: list[tuple[bytes, bytes]] = []
        self._script = script
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        file = self.theirs.makefile("rb")
        while head := file.read(5):
            payload = file.read(struct.unpack("<I", head[1:])[0])
            self.seen.append((head[:1], payload))
            answer = self._script(head[:1], payload)
            if answer is None:
                self.theirs.shutdown(socket.SHUT_RDWR)
                return
            try:
                self.theirs.sendall(answer)
            except OSError:
                return


def _exit(rc: int) -> bytes:
    return _frame(b"X", struct.pack("<i", rc))


@settings(max_examples=50)
@given(
    out=st.binary(max_size=2000),
    err=st.binary(max_size=2000),
    rc=st.integers(0, 255),
    cuts=st.lists(st.integers(1, 50), max_size=20),
)
def test_frames_arrive_whole_however_they_are_cut(out, err, rc, cuts):
    ours, theirs = socket.socketpair()
    with theirs:
        data = _frame(b"O", out) + _frame(b"E", err) + _exit(rc)

        def send():
            rest = data
            for cut in cuts:
                theirs.sendall(rest[:cut])
                rest = rest[cut:]
            theirs.sendall(rest)

        sender = threading.Thread(target=send)
        sender.start()
        channel = Channel(ours, "L1")
        done = channel.execute(["x"], timeout=60)
        sender.join()
        channel.close()
    assert (done.rc, done.stdout, done.stderr) == (rc, out, err)


@given(words=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_arguments_are_data(words):
    request = _request(["tool", *words], {"A": "b c"}, False)
    assert request[:5] == b"\0" + struct.pack("<I", len(words) + 1)
    assert request[5:].split(b"\0")[:-1] == [w.encode() for w in ["tool", *words, "A=b c"]]


@pytest.mark.parametrize(
    ("argv", "env"),
    [([], {}), ([""], {}), (["a\0b"], {}), (["a"], {"A=B": "c"}), (["a"], {"": "c"})],
)
def test_what_no_command_can_be_is_refused_before_it_is_sent(argv, env):
    with pytest.raises(LabError):
        _request(argv, env, False)


def test_a_missed_deadline_stops_the_command_and_leaves_the_channel_usable():
    def script(kind, payload):
        if kind == b"K":
            return _frame(b"O", b"late") + _exit(137)
        return b"" if b"slow" in payload else _exit(0)

    guest = FakeGuest(script)
    with pytest.raises(DeadlineExceeded, match="slow did not end in"):
        guest.channel.execute(["slow"], timeout=0.1)
    assert guest.channel.execute(["quick"], timeout=60).rc == 0
    assert [kind for kind, _ in guest.seen] == [b"R", b"K", b"R"]
    guest.channel.close()


def test_a_guest_that_dies_in_the_middle_is_an_error_at_once():
    guest = FakeGuest(lambda kind, payload: None)
    started = time.monotonic()
    with pytest.raises(ChannelClosed, match="L1 is gone"):
        guest.channel.execute(["x"], timeout=60)
    assert time.monotonic() - started < 50
    with pytest.raises(ChannelClosed):
        guest.channel.execute(["x"], timeout=30)
    guest.channel.close()


@pytest.mark.parametrize("noise", [b"Z\0\0\0\0", b"O\xff\xff\xff\xff"])
def test_noise_is_not_taken_for_an_answer(noise):
    guest = FakeGuest(lambda kind, payload: noise)
    with pytest.raises(ChannelClosed, match="no agent sends"):
        guest.channel.execute(["x"], timeout=60)
    guest.channel.close()


def test_input_is_sent_piece_by_piece_each_after_the_one_before_was_taken():
    sent = io.BytesIO(os.urandom(100_000))

    def script(kind, payload):
        if kind == b"I":
            return _exit(0) if not payload else _frame(b"A")
        return b""

    guest = FakeGuest(script)
    guest.channel.execute(["cat"], timeout=60, stdin=sent)
    pieces = [payload for kind, payload in guest.seen if kind == b"I"]
    assert b"".join(pieces) == sent.getvalue()
    assert pieces[-1] == b""
    guest.channel.close()


# cached images


def _built(folder: Path) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/tool").write_bytes(b"content")
    (folder / "initrd").write_bytes(b"archive")
    image.write_manifest(folder, {"fio": "3.33-3"}, "6.1")
    return folder


def test_a_whole_image_loads_with_its_versions(tmp_path):
    made = image.load(_built(tmp_path / "i"))
    assert made.versions == {"fio": "3.33-3"}
    assert made.kernel == "6.1"
    assert len(made.digest) == 64


def _flip(folder: Path) -> None:
    (folder / "bin/tool").write_bytes(b"Content")


def _remove(folder: Path) -> None:
    (folder / "initrd").unlink()


def _cut(folder: Path) -> None:
    manifest = folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:40])


def _newer(folder: Path) -> None:
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"schema": 99}))


def _list(folder: Path) -> None:
    (folder / "manifest.json").write_text("[]")


@pytest.mark.parametrize("damage", [_flip, _remove, _cut, _newer, _list])
def test_a_damaged_image_is_built_anew_and_the_reason_is_told(monkeypatch, damage):
    built = []

    def build(target, progress, cancel):
        shutil.rmtree(target, ignore_errors=True)
        built.append(1)
        return image.load(_built(target))

    monkeypatch.setattr(image, "_build", build)
    image.build_image()
    assert len(built) == 1
    image.build_image()
    assert len(built) == 1
    damage(image.image_folder())
    told: list[str] = []
    image.build_image(told.append)
    assert len(built) == 2
    assert "damaged" in told[0]


def test_two_builds_at_once_make_one_image(monkeypatch):
    built = []

    def build(target, progress, cancel):
        built.append(1)
        assert waits.wait(60), "nobody waits for this build"
        return image.load(_built(target))

    monkeypatch.setattr(image, "_build", build)
    waits = threading.Event()
    told: list[str] = []

    def tell(text):
        told.append(text)
        if "waiting" in text:
            waits.set()

    both = [threading.Thread(target=image.build_image, args=(tell,)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert built == [1]
    assert sum("waiting" in line for line in told) == 1


def test_waiting_for_another_build_can_be_cancelled(monkeypatch):
    started, release = threading.Event(), threading.Event()

    def build(target, progress, cancel):
        started.set()
        release.wait(60)
        return image.load(_built(target))

    monkeypatch.setattr(image, "_build", build)
    other = threading.Thread(target=image.build_image)
    other.start()
    assert started.wait(60)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(LabError, match="cancelled"):
        image.build_image(cancel=cancel)
    release.set()
    other.join()


def test_what_a_killed_build_left_is_swept(monkeypatch):
    monkeypatch.setattr(image, "_build", lambda target, *_: image.load(_built(target)))
    left = image.image_folder().parent / "build-abc"
    (left / "root").mkdir(parents=True)
    image.build_image()
    assert not left.exists()


def test_a_full_disk_is_told_before_anything_is_fetched(monkeypatch):
    monkeypatch.setattr(packages, "require_platform", lambda: None)
    usage = shutil.disk_usage("/")._replace(free=10_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(LabError, match="too full") as caught:
        image.build_image()
    assert "NESTKIT_CACHE" in caught.value.remedy


def test_a_disk_that_fills_while_building_is_told(monkeypatch):
    def build(target, progress, cancel):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(image, "_build", build)
    with pytest.raises(LabError, match="disk is full") as caught:
        image.build_image()
    assert "NESTKIT_CACHE" in caught.value.remedy
    assert not image.is_built()


# run folders


@linux
def test_the_folder_of_a_dead_lab_is_swept_and_that_of_a_running_one_kept():
    alive = rundir.RunFolder()
    dead = rundir.RunFolder()
    dead._lock.release()  # as the kernel does when a process ends
    (dead.path / "disk.raw").write_bytes(b"x")
    third = rundir.RunFolder()
    assert alive.path.is_dir()
    assert not dead.path.exists()
    third.close()
    alive.close()
    assert [p.name for p in alive.path.parent.iterdir()] == ["sweep.lock"]


# accelerator


def test_without_kvm_the_reason_is_given(monkeypatch, tmp_path):
    monkeypatch.setattr(accelerator, "KVM_DEVICE", tmp_path / "kvm")
    choice = accelerator.choose(None, 2, lambda m: None)
    assert choice.accelerator == "tcg"
    assert "no /dev/kvm" in choice.reason


@pytest.fixture
def device(monkeypatch, tmp_path):
    path = tmp_path / "kvm"
    path.touch()
    monkeypatch.setattr(accelerator, "KVM_DEVICE", path)
    return path


def test_a_device_without_permission_is_not_opened(device, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    choice = accelerator.choose(None, 1, lambda m: None)
    assert choice.accelerator == "tcg"
    assert "usermod -aG kvm" in choice.reason


def test_nesting_switched_on_is_noticed_without_a_new_boot(device, monkeypatch, tmp_path):
    module = tmp_path / "kvm_amd"
    (module / "parameters").mkdir(parents=True)
    nested = module / "parameters" / "nested"
    monkeypatch.setattr(accelerator, "_MODULES", (module,))
    nested.write_text("0\n")
    monkeypatch.setattr(accelerator, "_try_kvm", lambda *_: accelerator._judge(nests=False))
    choice = accelerator.choose(None, 2, lambda m: None)
    assert choice.accelerator == "tcg"
    assert "nested=1" in choice.reason  # what to do about it
    monkeypatch.setattr(accelerator, "_try_kvm", lambda *_: accelerator._judge(nests=True))
    assert accelerator.choose(None, 2, lambda m: None).accelerator == "tcg"
    nested.write_text("1\n")
    assert accelerator.choose(None, 2, lambda m: None).accelerator == "kvm"


@pytest.mark.parametrize(
    ("verdict", "depth", "expected"),
    [
        (accelerator.Verdict(True, True, "good"), 2, "kvm"),
        (accelerator.Verdict(True, False, "nested=0"), 2, "tcg"),
        (accelerator.Verdict(True, False, "nested=0"), 1, "kvm"),
        (accelerator.Verdict(False, False, "hangs"), 1, "tcg"),
    ],
)
def test_the_accelerator_follows_the_trial_boot(device, monkeypatch, verdict, depth, expected):
    trials = []
    monkeypatch.setattr(accelerator, "_try_kvm", lambda *_: trials.append(1) or verdict)
    told: list[str] = []
    for _ in range(2):
        choice = accelerator.choose(None, depth, told.append)
        assert choice.accelerator == expected
        assert verdict.reason in choice.reason
    assert trials == [1]  # the second time the verdict is known
    monkeypatch.setattr(accelerator, "_boot_id", lambda: "another boot")
    accelerator.choose(None, depth, told.append)
    assert trials == [1, 1]


def test_a_verdict_file_that_cannot_be_read_is_made_anew(device, monkeypatch):
    monkeypatch.setattr(accelerator, "_try_kvm", lambda *_: accelerator.Verdict(True, True, "ok"))
    for text in ('{"boot_id": ', "[]", "{}", '{"verdict": {}}'):
        accelerator._verdict_file().write_text(text)
        assert accelerator._cached() is None
    assert accelerator.choose(None, 2, lambda m: None).accelerator == "kvm"


def test_capability_boots_nothing_and_says_what_is_certain(device, monkeypatch):
    monkeypatch.setattr(packages, "wrong_machine", lambda: "")
    monkeypatch.setattr(packages, "missing_tools", lambda: "")
    monkeypatch.setattr(accelerator, "_try_kvm", lambda *_: pytest.fail("booted"))
    kind, reason = accelerator.capability()
    assert (kind, "tried when a lab first starts" in reason) == ("tcg", True)
    monkeypatch.setattr(packages, "missing_tools", lambda: "this machine lacks apt-get")
    assert accelerator.capability() == ("", "this machine lacks apt-get")
    monkeypatch.setattr(accelerator, "is_built", lambda: True)
    assert accelerator.capability()[0] == "tcg"


def test_kvm_that_fails_a_whole_lab_is_remembered(device):
    choice = accelerator.give_up_kvm(2, "L2 did not come up")
    assert choice.accelerator == "tcg"
    assert "L2 did not come up" in choice.reason
    assert accelerator.choose(None, 2, lambda m: None).accelerator == "tcg"
    assert accelerator.choose(None, 1, lambda m: None).accelerator == "kvm"


def test_the_c_sources_lie_beside_the_builder():
    for name in (*(f"{n}.c" for n in assemble.OWN_PROGRAMS), "init.sh"):
        assert (assemble.GUEST / name).is_file()
