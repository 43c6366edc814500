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
from nestkit.lab.limits import (
    check_depth,
    check_paging,
    check_seconds,
    memory_plan,
    require_memory,
)
from nestkit.lab.machine import Console
from nestkit.lab.progress import Cancel, Progress, Timings, check, quiet
from nestkit.lab.rundir import RunFolder, sweep_all
from nestkit.lab.turns import Turn
from nestkit.runners.base import ExecResult, Runner

# per layer, by what runs the outermost; the third layer's exits pass through two hypervisors
BOOT_DEADLINE_S: Final[dict[str, tuple[float, ...]]] = {
    "kvm": (60.0, 120.0, 600.0),
    "tcg": (120.0, 300.0, 900.0),
}


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
        Seconds per phase: "image", "turn" (waiting for other labs), "accelerator", "L1 boot",
        "L1 KVM ready", "L2 boot", …; printed, a table of them. A boot lasts from the start of
        its QEMU until its first command has answered; "L2 answers" counts from the start of
        L1's.
    layers
        Runners from L0, this machine, to the innermost guest.
    """

    def __init__(self, image: Image, choice: accelerator.Choice, timings: Timings) -> None:
        self.image = image
        self.acceleration: Literal["kvm", "tcg"] = choice.accelerator
        self.reason = choice.reason
        self.timings = timings
        self.layers: list[Runner] = []
        self._boot: boot.Boot | None = None
        self._folder = RunFolder()
        self._turn: Turn | None = None
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
        if self._turn is not None:
            self._turn.close()
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
        npt: bool,
        deadlines_s: Sequence[float],
        progress: Progress,
        cancel: Cancel | None,
    ) -> None:
        common = self._boot = boot.Boot(
            self.image,
            self._folder.path,
            self.acceleration,
            len(memory),
            cancel,
            self.timings,
            npt,
        )
        host, common.extra = boot.host_layer(self.image, self._folder.path)
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
        progress(f"L{len(memory)} answers ({self.timings.line()})")


def up(
    depth: int = 2,
    *,
    npt: bool = True,
    memory_mib: int | None = None,
    wait: float | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    boot_deadline_s: float | None = None,
) -> Lab:
    """Boot guests inside each other and return when the innermost answers.

    Parameters
    ----------
    depth
        1 for a guest, 2 for a guest inside a guest, 3 for one more.
    npt
        False switches nested paging (EPT, RVI) off in the KVM of every guest, which then shadows
        page tables: what it costs is the difference. At depth 1 there is no such KVM.
    memory_mib
        Memory of the outermost guest; the others live inside it. At depth 2: 1024 by default.
        An emulator takes up to 600 MiB more for itself.
    wait
        Labs on one machine take turns. Seconds to wait for the others (0: not at all); None
        waits until they have ended. The queue is told to ``progress``.
    progress
        Called with a line of text at each phase.
    cancel
        Ends the wait, or the start, when set.
    boot_deadline_s
        For each guest; by default longer for deeper ones and under emulation.

    Raises
    ------
    LabError
        If the image cannot be had, memory lacks, the turn does not come, or a guest does not
        come up: with the last lines of its console. Nothing is left behind.
    """
    tell = progress or quiet
    depth = check_depth(depth)
    npt = check_paging(depth, npt)
    memory = memory_plan(depth, memory_mib)
    check_seconds("wait", wait)
    check_seconds("boot_deadline_s", boot_deadline_s)
    timings = Timings()
    with timings.phase("image"):
        image = build_image(tell, cancel=cancel)
    turn = Turn(depth)
    try:
        with timings.phase("turn"):
            turn.wait(tell, cancel, wait)
        require_memory(memory)
        with timings.phase("accelerator"):
            choice = accelerator.choose(image, depth, tell, cancel)

        def start(choice: accelerator.Choice) -> Lab:
            if choice.accelerator == "tcg":
                require_memory(memory, emulated=True)
            deadlines = BOOT_DEADLINE_S[choice.accelerator]
            if boot_deadline_s is not None:
                deadlines = (boot_deadline_s,) * depth
            lab = Lab(image, choice, timings)
            try:
                lab._start(memory, npt, deadlines, tell, cancel)
                lab._turn = turn
            except BaseException:
                lab.close()
                raise
            return lab

        try:
            return start(choice)
        except LabError as error:
            check(cancel)
            if choice.accelerator == "tcg":
                raise
            choice = accelerator.give_up_kvm(depth, error.message.splitlines()[0])
            tell(choice.reason)
        return start(choice)
    except BaseException:
        turn.close()
        raise


def clean() -> int:
    """Remove the cached image, what killed labs left, and the verdict on KVM; bytes freed."""
    sweep_all()
    accelerator.forget()
    return clean_images()
