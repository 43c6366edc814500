"""What a lab may ask for, and whether this machine can give it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nestkit.errors import LabError

MAX_DEPTH: Final = 3
# memory of the outermost guest by depth, and what each guest keeps for itself: its kernel,
# its QEMU and the page cache of its tools
MEMORY_MIB: Final = {1: 512, 2: 1024, 3: 1536}
_OWN_MIB: Final = 512
EMULATOR_MIB: Final = 600  # of an emulator for itself: 512 of translated code, and its heap
_MIN_MIB: Final = 256
_PROC: Final = Path("/proc")
_CGROUPS: Final = Path("/sys/fs/cgroup")


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
            "(half a minute or more under emulation)",
        )
    return depth


def check_paging(depth: int, npt: object) -> bool:
    """Whether nested paging is on.

    Raises
    ------
    LabError
        If it is to be switched off where no KVM runs inside a guest, or is no truth value.
    """
    if not isinstance(npt, bool):
        raise LabError(
            f"npt is True or False, not {npt!r}", remedy="use npt=False to switch it off"
        )
    if not npt and depth < 2:
        raise LabError(
            "nested paging is switched off in the KVM inside a guest, and depth 1 has none",
            remedy="use depth=2 or 3 with npt=False",
        )
    return npt


def check_seconds(name: str, value: object) -> None:
    """Raise LabError unless it is None or a number of seconds from 0 on."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is not None and not (number and 0 <= value < float("inf")):  # type: ignore[operator]
        raise LabError(
            f"{name} is a number of seconds from 0 on, not {value!r}",
            remedy=f"give for example {name}=60, or leave it out",
        )


def memory_plan(depth: int, memory_mib: int | None) -> list[int]:
    """MiB for each guest, outermost first.

    Raises
    ------
    LabError
        If the innermost would get less than it needs.
    """
    total = MEMORY_MIB[depth] if memory_mib is None else memory_mib
    least = _MIN_MIB + (depth - 1) * _OWN_MIB
    if isinstance(total, bool) or not isinstance(total, int):
        raise LabError(
            f"memory is a whole number of MiB, not {total!r}",
            remedy=f"give memory_mib={MEMORY_MIB[depth]}, or leave it out",
        )
    if total < least:
        raise LabError(
            f"{total} MiB are too few for a lab of depth {depth}",
            remedy=f"give at least {least} MiB, or less depth",
        )
    return [total - layer * _OWN_MIB for layer in range(depth)]


def require_memory(plan: list[int], *, emulated: bool = False) -> None:
    """Raise LabError if this machine, or what it grants this process, has less memory free."""
    own = EMULATOR_MIB if emulated else 0
    usual = {depth: mib + own for depth, mib in MEMORY_MIB.items()}
    depth, needed = len(plan), plan[0] + own
    free = available_mib()
    if free is not None and free < needed:
        fits = [d for d in usual if d < depth and usual[d] <= free]
        ways = ["close other programs"]
        if needed > usual[depth] <= free:
            ways = [f"give less: {MEMORY_MIB[depth]} MiB are enough"]
        ways += [f"use depth={d}, which takes {usual[d]} MiB" for d in fits[-1:]]
        beside = f" ({own} of them its emulator, TCG)" if own else ""
        raise LabError(
            f"a lab of depth {depth} takes {needed} MiB{beside}, and {free} MiB are free here",
            remedy=", or ".join(ways),
        )


def available_mib() -> int | None:
    """Memory that is free, in MiB: of the machine, or of the control group if that is less."""
    found = [free for free in (_machine_mib(), *_group_mib()) if free is not None]
    return min(found) if found else None


def _machine_mib() -> int | None:
    text = _read(_PROC / "meminfo")
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(fields["MemAvailable"].split()[0]) // 1024 if "MemAvailable" in fields else None


def _group_mib() -> Iterator[int]:
    """What each control group (version 2) above this process leaves; containers set these."""
    if not sys.platform.startswith("linux"):
        return
    own = next((x[3:] for x in _read(_PROC / "self/cgroup").split() if x.startswith("0::")), "")
    folder = Path(own.lstrip("/"))
    for group in (folder, *folder.parents):
        limit, used = (_read(_CGROUPS / group / f"memory.{x}").strip() for x in ("max", "current"))
        if limit.isdigit() and used.isdigit():
            # what the group's page cache holds can be given back
            stat = dict(x.split() for x in _read(_CGROUPS / group / "memory.stat").splitlines())
            cache = int(stat.get("inactive_file", 0))
            yield max(int(limit) - int(used) + cache, 0) >> 20


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
