"""Start guests: the outermost under QEMU here, the others by QEMU inside the one before."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from nestkit.errors import LabError, NestkitError
from nestkit.lab.channel import Channel, ChannelClosed
from nestkit.lab.image import Image, fill_scratch
from nestkit.lab.machine import (
    CPUS,
    Console,
    Machine,
    common_arguments,
    cpu_arguments,
    disk_arguments,
    kernel_arguments,
    network_arguments,
    port_arguments,
)
from nestkit.lab.progress import Cancel, check
from nestkit.runners.lab import GuestRunner, image_runner
from nestkit.runners.local import LocalRunner

SCRATCH_MIB: Final = 64
_LOOK_EVERY_S: Final = 2.0
_REPORT: Final = "start it again; if it stays, report the lines of the console"
_LOAD_KVM: Final = """
while read -r module; do
    [ -e /dev/kvm ] && break
    insmod "/tools/kvm/$module.ko" $(case $module in
        kvm_amd) echo nested=1 npt=$0 ;;
        kvm_intel) echo nested=1 ept=$0 ;;
    esac) 2>/dev/null
done < /tools/kvm/order
[ -e /dev/kvm ] || { dmesg | tail -3 >&2; exit 1; }
cat /sys/module/kvm_amd/parameters/npt /sys/module/kvm_intel/parameters/ept 2>/dev/null; :
"""
_SOCKET: Final = "net"  # of the guest's network card, in the layer outside it
_LINK: Final = "virtio-net, user-mode network (libslirp), no offloads"
_GRAVE: Final = re.compile(r"Kernel panic|^nestkit: ")
_START_QEMU: Final = 'setsid qemu "$@" </dev/null >/run/qemu.log 2>&1 & echo $!'
_LOOK_FOR_QEMU: Final = '[ -e "/proc/$0/exe" ] && exit 0; cat /run/qemu.log; exit 1'


@dataclass
class Boot:
    """What all guests of one lab have in common."""

    image: Image
    folder: Path
    outermost: Literal["kvm", "tcg"]
    depth: int
    cancel: Cancel | None
    timings: dict[str, float]
    npt: bool = True
    machine: Machine | None = None
    extra: dict[str, str] | None = None


def host_layer(image: Image, folder: Path) -> tuple[LocalRunner, dict[str, str]]:
    """L0, with the file that is every guest's disk; and the facts that all layers share."""
    scratch = folder / "disk.raw"
    fill_scratch(scratch, SCRATCH_MIB << 20)
    direct = _takes_direct_io(scratch)
    shared = {
        "disk_format": "raw",
        "disk_mib": str(SCRATCH_MIB),
        "disk_cache": "none" if direct else "writeback: this file system takes no direct I/O",
        "image": image.digest[:12],
        "qemu": image.versions.get("qemu-system-x86", ""),
    }
    return image_runner(image, cpus=CPUS, extra={**shared, "disk": str(scratch)}), shared


def outermost(boot: Boot, host: LocalRunner, memory_mib: int, deadline_s: float) -> GuestRunner:
    """Boot L1."""
    khz = 0
    if boot.outermost == "tcg":
        khz = int(host.run(["nestkit-probe", "tsc"], timeout=30).stdout.split()[1])
    folder = boot.image.folder
    extra = boot.extra or {}
    cache = extra["disk_cache"].partition(":")[0]
    arguments = [
        *cpu_arguments(boot.outermost), *common_arguments(memory_mib),
        "-kernel", str(folder / "vmlinuz"), "-initrd", str(folder / "initrd"),
        "-append", kernel_arguments(1, tsc_khz=khz),
        *disk_arguments({
            "tools": f"file={_option(folder / 'tools.img')},readonly=on",
            "scratch": f"file={_option(boot.folder / 'disk.raw')},cache={cache}",
        }),
        *network_arguments(_SOCKET),
    ]  # fmt: skip
    inner = range(2, boot.depth + 1)
    ports = ["ctl.1", *(f"{kind}.{n}" for n in inner for kind in ("ctl", "con"))]
    started = time.monotonic()
    machine = boot.machine = Machine(boot.image, boot.folder, arguments, ports)

    def why_dead() -> str:
        return "" if machine.alive() else "QEMU ended" + _said(machine.errors())

    return _greet(boot, machine, 1, started, deadline_s, why_dead)


def inside(
    boot: Boot, host: GuestRunner, layer: int, memory_mib: int, deadline_s: float
) -> GuestRunner:
    """Boot a guest inside a guest."""
    if boot.machine is None:
        raise LabError("no guest runs yet", remedy="boot the outermost first")
    started = time.monotonic()
    ready = host.run(["sh", "-c", _LOAD_KVM, str(int(boot.npt))], timeout=deadline_s)
    if ready.rc != 0:
        raise LabError(f"KVM does not start in {host.layer}{_said(ready.stderr)}", remedy=_REPORT)
    paging = _nested_paging(ready.stdout)
    if paging == "on" and not boot.npt:
        raise LabError(
            f"KVM in {host.layer} keeps nested paging on", remedy="start the lab with npt=True"
        )
    boot.timings[f"L{layer - 1} KVM ready"] = time.monotonic() - started
    deeper = range(layer + 1, boot.depth + 1)
    ports = [f"ctl.{layer}", *(f"{kind}.{n}" for n in deeper for kind in ("ctl", "con"))]
    arguments = [
        *cpu_arguments("kvm"), *common_arguments(memory_mib), "-L", "/tools/share",
        "-kernel", "/tools/boot/vmlinuz", "-initrd", "/tools/boot/initrd",
        "-append", kernel_arguments(layer),
        *disk_arguments({
            "tools": "file=/dev/nestkit/tools,readonly=on",
            "scratch": "file=/dev/nestkit/scratch,cache=none",
        }),
        *network_arguments(f"/run/{_SOCKET}"),
        # a port of the guest outside is opened as it is: bytes pass through every layer
        "-chardev", f"pipe,id=console,path=/dev/nestkit/con.{layer}", "-serial", "chardev:console",
        *port_arguments({name: f"pipe,path=/dev/nestkit/{name}" for name in ports}),
    ]  # fmt: skip
    started = time.monotonic()
    qemu = host.run(["sh", "-c", _START_QEMU, "sh", *arguments], timeout=deadline_s)

    def why_dead() -> str:
        look = host.run(["sh", "-c", _LOOK_FOR_QEMU, qemu.stdout.strip()], timeout=60)
        return f"its QEMU in {host.layer} ended{_said(look.stdout)}" if look.rc else ""

    return _greet(boot, boot.machine, layer, started, deadline_s, why_dead, paging)


def _greet(
    boot: Boot,
    machine: Machine,
    layer: int,
    started: float,
    deadline_s: float,
    why_dead: Callable[[], str],
    paging: str = "",
) -> GuestRunner:
    """Wait until a guest's agent answers a first command."""
    name = f"L{layer}"
    console = machine.consoles.get(f"con.{layer}", Console())
    channel = Channel(machine.sockets[f"ctl.{layer}"], name)
    look = started + _LOOK_EVERY_S
    try:
        while not channel.wait_hello(0.2):
            check(boot.cancel)
            now = time.monotonic()
            if now - started > deadline_s:
                raise _failed(f"{name} did not come up in {deadline_s:g} s", console)
            if now > look:
                look = now + _LOOK_EVERY_S
                if reason := _ask(why_dead):
                    raise _failed(f"{name} did not come up: {reason}", console)
    except ChannelClosed:
        time.sleep(0.2)  # let the console's last lines arrive
        reason = _ask(why_dead) or "its machine ended"
        raise _failed(f"{name} did not come up: {reason}", console) from None
    # where the layer outside finds this guest's network card
    link = f"/run/{_SOCKET}" if layer > 1 else str(boot.folder / _SOCKET)
    extra = (boot.extra or {}) | {"path:link": link, "link": _LINK}
    extra |= {"nested_paging": paging} if paging else {}
    runner = GuestRunner(channel, depth=layer, outermost=boot.outermost, extra=extra)
    channel.execute(["true"], timeout=deadline_s)
    boot.timings[f"{name} boot"] = time.monotonic() - started
    return runner


def _nested_paging(parameter: str) -> str:
    """What KVM's module says of EPT or NPT: "on", "off", or "" when it says nothing."""
    return {"Y": "on", "1": "on", "N": "off", "0": "off"}.get(parameter.strip()[:1], "")


def _ask(why_dead: Callable[[], str]) -> str:
    try:
        return why_dead()
    except NestkitError as error:  # the guest outside does not answer either
        return error.message


def _failed(what: str, console: Console) -> LabError:
    lines = console.tail()
    shown = f"; its console said last:\n{lines}" if lines else "; its console said nothing"
    # the lines that tell most may have scrolled away under a trace
    grave = [line for line in console.text().splitlines() if _GRAVE.search(line)]
    if grave and grave[-1] not in lines:
        shown = f": {grave[-1].strip()}{shown}"
    return LabError(what + shown, remedy=_REPORT)


def _said(text: str) -> str:
    text = text.strip()
    return f": {text[-400:]}" if text else ""


def _option(path: Path) -> str:
    """A path as a value in QEMU's option lists, where a comma is doubled."""
    return str(path).replace(",", ",,")


def _takes_direct_io(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECT))
    except OSError:
        return False
    return True
