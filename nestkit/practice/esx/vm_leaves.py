"""Properties of a VM that clients ask for in bulk, without building the objects around them.

A test holds them equal to the same properties of the whole objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from nestkit.practice.esx.model import DvGroup, Vm
from nestkit.practice.esx.vm_view import (
    POWER,
    connection,
    guest_name,
    tools_running,
    tools_version,
)


class Refs(tuple[tuple[str, str], ...]):
    """References to managed objects: type and id of each."""

    __slots__ = ()


def _networks(vm: Vm) -> Refs:
    groups = [vm.host.network(name) for name in dict.fromkeys(nic.network for nic in vm.nics)]
    return Refs(
        ("DistributedVirtualPortgroup" if isinstance(group, DvGroup) else "Network", group.moid)
        for group in groups
        if group
    )


LEAVES: Final[dict[str, Callable[[Vm], Any]]] = {
    "name": lambda vm: vm.name,
    "config.name": lambda vm: vm.name,
    "config.changeVersion": lambda vm: vm.change_version,
    "config.uuid": lambda vm: vm.uuid,
    "config.instanceUuid": lambda vm: vm.instance_uuid,
    "config.version": lambda vm: f"vmx-{vm.hardware_version:02d}",
    "config.guestId": lambda vm: vm.guest_id,
    "config.guestFullName": guest_name,
    "config.firmware": lambda vm: vm.firmware,
    "config.template": lambda vm: vm.template,
    "config.annotation": lambda vm: vm.annotation,
    "config.nestedHVEnabled": lambda vm: vm.nested,
    "config.cpuHotAddEnabled": lambda vm: vm.cpu_hot_add,
    "config.memoryHotAddEnabled": lambda vm: vm.memory_hot_add,
    "config.memoryReservationLockedToMax": lambda vm: vm.reservation_locked,
    "config.hardware.numCPU": lambda vm: vm.cpu_count,
    "config.hardware.numCoresPerSocket": lambda vm: vm.cores_per_socket,
    "config.hardware.memoryMB": lambda vm: vm.memory_mb,
    "config.memoryAllocation.reservation": lambda vm: vm.reservation_mb,
    "runtime.faultToleranceState": lambda vm: "notConfigured",
    "runtime.host": lambda vm: Refs([("HostSystem", vm.host.moid)]),
    "network": _networks,
    "runtime.powerState": lambda vm: POWER[vm.power],
    "runtime.connectionState": connection,
    "guest.toolsRunningStatus": tools_running,
    "guest.toolsVersionStatus2": tools_version,
    "guest.guestState": lambda vm: "running" if vm.tools_running else "notRunning",
    "summary.config.name": lambda vm: vm.name,
    "summary.config.instanceUuid": lambda vm: vm.instance_uuid,
    "summary.config.uuid": lambda vm: vm.uuid,
    "summary.config.memorySizeMB": lambda vm: vm.memory_mb,
    "summary.config.memoryReservation": lambda vm: vm.reservation_mb,
    "summary.config.numCpu": lambda vm: vm.cpu_count,
    "summary.config.numEthernetCards": lambda vm: len(vm.nics),
    "summary.config.numVirtualDisks": lambda vm: len(vm.disks),
    "summary.config.guestId": lambda vm: vm.guest_id,
    "summary.config.template": lambda vm: vm.template,
    "summary.runtime.powerState": lambda vm: POWER[vm.power],
}
