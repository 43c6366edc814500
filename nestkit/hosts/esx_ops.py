"""Read and change one property of a VM over the vSphere API.

Changes carry the ``changeVersion`` read just before, so that the host refuses them if somebody
else was faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from nestkit.errors import ConsentNeeded, DeadlineExceeded, NotFound, PermissionRefused, PlanError
from nestkit.facts import Unknown
from nestkit.hosts import esx_create
from nestkit.hosts.esx_facts import POWER, hardware_version
from nestkit.plans import Json, Step, Target
from nestkit.transport.vim import Row, VimSession, load
from nestkit.transport.vim_errors import NO_TOOLS

IN_FLIGHT_S: Final = 300.0  # how long to wait for tasks that somebody began
TOOLS_WAIT_S: Final = 90.0  # VMware Tools come up some time after the guest was started
_POLL_S: Final = 0.2
_PATHS: Final[dict[str, tuple[str, ...]]] = {
    "power": ("runtime.powerState", "guest.guestState"),
    "nested_hv": ("config.nestedHVEnabled",),
    "vm": esx_create.DESCRIBED,
    "cdrom": ("config.hardware.device",),
    "hardware_version": ("config.version",),
    "cpu": ("config.hardware.numCPU", "config.hardware.numCoresPerSocket"),
    "memory": (
        "config.hardware.memoryMB",
        "config.memoryAllocation.reservation",
        "config.memoryReservationLockedToMax",
    ),
}


def vm_property(session: VimSession, ref: Any, target: Target, name: str) -> Json:
    """A VM's property once no task works on it any more."""
    if name not in _PATHS:
        raise PlanError(
            f"VM {target.name!r} has no property {name!r} that this version knows",
            remedy="use the nestkit that made the plan, or make a new plan",
        )
    _wait_for_tasks(session, ref, target)
    row = _row(session, ref, target, _PATHS[name])
    if name == "power":
        # a guest that was asked to shut down says so until the VM is off
        until = time.monotonic() + IN_FLIGHT_S
        while row.get("guest.guestState", "") == "shuttingDown" and time.monotonic() < until:
            time.sleep(_POLL_S)
            row = _row(session, ref, target, _PATHS[name])
        return POWER[str(_value(row, target, "runtime.powerState"))]
    if name == "nested_hv":
        return bool(row.get("config.nestedHVEnabled", False))
    if name == "vm":
        return esx_create.describe(row)
    if name == "cdrom":
        return esx_create.cdrom(row)
    if name == "hardware_version":
        version = hardware_version(str(_value(row, target, "config.version")))
        return str(version) if isinstance(version, Unknown) else version
    if name == "cpu":
        return {
            "count": int(_value(row, target, "config.hardware.numCPU")),
            "cores_per_socket": int(row.get("config.hardware.numCoresPerSocket", None) or 1),
        }
    return {
        "size_mib": int(_value(row, target, "config.hardware.memoryMB")),
        "reservation_mib": int(_value(row, target, "config.memoryAllocation.reservation")),
        "reservation_locked": bool(row.get("config.memoryReservationLockedToMax", False)),
    }


def change_vm(
    session: VimSession,
    ref: Any,
    step: Step,
    deadline_s: float,
    on_task: Callable[[str], None],
) -> None:
    """Do a step on a VM and wait until the host says it is done.

    Raises
    ------
    ConsentNeeded
        The guest cannot be asked to shut down.
    DeadlineExceeded
        It takes longer than allowed; what the host does may go on.
    HostRefused, PermissionRefused
        The host's reason, translated.
    """
    doing = f"{step.op} of VM {step.target.name!r}"
    if step.op == "shutdown_guest":
        _shut_down(session, ref, step.target, deadline_s, on_task)
        return
    if step.op == "power_on":
        task = session.call(lambda: ref.PowerOnVM_Task(None), doing, write=True)
    elif step.op == "power_off":
        task = session.call(ref.PowerOffVM_Task, doing, write=True)
    elif step.op == "destroy_vm":
        doing = f"removing VM {step.target.name!r}"
        task = session.call(ref.Destroy_Task, doing, write=True)
    elif step.property == "hardware_version":
        doing = f"upgrading the hardware of VM {step.target.name!r}"
        version = f"vmx-{int(step.after):02d}"
        task = session.call(lambda: ref.UpgradeVM_Task(version), doing, write=True)
    else:
        doing = f"setting {step.property} of VM {step.target.name!r}"
        paths = ("config.changeVersion", *_PATHS.get(step.property, ()))
        row = _row(session, ref, step.target, paths)
        spec = _spec(step, row)
        spec.changeVersion = row.get("config.changeVersion", None)
        task = session.call(lambda: ref.ReconfigVM_Task(spec), doing, write=True)
    on_task(task._moId)
    until = time.monotonic() + deadline_s
    session.wait(task, deadline_s, doing)
    if step.op == "power_on":
        # until its Tools answer, the VM is not what it was before it was stopped
        _tools_answer(session, ref, step.target, min(until, time.monotonic() + TOOLS_WAIT_S))


def _spec(step: Step, row: Row) -> Any:
    """What to reconfigure, from the step's ``after``."""
    vim = load().vim
    after = step.after
    if step.property == "cdrom":
        return esx_create.cdrom_change(row, after)
    if step.property == "nested_hv":
        return vim.vm.ConfigSpec(nestedHVEnabled=after)
    if step.property == "cpu":
        return vim.vm.ConfigSpec(
            numCPUs=after["count"], numCoresPerSocket=after["cores_per_socket"]
        )
    if step.property == "memory":
        return vim.vm.ConfigSpec(
            memoryMB=after["size_mib"],
            memoryAllocation=vim.ResourceAllocationInfo(reservation=after["reservation_mib"]),
            memoryReservationLockedToMax=after["reservation_locked"],
        )
    raise PlanError(
        f"this version cannot set {step.property!r} of a VM",
        remedy="use the nestkit that made the plan, or make a new plan",
    )


def _shut_down(
    session: VimSession,
    ref: Any,
    target: Target,
    deadline_s: float,
    on_task: Callable[[str], None],
) -> None:
    """Ask the guest to shut down, and wait until the VM is off. There is no task for it."""
    until = time.monotonic() + deadline_s
    tools = _tools_answer(session, ref, target, min(until, time.monotonic() + TOOLS_WAIT_S))
    if tools != "running":
        raise ConsentNeeded(
            f"the guest of VM {target.name!r} cannot be asked to shut down: "
            f"VMware Tools are {tools}",
            remedy=NO_TOOLS,
        )
    session.call(ref.ShutdownGuest, f"shutting down the guest of VM {target.name!r}", write=True)
    on_task("ShutdownGuest")
    while True:
        row = _row(session, ref, target, ("runtime.powerState",))
        if str(_value(row, target, "runtime.powerState")) == "poweredOff":
            return
        if time.monotonic() >= until:
            raise DeadlineExceeded(
                f"the guest of VM {target.name!r} was asked to shut down and is still up after "
                f"{deadline_s:g} s",
                remedy="look at its console: it may ask something, or still be at it",
            )
        time.sleep(_POLL_S)


def _tools_answer(session: VimSession, ref: Any, target: Target, until: float) -> str:
    """Wait for VMware Tools, unless there are none: "running", "not running", "not installed"."""
    paths = ("guest.toolsRunningStatus", "guest.toolsVersionStatus2")
    while True:
        row = _row(session, ref, target, paths)
        if row.get("guest.toolsRunningStatus", "") == "guestToolsRunning":
            return "running"
        if row.get("guest.toolsVersionStatus2", "") in ("", "guestToolsNotInstalled"):
            return "not installed"
        if time.monotonic() >= until:
            return "not running"
        time.sleep(_POLL_S)


def _wait_for_tasks(session: VimSession, ref: Any, target: Target) -> None:
    row = _row(session, ref, target, ("recentTask",))
    tasks = row.get("recentTask", None)
    if isinstance(tasks, Unknown) or not tasks:
        return
    until = time.monotonic() + IN_FLIGHT_S
    for task in tasks:
        while True:
            try:
                (state,) = session.retrieve(load().vim.Task, ("info.state",), [task])
            except NotFound:  # it ended so long ago that the host forgot it
                break
            if state.fact("info.state") not in ("queued", "running"):
                break
            if time.monotonic() >= until:
                raise DeadlineExceeded(
                    f"a task has been at work on VM {target.name!r} for {IN_FLIGHT_S:g} s",
                    remedy="look at the host's task list; go on when the task has ended",
                )
            time.sleep(_POLL_S)


def _row(session: VimSession, ref: Any, target: Target, paths: tuple[str, ...]) -> Row:
    rows = session.retrieve(load().vim.VirtualMachine, paths, [ref])
    if not rows:
        raise NotFound(
            f"VM {target.name!r} is gone", remedy="it was deleted meanwhile: read the host again"
        )
    return rows[0]


def _value(row: Row, target: Target, path: str) -> Any:
    value = row.fact(path)
    if isinstance(value, Unknown):
        raise PermissionRefused(
            f"{path} of VM {target.name!r} cannot be read: {value.reason}",
            remedy="connect as a user who may read the VM's settings",
        )
    return value
