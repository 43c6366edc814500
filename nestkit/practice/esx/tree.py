"""The inventory tree of an ESXi host: which managed objects there are, and what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from nestkit.practice.esx import host_view, network_view, vm_view
from nestkit.practice.esx.api import vim, vmodl
from nestkit.practice.esx.managed import REFS, Managed
from nestkit.practice.esx.model import Vm
from nestkit.practice.esx.vm_view import DATASTORE, network_moid

if TYPE_CHECKING:
    from nestkit.practice.esx.world import World


class VmObject(Managed):
    """A VM; its properties are made when they are asked for."""

    __slots__ = ("vm", "world")

    def __init__(self, world: World, vm: Vm) -> None:
        super().__init__(vim.VirtualMachine, vm.moid, {})
        self.world, self.vm = world, vm

    def value(self, name: str) -> Any:
        read = _VM_PROPERTIES.get(name)
        return read(self.world, self.vm) if read else None

    def names(self) -> Iterator[str]:
        yield from _VM_PROPERTIES

    @property
    def unreadable(self) -> bool:
        return self.vm.unreadable


_VM_PROPERTIES: Final[dict[str, Callable[[World, Vm], Any]]] = {
    "name": lambda world, vm: vm.name,
    "parent": lambda world, vm: vim.Folder("ha-folder-vm"),
    "overallStatus": lambda world, vm: "green",
    "configStatus": lambda world, vm: "green",
    "recentTask": lambda world, vm: world.recent_tasks(vm.moid),
    "capability": lambda world, vm: vm_view.capability(
        vm, host_view.nesting_supported(world.inventory.host)
    ),
    "config": lambda world, vm: vm_view.config(vm),
    "runtime": lambda world, vm: vm_view.runtime(vm),
    "guest": lambda world, vm: vm_view.guest(vm),
    "summary": lambda world, vm: vm_view.summary(vm),
    "guestHeartbeatStatus": lambda world, vm: "green" if vm.tools_running else "gray",
    "resourcePool": lambda world, vm: vim.ResourcePool("ha-root-pool"),
    "datastore": lambda world, vm: REFS([vim.Datastore(DATASTORE)]),
    "network": lambda world, vm: REFS(
        vim.Network(network_moid(name)) for name in dict.fromkeys(n.network for n in vm.nics)
    ),
}


def _add(world: World, kind: Any, moid: str, **props: Callable[[], Any]) -> None:
    world.objects[moid] = Managed(kind, moid, props)


def _entity(
    world: World, kind: Any, moid: str, name: str, parent: Any, **props: Callable[[], Any]
) -> None:
    common: dict[str, Callable[[], Any]] = {
        "name": lambda: name,
        "overallStatus": lambda: "green",
        "configStatus": lambda: "green",
        "recentTask": lambda: world.recent_tasks(moid),
    }
    if parent is not None:
        common["parent"] = lambda: parent
    _add(world, kind, moid, **common, **props)


def grow(world: World) -> None:
    _grow_services(world)
    _grow_folders(world)
    _grow_hosts(world)
    _grow_networks(world)
    for vm in world.inventory.vms.values():
        world.objects[vm.moid] = VmObject(world, vm)


def _grow_services(world: World) -> None:
    _add(
        world,
        vim.ServiceInstance,
        "ServiceInstance",
        content=lambda: content(world),
        serverClock=lambda: datetime.now(UTC),
        capability=lambda: vim.Capability(provisioningSupported=True, multiHostSupported=False),
    )
    _add(world, vmodl.query.PropertyCollector, "ha-property-collector")
    _add(world, vim.view.ViewManager, "ViewManager")
    _add(world, vim.SessionManager, "ha-sessionmgr", defaultLocale=lambda: "en")
    _add(world, vim.TaskManager, "ha-taskmgr", recentTask=world.recent_tasks)
    _add(world, vim.SearchIndex, "ha-searchindex")


def _folder(world: World, moid: str, name: str, parent: Any, child_type: list[str]) -> None:
    _entity(
        world,
        vim.Folder,
        moid,
        name,
        parent,
        childEntity=lambda: world.refs(world.children(moid)),
        childType=lambda: child_type,
    )


def _grow_folders(world: World) -> None:
    root, datacenter = vim.Folder("ha-folder-root"), vim.Datacenter("ha-datacenter")
    _folder(world, "ha-folder-root", "ha-folder-root", None, ["Datacenter"])
    _entity(
        world,
        vim.Datacenter,
        "ha-datacenter",
        "ha-datacenter",
        root,
        vmFolder=lambda: vim.Folder("ha-folder-vm"),
        hostFolder=lambda: vim.Folder("ha-folder-host"),
        datastoreFolder=lambda: vim.Folder("ha-folder-datastore"),
        networkFolder=lambda: vim.Folder("ha-folder-network"),
        datastore=lambda: world.refs([DATASTORE]),
        network=lambda: world.refs(world.children("ha-folder-network")),
    )
    _folder(world, "ha-folder-vm", "vm", datacenter, ["VirtualMachine"])
    _folder(world, "ha-folder-host", "host", datacenter, ["ComputeResource"])
    _folder(world, "ha-folder-datastore", "datastore", datacenter, ["Datastore"])
    _folder(world, "ha-folder-network", "network", datacenter, ["Network"])


def _grow_hosts(world: World) -> None:
    inventory = world.inventory
    host, switches, groups = inventory.host, inventory.switches, inventory.port_groups
    datastore, networks = (lambda: world.refs([DATASTORE])), (lambda: _networks(world))
    _entity(
        world,
        vim.ComputeResource,
        "ha-compute-res",
        host.name,
        vim.Folder("ha-folder-host"),
        host=lambda: world.refs(["ha-host"]),
        resourcePool=lambda: vim.ResourcePool("ha-root-pool"),
        datastore=datastore,
        network=networks,
        summary=lambda: vim.ComputeResource.Summary(
            totalCpu=host.mhz * host.cores,
            totalMemory=host.memory_gib * 2**30,
            numCpuCores=host.cores,
            numCpuThreads=host.threads,
            effectiveCpu=host.mhz * host.cores,
            effectiveMemory=host.memory_mb,
            numHosts=1,
            numEffectiveHosts=1,
            overallStatus="green",
        ),
    )
    _entity(
        world,
        vim.HostSystem,
        "ha-host",
        host.name,
        vim.ComputeResource("ha-compute-res"),
        hardware=lambda: host_view.hardware(host),
        capability=lambda: host_view.capability(host),
        runtime=lambda: host_view.runtime(host),
        summary=lambda: host_view.summary(host, world.used_mb()),
        config=lambda: host_view.config(host, switches, groups),
        configManager=lambda: vim.host.ConfigManager(
            networkSystem=vim.host.NetworkSystem("networkSystem"),
            storageSystem=vim.host.StorageSystem("storageSystem"),
        ),
        vm=lambda: world.refs(list(inventory.vms)),
        datastore=datastore,
        network=networks,
    )
    _entity(
        world,
        vim.ResourcePool,
        "ha-root-pool",
        "Resources",
        vim.ComputeResource("ha-compute-res"),
        owner=lambda: vim.ComputeResource("ha-compute-res"),
        vm=lambda: world.refs(list(inventory.vms)),
    )
    _entity(
        world,
        vim.Datastore,
        DATASTORE,
        DATASTORE,
        vim.Folder("ha-folder-datastore"),
        summary=lambda: host_view.datastore_summary(host, _used_gib(world)),
        vm=lambda: world.refs(list(inventory.vms)),
    )
    _add(
        world,
        vim.host.NetworkSystem,
        "networkSystem",
        networkInfo=lambda: network_view.network(host, switches, groups),
    )
    _add(
        world,
        vim.host.StorageSystem,
        "storageSystem",
        storageDeviceInfo=lambda: host_view.storage(host),
    )


def _networks(world: World) -> Any:
    return world.refs(world.children("ha-folder-network"))


def _used_gib(world: World) -> float:
    return sum(disk.size_gib for vm in world.inventory.vms.values() for disk in vm.disks) / 10


def _grow_networks(world: World) -> None:
    for name in world.inventory.port_groups:
        add_network(world, name)


def add_network(world: World, name: str) -> None:
    """The Network object that stands for a port group."""
    moid = network_moid(name)
    _entity(
        world,
        vim.Network,
        moid,
        name,
        vim.Folder("ha-folder-network"),
        summary=lambda: vim.Network.Summary(
            network=vim.Network(moid), name=name, accessible=True, ipPoolName=""
        ),
        host=lambda: world.refs(["ha-host"]),
        vm=lambda: world.refs(
            [
                vm.moid
                for vm in world.inventory.vms.values()
                if any(nic.network == name for nic in vm.nics)
            ]
        ),
    )


def content(world: World) -> Any:
    """``ServiceInstance.content``."""
    return vim.ServiceInstanceContent(
        rootFolder=vim.Folder("ha-folder-root"),
        propertyCollector=vmodl.query.PropertyCollector("ha-property-collector"),
        viewManager=vim.view.ViewManager("ViewManager"),
        about=host_view.about(world.inventory.host),
        sessionManager=vim.SessionManager("ha-sessionmgr"),
        taskManager=vim.TaskManager("ha-taskmgr"),
        searchIndex=vim.SearchIndex("ha-searchindex"),
    )
