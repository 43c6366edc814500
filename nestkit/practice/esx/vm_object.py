"""A VM as a managed object: it and its properties are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from nestkit.practice.esx import host_view, vm_view
from nestkit.practice.esx.api import vim
from nestkit.practice.esx.managed import Managed
from nestkit.practice.esx.model import Vm

if TYPE_CHECKING:
    from nestkit.practice.esx.world import World


class VmObject(Managed):
    """A VM; it and its properties are made when they are asked for."""

    __slots__ = ("world",)

    def __init__(self, world: World, moid: str) -> None:
        super().__init__(vim.VirtualMachine, moid, {})
        self.world = world

    @property
    def vm(self) -> Vm:
        """The VM itself."""
        return self.world.inventory.vms[self.moid]

    def value(self, name: str) -> Any:
        read = _VM_PROPERTIES.get(name)
        return read(self.world, self.vm) if read else None

    def names(self) -> Iterator[str]:
        yield from _VM_PROPERTIES

    @property
    def unreadable(self) -> bool:
        return self.vm.unreadable


def _vm_pool(world: World, vm: Vm) -> Any:
    if vm.template:
        return None  # a template belongs to a host alone
    return vim.VirtualApp(vm.vapp) if vm.vapp else vim.ResourcePool(world.layout.pool)


def _vm_networks(world: World, vm: Vm) -> Any:
    names = dict.fromkeys(nic.network for nic in vm.nics)
    groups = [vm.host.network(name) for name in names]
    return world.refs([group.moid for group in groups if group])


_VM_PROPERTIES: Final[dict[str, Callable[[World, Vm], Any]]] = {
    "name": lambda world, vm: vm.name,
    "parent": lambda world, vm: None if vm.vapp else vim.Folder(world.layout.vm_folder),
    "parentVApp": lambda world, vm: vim.VirtualApp(vm.vapp) if vm.vapp else None,
    "overallStatus": lambda world, vm: "green",
    "configStatus": lambda world, vm: "green",
    "recentTask": lambda world, vm: world.recent_tasks(vm.moid),
    "capability": lambda world, vm: vm_view.capability(vm, host_view.nesting_supported(vm.host)),
    "config": lambda world, vm: vm_view.config(vm),
    "layoutEx": lambda world, vm: vm_view.layout(vm),
    "runtime": lambda world, vm: vm_view.runtime(vm),
    "guest": lambda world, vm: vm_view.guest(vm),
    "summary": lambda world, vm: vm_view.summary(vm),
    "guestHeartbeatStatus": lambda world, vm: "green" if vm.tools_running else "gray",
    "resourcePool": _vm_pool,
    "snapshot": lambda world, vm: vm_view.snapshot(vm),
    "rootSnapshot": lambda world, vm: [vim.vm.Snapshot(one.moid) for one in vm.snapshots[:1]],
    "datastore": lambda world, vm: world.refs([vm.datastore.moid]),
    "network": _vm_networks,
}
