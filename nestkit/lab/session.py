"""Bring a lab up: a guest here, a guest inside it, and a runner for each layer."""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

from nestkit.errors import LabError
from nestkit.lab import accelerator, boot
from nestkit.lab.image import Image, build_image, clean_images
from nestkit.lab.machine import Console
from nestkit.lab.progress import Cancel, Progress, check, quiet
from nestkit.lab.rundir import RunFolder, sweep_all
from nestkit.runners.base import ExecResult, Runner

MAX_DEPTH: Final = 3
# memory of the outermost guest by depth, and what each guest keeps for itself: its kernel,
# its QEMU and the page cache of its tools
MEMORY_MIB: Final = {1: 512, 2: 1024, 3: 1536}
_OWN_MIB: Final = 512
_MIN_MIB: Final = 256
# per layer, by what runs the outermost; the third layer's exits pass through two hypervisors
BOOT_DEADLINE_S: Final[dict[str, tuple[float, ...]]] = {
    "kvm": (60.0, 120.0, 600.0),
    "tcg": (120.0, 300.0, 900.0),
}


def check_depth(depth: object) -> int:
    """A depth that the lab can have.

    Raises
    ------
    LabError
        For anything but 1, 2 or 3.
    """
    if isinstance(depth, bool) or not isinstance(depth, int) or not 1 <= depth <= MAX_DEPTH:
        raise LabError(
            f"a lab has depth 1 to {MAX_DEPTH}, not {depth!r}",
            remedy="use depth=1 for a guest, 2 for a guest inside a guest, 3 for one more "
            "(minutes under emulation)",
        )
    return depth


def memory_plan(depth: int, memory_mib: int | None) -> list[int]:
    """MiB for each guest, outermost first.

    Raises
    ------
    LabError
        If the innermost would get less than it needs, or this machine has less free.
    """
    total = MEMORY_MIB[depth] if memory_mib is None else memory_mib
    plan = [total - layer * _OWN_MIB for layer in range(depth)]
    if plan[-1] < _MIN_MIB:
        raise LabError(
            f"{total} MiB are too few for a lab of depth {depth}",
            remedy=f"give at least {_MIN_MIB + (depth - 1) * _OWN_MIB} MiB, or less depth",
        )
    free = _available_mib()
    if free is not None and free < total:
        raise LabError(
            f"a lab of depth {depth} takes {total} MiB, this machine has {free} MiB free",
            remedy="close some programs, or use less depth",
        )
    return plan


def _available_mib() -> int | None:
    try:
        text = Path("/proc/meminfo").read_text("ascii")
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(fields["MemAvailable"].split()[0]) // 1024 if "MemAvailable" in fields else None


class Lab:
    """A running lab: a context manager that ends all it started.

    Attributes
    ----------
    image
        What the guests run.
    acceleration
        "kvm" or "tcg": what runs L1. Deeper guests run on KVM inside it.
    reason
        Why that one.
    timings
        Seconds per phase: "image", "accelerator", "L1 boot", "L1 KVM ready", "L2 boot", …
        A boot lasts from the start of its QEMU until its first command has answered;
        "L2 answers" counts from the start of L1's.
    layers
        Runners from L0, this machine, to the innermost guest.
    """

    def __init__(self, image: Image, choice: accelerator.Choice, timings: dict[str, float]) -> None:
        self.image = image
        self.acceleration: Literal["kvm", "tcg"] = choice.accelerator
        self.reason = choice.reason
        self.timings = timings
        self.layers: list[Runner] = []
        self._boot: boot.Boot | None = None
        self._folder = RunFolder()
        atexit.register(self.close)

    @property
    def depth(self) -> int:
        """How many guests stand inside each other."""
        return len(self.layers) - 1

    def runner(self, depth: int) -> Runner:
        """The runner of a layer; 0 is this machine."""
        if isinstance(depth, bool) or not isinstance(depth, int) or not 0 <= depth <= self.depth:
            raise LabError(
                f"this lab has layers 0 to {self.depth}, not {depth!r}",
                remedy="ask for one of those, or start a deeper lab",
            )
        return self.layers[depth]

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 60.0,
        env: Mapping[str, str] | None = None,
    ) -> ExecResult:
        """Run a program in the innermost layer."""
        return self.layers[-1].run(argv, timeout=timeout, env=env)

    def console(self, depth: int) -> str:
        """What a guest's console said: its last 64 KiB."""
        machine = self._boot.machine if self._boot else None
        consoles: Mapping[str, Console] = machine.consoles if machine else {}
        if f"con.{depth}" not in consoles:
            raise LabError(f"this lab has no guest {depth!r}", remedy="guests count from 1")
        return consoles[f"con.{depth}"].text()

    def host_memory_mib(self) -> float:
        """Resident memory of the outermost QEMU: what the whole lab takes of this machine."""
        machine = self._boot.machine if self._boot else None
        try:
            text = Path(f"/proc/{machine.pid if machine else 0}/statm").read_text("ascii")
        except OSError as error:
            raise LabError("this lab has ended", remedy="start a new one") from error
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def close(self) -> None:
        """End all guests and remove the lab's files. Safe to call twice."""
        for runner in reversed(self.layers):
            runner.close()
        if self._boot is not None and self._boot.machine is not None:
            self._boot.machine.close()
        self._folder.close()
        atexit.unregister(self.close)

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        how = {"kvm": "KVM", "tcg": "TCG, software emulation"}[self.acceleration]
        return f"<Lab of depth {self.depth}, {how}: {self.reason}>"

    def _start(
        self,
        memory: Sequence[int],
        deadlines_s: Sequence[float],
        progress: Progress,
        cancel: Cancel | None,
    ) -> None:
        common = self._boot = boot.Boot(
            self.image, self._folder.path, self.acceleration, len(memory), cancel, self.timings
        )
        host = boot.host_layer(common)
        self.layers.append(host)
        progress(f"booting L1 on {self.acceleration.upper()}: {self.reason}")
        started = time.monotonic()
        guest = boot.outermost(common, host, memory[0], deadlines_s[0])
        self.layers.append(guest)
        for layer in range(2, len(memory) + 1):
            check(cancel)
            progress(f"L{layer - 1} answers; starting KVM in it, and L{layer} on that")
            guest = boot.inside(common, guest, layer, memory[layer - 1], deadlines_s[layer - 1])
            self.layers.append(guest)
            self.timings[f"L{layer} answers"] = time.monotonic() - started
        progress(f"L{len(memory)} answers")


def up(
    depth: int = 2,
    *,
    memory_mib: int | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    boot_deadline_s: float | None = None,
) -> Lab:
    """Boot guests inside each other and return when the innermost answers.

    Parameters
    ----------
    depth
        1 for a guest, 2 for a guest inside a guest, 3 for one more.
    memory_mib
        Memory of the outermost guest; the others live inside it. At depth 2: 1024 by default.
    progress
        Called with a line of text at each phase.
    cancel
        Ends the start when set.
    boot_deadline_s
        For each guest; by default longer for deeper ones and under emulation.

    Raises
    ------
    LabError
        If the image cannot be had, or a guest does not come up: with the last lines of its
        console. Nothing is left behind.
    """
    tell = progress or quiet
    depth = check_depth(depth)
    memory = memory_plan(depth, memory_mib)
    timings: dict[str, float] = {}
    started = time.monotonic()
    image = build_image(tell, cancel=cancel)
    timings["image"] = time.monotonic() - started
    started = time.monotonic()
    choice = accelerator.choose(image, depth, tell, cancel)
    timings["accelerator"] = time.monotonic() - started
    try:
        return _start(image, choice, memory, timings, boot_deadline_s, tell, cancel)
    except LabError as error:
        check(cancel)
        if choice.accelerator == "tcg":
            raise
        choice = accelerator.give_up_kvm(depth, error.message.splitlines()[0])
        tell(choice.reason)
    return _start(image, choice, memory, timings, boot_deadline_s, tell, cancel)


def _start(
    image: Image,
    choice: accelerator.Choice,
    memory: Sequence[int],
    timings: dict[str, float],
    boot_deadline_s: float | None,
    tell: Progress,
    cancel: Cancel | None,
) -> Lab:
    deadlines = BOOT_DEADLINE_S[choice.accelerator]
    if boot_deadline_s is not None:
        deadlines = (boot_deadline_s,) * len(memory)
    lab = Lab(image, choice, timings)
    try:
        lab._start(memory, deadlines, tell, cancel)
    except BaseException:
        lab.close()
        raise
    return lab


def clean() -> int:
    """Remove the cached image, what killed labs left, and the verdict on KVM; bytes freed."""
    sweep_all()
    accelerator.forget()
    return clean_images()
