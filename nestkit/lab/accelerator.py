"""Which accelerator the lab's outermost guest runs on: chosen by booting, not by looking.

A ``/dev/kvm`` that opens and answers may still not run a guest, and KVM without nesting runs
one whose own KVM cannot start. So a guest is booted once per boot of this machine, with a
deadline, and asked whether its CPU offers virtualization; the verdict is kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from nestkit.errors import LabError
from nestkit.lab import packages
from nestkit.lab.image import Image, is_built
from nestkit.lab.machine import Machine, common_arguments, cpu_arguments, kernel_arguments
from nestkit.lab.progress import Cancel, Progress, check
from nestkit.lab.rundir import RunFolder
from nestkit.state import state_dir, write_private

KVM_DEVICE: Final = Path("/dev/kvm")
_MODULES: Final = (Path("/sys/module/kvm_intel"), Path("/sys/module/kvm_amd"))
TRIAL_DEADLINE_S: Final = 12.0
_NESTED: Final = "nestkit-trial-nesting"
_PLAIN: Final = "nestkit-trial-plain"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the trial boot showed."""

    runs: bool  # KVM runs a guest here
    nests: bool  # and that guest's CPU offers virtualization
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """An accelerator and why it is the one."""

    accelerator: Literal["kvm", "tcg"]
    reason: str


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def _device_problem() -> str:
    if not KVM_DEVICE.exists():
        return "there is no /dev/kvm"
    if not os.access(KVM_DEVICE, os.R_OK | os.W_OK):
        return (
            "/dev/kvm may not be opened by this user (the group kvm may: "
            "`sudo usermod -aG kvm $USER`, and log in anew)"
        )
    return ""


def _seen() -> dict[str, str]:
    """What a verdict holds for: this boot, this device, KVM's modules as they are loaded now."""
    nested = []
    for module in _MODULES:
        with contextlib.suppress(OSError):
            said = (module / "parameters" / "nested").read_text("ascii", "replace").strip()
            nested.append(f"{module.name} {said}")
    return {"boot_id": _boot_id(), "device": _device_problem(), "nested": ", ".join(nested)}


def _verdict_file() -> Path:
    return state_dir("lab") / "accelerator.json"


def _cached() -> Verdict | None:
    try:
        data = json.loads(_verdict_file().read_text("utf-8"))
        verdict = Verdict(**data.pop("verdict"))
        if data == _seen():
            return verdict
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # no verdict, or one that cannot be read: the next boot makes a new one
    return None


def _keep(verdict: Verdict) -> None:
    data = {**_seen(), "verdict": asdict(verdict)}
    write_private(_verdict_file(), json.dumps(data))


def _try_kvm(image: Image, cancel: Cancel | None) -> Verdict:
    arguments = [
        *cpu_arguments("kvm"), *common_arguments(256),
        "-kernel", str(image.folder / "vmlinuz"), "-initrd", str(image.folder / "initrd"),
        "-append", kernel_arguments(1, trial=True),
    ]  # fmt: skip
    with contextlib.closing(RunFolder()) as folder:
        started = time.monotonic()
        try:
            machine = Machine(image, folder.path, arguments, ())
        except LabError as error:
            return Verdict(False, False, f"KVM cannot run a guest here: {error.message}")
        try:
            while time.monotonic() - started < TRIAL_DEADLINE_S:
                check(cancel)
                said = machine.consoles["con.1"].text()
                if _NESTED in said or _PLAIN in said:
                    return _judge(_NESTED in said)
                if not machine.alive():
                    said = machine.consoles["con.1"].text()
                    if _NESTED in said or _PLAIN in said:
                        return _judge(_NESTED in said)
                    words = _last_words(machine)
                    return Verdict(False, False, f"KVM cannot run a guest here: {words}")
                time.sleep(0.02)
            return Verdict(
                False,
                False,
                f"/dev/kvm opens, but a guest did not boot on it in {TRIAL_DEADLINE_S:g} s",
            )
        finally:
            machine.close()


def _last_words(machine: Machine) -> str:
    """The line that tells most of why a machine ended: not the shell's word for its signal."""
    text = machine.errors() or machine.consoles["con.1"].tail(2)
    lines = [line.strip() for line in text.splitlines() if line.strip() != "Aborted"]
    return lines[-1][:200] if lines else "QEMU ended without a word"


def _judge(nests: bool) -> Verdict:
    if nests:
        return Verdict(True, True, "KVM ran a guest here and offers it virtualization")
    return Verdict(
        True,
        False,
        "KVM runs guests here, but without nesting (nested=0; load kvm_intel or kvm_amd with "
        "nested=1, or where this machine is a VM itself, expose virtualization to it)",
    )


def _choose(verdict: Verdict, depth: int) -> Choice:
    if verdict.runs and (verdict.nests or depth < 2):
        return Choice("kvm", verdict.reason)
    return Choice("tcg", f"{verdict.reason.rstrip('.')}: software emulation (TCG) is used instead")


def choose(image: Image, depth: int, progress: Progress, cancel: Cancel | None = None) -> Choice:
    """The accelerator for a lab of that depth; boots a trial guest if none was booted yet."""
    if problem := _device_problem():
        return _choose(Verdict(False, False, problem), depth)
    verdict = _cached()
    if verdict is None:
        progress("trying KVM by booting a small guest")
        verdict = _try_kvm(image, cancel)
        _keep(verdict)
    return _choose(verdict, depth)


def give_up_kvm(depth: int, why: str) -> Choice:
    """KVM passed the trial but failed the lab: remember that, and use TCG."""
    verdict = Verdict(depth > 1, False, f"KVM could not run a lab of depth {depth} here ({why})")
    _keep(verdict)
    return _choose(verdict, depth)


def forget() -> None:
    """Drop the verdict, so that the next lab tries again."""
    _verdict_file().unlink(missing_ok=True)


def capability() -> tuple[str, str]:
    """How a lab can run here: ("kvm" | "tcg" | "", reason). Boots and fetches nothing.

    Without a verdict of an earlier boot on this machine it promises only what is certain:
    software emulation, which needs nothing from the hardware.
    """
    reason = packages.wrong_machine() or ("" if is_built() else packages.missing_tools())
    if reason:
        return "", reason
    problem = _device_problem()
    verdict = Verdict(False, False, problem) if problem else _cached()
    if verdict is None:
        return "tcg", "software emulation works anywhere; /dev/kvm is tried when a lab first starts"
    choice = _choose(verdict, 2)
    return choice.accelerator, choice.reason
