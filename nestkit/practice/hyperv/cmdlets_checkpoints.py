"""Cmdlets for checkpoints. Behaviour: Microsoft Learn, module Hyper-V."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from nestkit.practice.hyperv.arguments import (
    cmdlet,
    each,
    find_vms,
    flag,
    given,
    matching,
    source,
    texts,
)
from nestkit.practice.hyperv.model import Checkpoint, Vm
from nestkit.practice.hyperv.powershell.wildcard import has_wildcard
from nestkit.practice.hyperv.values import Invocation, Value
from nestkit.practice.hyperv.views import SNAPSHOT
from nestkit.practice.hyperv.world import Session


@cmdlet("Checkpoint-VM", takes="VM Name SnapshotName Passthru")
def checkpoint_vm(session: Session, inv: Invocation) -> list[Value]:
    """Take a checkpoint."""
    made = []

    def act(vm: Vm) -> None:
        if vm.checkpoint_type == "Disabled":
            raise session.state_error(vm, inv.name, "Checkpoint-VM", state="disabled")
        now = datetime.now(UTC)
        name = str(inv.bound.get("SnapshotName") or f"{vm.name} - ({now:%Y-%m-%d %H:%M:%S})")
        if not inv.what_if:
            parent = vm.checkpoints[-1].id if vm.checkpoints else None
            vm.checkpoints.append(Checkpoint(uuid.uuid4(), name, now, parent))
            made.append(SNAPSHOT(vm.checkpoints[-1], vm=vm, computer=session.computer))

    each(inv, find_vms(session, inv), act)
    return made if flag(inv, "Passthru") else []


def _points(session: Session, inv: Invocation) -> list[tuple[Vm, Checkpoint]]:
    direct = [source(value, Checkpoint) for value in given(inv, "VMSnapshot")]
    wanted_id = {str(value).lower() for value in given(inv, "Id")}
    if direct or wanted_id:
        pool = session.computer.vms.values()
    elif not any(key in inv.bound for key in ("VM", "VMName")):
        raise session.error("value", inv.name, why="Name a virtual machine: -VMName or -VM.")
    else:
        pool = find_vms(session, inv)  # type: ignore[assignment]
    found = [(vm, point) for vm in pool for point in vm.checkpoints]
    if direct:
        return [(vm, point) for vm, point in found if any(point is one for one in direct)]
    if wanted_id:
        return [(vm, point) for vm, point in found if str(point.id) in wanted_id]
    names = texts(inv, "Name")
    if not names:
        return found
    for name in names:
        if not has_wildcard(name) and not matching(name, [p for _, p in found]):
            vm_name = ", ".join(texts(inv, "VMName")) or "?"
            inv.streams.error(
                session.error("no-part", inv.name, vm=vm_name, what="checkpoint", name=name)
            )
    return [pair for pair in found if any(matching(name, [pair[1]]) for name in names)]


@cmdlet("Get-VMSnapshot", takes="VM VMName Name Id")
def get_snapshot(session: Session, inv: Invocation) -> list[Value]:
    """A VM's checkpoints."""
    return [
        SNAPSHOT(point, vm=vm, computer=session.computer) for vm, point in _points(session, inv)
    ]


@cmdlet("Remove-VMSnapshot", takes="VMSnapshot VM VMName Name IncludeAllChildSnapshots")
def remove_snapshot(session: Session, inv: Invocation) -> list[Value]:
    """Remove checkpoints; with -IncludeAllChildSnapshots also those that follow them."""
    for vm, point in _points(session, inv):
        if inv.what_if or point not in vm.checkpoints:
            continue
        doomed = {point.id}
        if flag(inv, "IncludeAllChildSnapshots"):
            for one in vm.checkpoints:
                if one.parent in doomed:
                    doomed.add(one.id)
        for one in vm.checkpoints:
            if one.parent in doomed:
                one.parent = point.parent
        vm.checkpoints = [one for one in vm.checkpoints if one.id not in doomed]
    return []
