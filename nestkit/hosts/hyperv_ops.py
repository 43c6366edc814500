"""Read and change one property of a VM, or of what runs inside it, by static scripts.

Windows keeps no task that outlives a script, so ``current`` waits while Hyper-V says that it
works on the VM. VMs and NICs are found by id: names repeat.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from nestkit.errors import (
    ConsentNeeded,
    DeadlineExceeded,
    HostRefused,
    NestkitError,
    NotFound,
    PlanError,
)
from nestkit.hosts import hyperv_create, hyperv_guest
from nestkit.hosts.hyperv_guest import Guest
from nestkit.plans import GUEST_PROPERTIES, Json, Step, Target
from nestkit.transport.winrm_answers import ScriptRefused

IN_FLIGHT_S: Final = 300.0  # how long to wait for work that somebody began
READ_S: Final = 60.0
HEARTBEAT_S: Final = 90.0  # a guest's services come up some time after it was started
_POLL_S: Final = 0.3
_MIB: Final = 2**20
_POWER: Final = {"Running": "on", "Off": "off", "Saved": "saved", "Paused": "paused"}
_MOVING: Final = frozenset({
    "Starting", "Stopping", "Saving", "FastSaving", "Pausing", "Resuming", "Reset",
})  # fmt: skip
_STOP_HARD: Final = (
    "shut the guest down from inside, then go on; or allow pulling the plug: "
    "NestedGoal(hard_power_off=True) or --hard-power-off"
)
_NO_START: Final = (
    "run preflight on it: on AMD nesting needs Windows Server 2022 and configuration version 9.3, "
    "although older ones accept the setting; roll back to run the VM as before"
)


class Client(Protocol):
    """What runs scripts on the host; see :class:`nestkit.transport.winrm.WinRm`."""

    def run(
        self,
        script: str,
        parameters: Json = None,
        *,
        deadline_s: float,
        repeatable: bool = False,
        on_start: Callable[[str], None] | None = None,
    ) -> Json:
        """Run one script of this package and return its data."""


def current(client: Client, target: Target, property: str, guest: Guest | None) -> Json:  # noqa: A002
    """The property's value now, once nothing works on the VM any more.

    What is inside the guest reads as "not confirmed" or "" where the VM is off, its guest does
    not answer, or no password of the guest is known.

    Raises
    ------
    NotFound
        There is no such VM or NIC on this host.
    CredentialsError
        The guest refuses the password.
    """
    now = _state(client, target)
    if target.kind == "nic":
        for nic in now["nics"]:
            if nic["id"].lower() == target.id.lower():
                return bool(nic["spoofing"])
        raise NotFound(
            f"the VM has no NIC {target.name!r} with the id {target.id}",
            remedy="it was removed: make a new plan",
        )
    if property in GUEST_PROPERTIES:
        if guest is None or now["state"] != "Running":
            return hyperv_guest.current(client, target, property, None)
        _wait_for_heartbeat(client, target, time.monotonic() + HEARTBEAT_S)
        return hyperv_guest.current(client, target, property, guest)
    if property == "vm":
        return hyperv_create.describe(client, now["id"], target.id)
    if property not in _VALUES:
        raise PlanError(
            f"VM {target.name!r} has no property {property!r} that this version knows",
            remedy="use the nestkit that made the plan, or make a new plan",
        )
    return _VALUES[property](now)


def _memory(now: dict[str, Any]) -> Json:
    """Static memory has no bounds: what Hyper-V keeps for later there is not compared."""
    dynamic = bool(now["dynamic"])
    return {
        "dynamic": dynamic,
        "startup_mib": now["startup"] // _MIB,
        "minimum_mib": now["minimum"] // _MIB if dynamic else 0,
        "maximum_mib": now["maximum"] // _MIB if dynamic else 0,
    }


_VALUES: Final[dict[str, Callable[[dict[str, Any]], Json]]] = {
    "power": lambda now: _POWER.get(now["state"], now["state"].lower()),
    "nested_hv": lambda now: bool(now["exposes"]),
    "cpu": lambda now: {"count": int(now["cpus"])},
    "memory": _memory,
    "mac_spoofing": lambda now: all(nic["spoofing"] for nic in now["nics"]),
    "configuration_version": lambda now: str(now["version"]),
    "newest_version": lambda now: str(now["newest_version"]),
    "assigned_mib": lambda now: now["assigned"] // _MIB,
}


def perform(
    client: Client,
    step: Step,
    deadline_s: float,
    on_task: Callable[[str], None],
    guest: Guest | None,
) -> None:
    """Do a step and return when the host says it is done.

    Raises
    ------
    ConsentNeeded
        The guest cannot be asked to shut down.
    DeadlineExceeded
        It takes longer than allowed; what the host does may go on.
    HostRefused, PermissionRefused
        The host's reason.
    CredentialsError
        The guest refuses the password, or none was given.
    """
    if step.property in GUEST_PROPERTIES:
        hyperv_guest.perform(client, step, deadline_s, on_task, guest)
    elif step.op == "create_vm":
        hyperv_create.create(client, step, deadline_s, on_task)
    elif step.op == "destroy_vm":
        given = {"vm": _state(client, step.target)["id"]}
        client.run("vm_remove", given, deadline_s=deadline_s, on_start=on_task)
    elif step.op == "shutdown_guest":
        _shut_down(client, step, deadline_s, on_task)
    elif step.property == "power":
        _power(client, step, deadline_s, on_task)
    elif step.op == "set_property":
        vm = _state(client, step.target)["id"]
        given = {"vm": vm, "property": step.property, "after": step.after}
        if step.target.kind == "nic":
            given["nic"] = step.target.id
        client.run("vm_set", given, deadline_s=deadline_s, on_start=on_task)
    else:
        raise PlanError(
            f"this version cannot do {step.op} on a Hyper-V host",
            remedy="use the nestkit that made the plan, or make a new plan",
        )


def vm_id(target: Target) -> str:
    """The VM's Id: of a NIC it is the first part of its own, ``Microsoft:VM\\NIC``."""
    if target.kind != "nic":
        return target.id
    return target.id.partition(":")[2].partition("\\")[0].lower()


def real_id(client: Client, wanted: str) -> str:
    """The Id of the VM that a plan created by that mark; "" where there is none."""
    found: dict[str, Any] = client.run(
        "vm_state", {"vm": wanted}, deadline_s=READ_S, repeatable=True
    )
    return str(found["id"]) if found["found"] else ""


def _state(client: Client, target: Target) -> dict[str, Any]:
    """The VM as the host has it, once nothing works on it any more."""
    until = time.monotonic() + IN_FLIGHT_S
    while True:
        now: dict[str, Any] = client.run(
            "vm_state", {"vm": vm_id(target)}, deadline_s=READ_S, repeatable=True
        )
        if not now["found"]:
            raise NotFound(
                f"there is no VM with the Id {vm_id(target)} ({target.kind} {target.name!r})",
                remedy="it was removed or moved to another host: look for it, make a new plan",
            )
        if not now["working"] and now["state"] not in _MOVING:
            return now
        if time.monotonic() >= until:
            raise DeadlineExceeded(
                f"the host has been at work on {target.name!r} for {IN_FLIGHT_S:g} s",
                remedy="look at it in Hyper-V Manager, then try again",
            )
        time.sleep(_POLL_S)


def _power(client: Client, step: Step, deadline_s: float, on_task: Callable[[str], None]) -> None:
    given = {"vm": _state(client, step.target)["id"], "op": step.op}
    try:
        client.run("vm_power", given, deadline_s=deadline_s, on_start=on_task)
    except ScriptRefused as error:
        if step.op != "power_on":
            raise
        short = "memory" if error.said.id.startswith("OutOfMemory") else ""
        remedy = "stop other VMs, or give this one less memory, then go on" if short else _NO_START
        raise HostRefused(
            f"VM {step.target.name!r} does not start: {error.message}", remedy=remedy
        ) from error


def _shut_down(
    client: Client, step: Step, deadline_s: float, on_task: Callable[[str], None]
) -> None:
    """Ask the guest, through its integration services, and wait until the VM is off."""
    target = step.target
    until = time.monotonic() + deadline_s
    answers = _wait_for_heartbeat(client, target, until)
    given = {"vm": _state(client, target)["id"], "op": step.op}
    try:
        client.run(
            "vm_power", given, deadline_s=max(1.0, until - time.monotonic()), on_start=on_task
        )
    except (ScriptRefused, DeadlineExceeded) as error:
        raise _still_up(target, error, answers=answers) from error
    while _state(client, target)["state"] != "Off":
        if time.monotonic() >= until:
            raise DeadlineExceeded(
                f"the guest of VM {target.name!r} was asked to shut down and is still up after "
                f"{deadline_s:g} s",
                remedy="look at its console: it may ask something, or still be at it",
            )
        time.sleep(_POLL_S)


def _still_up(target: Target, error: NestkitError, *, answers: bool) -> NestkitError:
    if isinstance(error, DeadlineExceeded):
        return DeadlineExceeded(
            f"the guest of VM {target.name!r} was asked to shut down and is still up: "
            f"{error.message}",
            remedy=f"look at its console: it may ask something, or still be at it; {_STOP_HARD}",
        )
    if answers:
        return HostRefused(f"VM {target.name!r} is still up: {error.message}", remedy=_STOP_HARD)
    return ConsentNeeded(
        f"the guest of VM {target.name!r} cannot be asked to shut down: {error.message}",
        remedy=_STOP_HARD,
    )


def _wait_for_heartbeat(client: Client, target: Target, until: float) -> bool:
    """Whether the guest's services answer; waits for a guest that was started just now."""
    while True:
        now = _state(client, target)
        if now["heartbeat"].startswith("Ok"):
            return True
        # without a heartbeat for so long, there is none to come
        if now["uptime_s"] >= HEARTBEAT_S or time.monotonic() >= until:
            return False
        time.sleep(_POLL_S)
