"""One virtual machine on this machine: QEMU's arguments, its process, its sockets.

QEMU runs under a small shell that reads a pipe held by this Python process alone. However
Python ends, the pipe closes, and the shell ends QEMU.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from nestkit.errors import LabError
from nestkit.lab.image import Image

_CONNECT_DEADLINE_S: Final = 20.0
_CONSOLE_BYTES: Final = 64 * 1024
# the reader of the pipe is ended before QEMU's process id could be given to another process
_SUPERVISOR: Final = """
exec 3<&0
"$@" </dev/null >/dev/null 3<&- & qemu=$!
echo $qemu
{ read -r _ <&3; kill -9 $qemu; } >/dev/null 2>&1 & reader=$!
wait $qemu; status=$?
kill $reader 2>/dev/null
exit $status
"""
# one IOAPIC is enough for five devices; the second costs its guest 280 exits
MACHINE: Final = "microvm,rtc=on,pit=on,pic=on,isa-serial=on,ioapic2=off"
CPUS: Final = 1
TRANSLATED_MIB: Final = 512
# what an inner guest's kernel does at its start without need: tests of its ciphers, trace
# points, keys of its distribution, the clock chip. Each costs exits: 14 % fewer at L2 without
_SKIPPED: Final = (
    "cryptomgr.notests",
    "initcall_blacklist=init_kprobe_trace,load_system_certificate_list,cmos_init,msr_init",
)


def kernel_arguments(layer: int, *, tsc_khz: int = 0, trial: bool = False) -> str:
    """The kernel's command line in a guest."""
    words = ["console=ttyS0", "quiet", "panic=-1", "mitigations=off", "reboot=t",
             "random.trust_cpu=on",
             # there is no PCI here, and looking for it costs 230 exits
             "pci=off", "8250.nr_uarts=1",
             # under emulation the boot is shorter by about a third without these two
             "nokaslr", "edd=off", f"nestkit.layer={layer}"]  # fmt: skip
    if layer > 1:
        words += _SKIPPED
    if layer > 2:
        # handling one tick takes the third layer about as long as there is between two ticks: by
        # a clock, the next is due when one is done. Counting ticks instead, it gets its 4 ms in
        # between; the guest's init goes over to the clock when the start is done
        words.append("clocksource=jiffies")
    if tsc_khz:
        # calibration against the timer chip fails on a busy machine and the boot hangs; later
        # the watchdog would take the counter for unstable, and leave a clock of 4 ms steps
        words += [f"tsc_early_khz={tsc_khz}", "tsc=reliable"]
        # emulated, an interrupt may get lost while the CPU leaves its guest: QEMU 7 to 10 clear
        # their note of it without a lock (qemu-devel, 2025-09-01, on do_vmexit). A timer that
        # is set anew each time would never fire again, and all layers sleep; one that repeats
        # by itself is late by a tick
        words += ["highres=off", "nohz=off"]
    if trial:
        words.append("nestkit.trial=1")
    return " ".join(words)


def port_arguments(names: Mapping[str, str]) -> list[str]:
    """QEMU arguments for virtio serial ports; ``names``: port name → chardev specification."""
    # room for the ports there are: the driver sets two queues up for each there could be, and
    # each queue takes eight exits. The first is kept for a console
    words = ["-device", f"virtio-serial-device,max_ports={len(names) + 1}"]
    for index, (name, chardev) in enumerate(names.items()):
        kind, _, options = chardev.partition(",")
        words += ["-chardev", f"{kind},id=p{index},{options}",
                  "-device", f"virtserialport,chardev=p{index},name={name}"]  # fmt: skip
    return words


def disk_arguments(disks: Mapping[str, str]) -> list[str]:
    """QEMU arguments for virtio disks; ``disks``: serial → drive options."""
    words: list[str] = []
    for serial, options in disks.items():
        words += ["-drive", f"if=none,id={serial},format=raw,{options}",
                  "-device", f"virtio-blk-device,drive={serial},serial={serial}"]  # fmt: skip
    return words


def network_arguments(socket_path: str) -> list[str]:
    """QEMU arguments for the guest's network card; its frames wait at a Unix socket outside."""
    return ["-netdev", f"stream,id=net,server=on,addr.type=unix,addr.path={socket_path}",
            "-device", "virtio-net-device,netdev=net"]  # fmt: skip


def common_arguments(memory_mib: int) -> list[str]:
    """What every machine of the lab has, whatever runs it."""
    return ["-M", MACHINE, "-smp", str(CPUS), "-m", str(memory_mib), "-nodefaults",
            "-no-user-config", "-no-reboot", "-display", "none"]  # fmt: skip


def cpu_arguments(accelerator: str, *, npt: bool = True) -> list[str]:
    """The accelerator and a CPU that offers its guest hardware virtualization."""
    if accelerator == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    # TCG emulates AMD's SVM; what else of this CPU it lacks, it leaves out
    # TCG keeps what it translated, by default up to 1 GiB beside the guests' memory
    return [
        "-accel",
        f"tcg,thread=multi,tb-size={TRANSLATED_MIB}",
        "-cpu",
        f"EPYC,+svm,{'+' if npt else '-'}npt",
    ]


class Console:
    """The last 64 KiB of what a console said."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._lock = threading.Lock()

    def add(self, piece: bytes) -> None:
        """Add what came."""
        with self._lock:
            self._bytes += piece
            del self._bytes[:-_CONSOLE_BYTES]

    def text(self) -> str:
        """All that is kept, as text."""
        with self._lock:
            return self._bytes.decode("utf-8", "replace").replace("\r\n", "\n")

    def tail(self, lines: int = 12) -> str:
        """The last lines that are not empty."""
        return "\n".join([line for line in self.text().splitlines() if line.strip()][-lines:])


class Machine:
    """A running QEMU at L0.

    Parameters
    ----------
    image
        The lab's image.
    folder
        Private folder of this lab; QEMU's current folder.
    arguments
        QEMU's arguments without those for the console and the ports.
    ports
        Names of the virtio ports; ``con.N`` are drained into consoles, the others are left to
        the caller as :attr:`sockets`.

    Raises
    ------
    LabError
        If QEMU does not start.
    """

    def __init__(
        self, image: Image, folder: Path, arguments: Sequence[str], ports: Sequence[str]
    ) -> None:
        self.sockets: dict[str, socket.socket] = {}
        self.consoles: dict[str, Console] = {"con.1": Console()}
        self.pid = 0  # QEMU's process id
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = Console()
        self._readers: list[threading.Thread] = []
        try:
            self._start(image, folder, arguments, ports)
        except BaseException:
            self.close()
            raise

    def _start(
        self, image: Image, folder: Path, arguments: Sequence[str], ports: Sequence[str]
    ) -> None:
        names = ["con.1", *ports]
        listeners = {name: _listen(folder, name) for name in names}
        try:
            command = [
                *image.command("qemu"),
                *arguments,
                "-L", str(image.folder / "share"),
                "-chardev", "socket,id=console,path=con.1", "-serial", "chardev:console",
                *port_arguments({name: f"socket,path={name}" for name in ports}),
            ]  # fmt: skip
            inherited = {k: v for k, v in os.environ.items() if not k.startswith(("LD_", "QEMU_"))}
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _SUPERVISOR, "nestkit-lab", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=inherited | {"QEMU_MODULE_DIR": str(image.folder / "modules")},
                start_new_session=True,
            )
            if self._process.stdout and self._process.stderr:
                self.pid = int(self._process.stdout.readline() or 0)
                self._read_for_ever(self._process.stderr.fileno(), self._errors)
            deadline = time.monotonic() + _CONNECT_DEADLINE_S
            for name, listener in listeners.items():
                connection = self.sockets[name] = self._accept(listener, deadline)
                if name.startswith("con."):
                    console = self.consoles.setdefault(name, Console())
                    self._read_for_ever(connection.fileno(), console)
        finally:
            for name, listener in listeners.items():
                listener.close()
                (folder / name).unlink(missing_ok=True)

    def _accept(self, listener: socket.socket, deadline: float) -> socket.socket:
        while True:
            listener.settimeout(0.1)
            try:
                return listener.accept()[0]
            except TimeoutError:
                if not self.alive() or time.monotonic() > deadline:
                    time.sleep(0.1)  # let its last words arrive
                    words = self._errors.tail(4) or "it said nothing"
                    raise LabError(
                        f"QEMU did not start: {words}",
                        remedy="read its message; `nestkit lab clean` removes a broken image",
                    ) from None

    def _read_for_ever(self, descriptor: int, console: Console) -> None:
        """Keep reading, so that a guest that floods its console is not held up by us."""

        def read() -> None:
            with contextlib.suppress(OSError):
                while piece := os.read(descriptor, 1 << 16):
                    console.add(piece)

        reader = threading.Thread(target=read, daemon=True)
        self._readers.append(reader)
        reader.start()

    def alive(self) -> bool:
        """True while QEMU runs."""
        return self._process is not None and self._process.poll() is None

    def errors(self) -> str:
        """What QEMU itself complained of, less what it says of every emulated CPU."""
        lines = self._errors.tail().splitlines()
        return "\n".join(line for line in lines if "TCG doesn't support" not in line)

    def close(self) -> None:
        """End QEMU now and wait until it is gone. Safe to call twice."""
        if self._process is not None:
            if self._process.stdin:
                with contextlib.suppress(OSError):
                    self._process.stdin.close()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        for reader in self._readers:  # QEMU is gone: each comes to the end of what it reads
            reader.join(timeout=5)
        for connection in self.sockets.values():
            connection.close()
        for pipe in (self._process.stdout, self._process.stderr) if self._process else ():
            if pipe:
                pipe.close()


def _listen(folder: Path, name: str) -> socket.socket:
    """A listening Unix socket in a folder whose path may be longer than such sockets allow."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"/proc/self/fd/{handle}/{name}")
        listener.listen(1)
        return listener
    finally:
        os.close(handle)
