"""What a practice host can be told to do wrong."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from nestkit.errors import PracticeError


@dataclass(frozen=True, slots=True)
class Faults:
    """Faults on request; 0 is off.

    Parameters
    ----------
    slow_task
        Tasks that change something take this many seconds.
    slow_answer
        Every answer takes this many seconds.
    drop_after
        Once, the connection breaks at the call of this number from now, before it is carried out.
    drop_answer
        Once, the connection breaks at the call of this number, after it was carried out.
    lost_after
        vSphere: from the call of this number on, every call breaks: the host is lost.
    expire_after
        Once, the session ends at the call of this number from now.
    task_fails
        So many of the next tasks that change something fail.
    no_permission
        The user may change nothing.
    shutdown_hangs
        Guests that are asked to shut down do not.
    tools_after
        VMware Tools run this many seconds after power-on.
    start_fails
        Hyper-V: so many of the next VM starts fail.
    guest_after
        Hyper-V: a guest answers this many seconds after it starts, and restarts as quickly.
    guest_lost
        Hyper-V: guests that restart do not come back.
    script_hangs
        Hyper-V: so many of the next scripts never end.
    progress_noise
        Hyper-V: every script leaves progress records on standard error (CLIXML), as Windows does.
    german
        Hyper-V: errors are worded in German.
    truncate_output
        Hyper-V: scripts' output ends after this many bytes.
    not_json
        Hyper-V: something other than the script writes to its output first.
    vms_unreadable
        Hyper-V: processor and memory of so many VMs, the first by name, cannot be read.
    """

    slow_task: float = 0.0
    slow_answer: float = 0.0
    drop_after: int = 0
    drop_answer: int = 0
    lost_after: int = 0
    expire_after: int = 0
    task_fails: int = 0
    no_permission: int = 0
    shutdown_hangs: int = 0
    tools_after: float = 1.0
    start_fails: int = 0
    guest_after: float = 1.0
    guest_lost: int = 0
    script_hangs: int = 0
    progress_noise: int = 0
    german: int = 0
    truncate_output: int = 0
    not_json: int = 0
    vms_unreadable: int = 0

    def to_json(self) -> dict[str, Any]:
        """The faults as JSON values."""
        return asdict(self)


def parse(given: Mapping[str, Any] | str | None, *, over: Faults | None = None) -> Faults:
    """Faults from a mapping or from text such as ``"slow_task=3,drop_after=5"``.

    Raises
    ------
    PracticeError
        There is no such fault, or its value is no number from 0 on.
    """
    base = over or Faults()
    if not given:
        return base
    if isinstance(given, str):
        pairs = [part.partition("=") for part in given.split(",") if part.strip()]
        given = {name.strip(): value.strip() or "1" for name, _, value in pairs}
    known = {field.name: field.type for field in fields(Faults)}
    changes: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise PracticeError(
                f"there is no fault {name!r}", remedy="use some of " + ", ".join(known)
            )
        try:
            number = float(value) if known[name] == "float" else int(value)
        except (TypeError, ValueError):
            number = -1
        if not 0 <= number <= 86_400:
            raise PracticeError(
                f"the fault {name} cannot be {value!r}", remedy="give a number from 0 to 86400"
            )
        changes[name] = number
    return replace(base, **changes)


def in_words(given: Mapping[str, float]) -> str:
    """The faults that are not as usual, as :func:`parse` reads them."""
    usual = Faults().to_json()
    return ",".join(f"{name}={value:g}" for name, value in given.items() if value != usual[name])


class Switchboard:
    """The faults in force and the countdowns they need. Safe to use from many threads."""

    def __init__(self, faults: Faults) -> None:
        self._lock = threading.Lock()
        self.set(faults)

    def set(self, faults: Faults) -> None:
        """Put other faults in force; countdowns start anew."""
        with self._lock:
            self.now = faults
            self._left = {
                name: getattr(faults, name)
                for name in (
                    "drop_after",
                    "drop_answer",
                    "lost_after",
                    "expire_after",
                    "task_fails",
                    "start_fails",
                    "script_hangs",
                )
            }

    def due(self, name: str) -> bool:
        """Count one call; true once, on the call after as many as were asked for."""
        with self._lock:
            left: float = self._left[name]
            if left <= 0:
                return False
            self._left[name] = left - 1 if left > 1 else -1
            return left == 1

    def gone(self, name: str) -> bool:
        """Count one call; true on the call after as many as were asked for, and ever after."""
        with self._lock:
            left: float = self._left[name]
            if left > 1:
                self._left[name] = left - 1
            return left == 1

    def spend(self, name: str) -> bool:
        """Take one of a number of failures."""
        with self._lock:
            if self._left[name] <= 0:
                return False
            self._left[name] -= 1
            return True
