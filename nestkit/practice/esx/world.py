"""The inventory tree of a practice ESXi host and the state that changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from nestkit.practice.esx import host_view, vm_view
from nestkit.practice.esx.api import VmomiSupport, vim, vmodl
from nestkit.practice.esx.inventory import Inventory
from nestkit.practice.esx.model import Vm
from nestkit.practice.esx.vm_view import DATASTORE, network_moid

REFS: Final = VmomiSupport.ManagedObject.Array


class Managed:
    """One managed object: its type, its id, and how to read its properties."""

    __slots__ = ("kind", "moid", "props")

    def __init__(self, kind: Any, moid: str, props: dict[str, Callable[[], Any]]) -> None:
        self.kind, self.moid, self.props = kind, moid, props

    def value(self, name: str) -> Any:
        """A property, or None when it is unset."""
        read = self.props.get(name)
        return read() if read else None

    def names(self) -> Iterator[str]:
        """The properties it has."""
        yield from self.props

    @property
    def ref(self) -> Any:
        """What the API calls a managed object reference."""
        return self.kind(self.moid)

    @property
    def unreadable(self) -> bool:
        """Whether the user may see that it exists, but nothing in it."""
        return False


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


class World:
    """Everything a client can see. Hold ``changed`` (a condition) while touching it."""

    def __init__(self, build: Callable[[], Inventory]) -> None:
        self._build = build
        self.changed = threading.Condition(threading.RLock())
        self.revision = 0  # grows with every change, also over resets
        self.epoch = 0  # grows with every reset: work begun before it is dropped
        self.inventory: Inventory = build()
        self.objects: dict[str, Managed] = {}
        self.tasks: dict[str, Any] = {}
        self._grow()

    def reset(self) -> None:
        """Back to the inventory's first state."""
        fresh = self._build()
        with self.changed:
            self.inventory = fresh
            self.epoch += 1
            self.objects.clear()
            self.tasks.clear()
            self._grow()
            self.note_change()

    def note_change(self) -> None:
        """Wake those who wait for updates."""
        with self.changed:
            self.revision += 1
            self.changed.notify_all()

    def find(self, kind: str, moid: str) -> Managed:
        """The managed object of this id.

        Raises
        ------
        vmodl.fault.ManagedObjectNotFound
            There is none.
        """
        found = self.objects.get(moid)
        if found is None:
            try:
                asked = VmomiSupport.GetWsdlType("urn:vim25", kind)
            except KeyError:
                asked = vim.ManagedEntity
            if not issubclass(asked, VmomiSupport.ManagedObject):
                asked = vim.ManagedEntity
            raise vmodl.fault.ManagedObjectNotFound(
                obj=asked(moid),
                msg="The object has already been deleted or has not been completely created",
            )
        return found

    def vm(self, moid: str) -> Vm:
        """The VM of this id, which exists."""
        return self.inventory.vms[moid]

    def recent_tasks(self, entity: str | None = None) -> Any:
        """References to the tasks, of one entity or of all."""
        return REFS(
            task.ref for task in self.tasks.values() if entity is None or task.entity == entity
        )

    def used_mb(self) -> int:
        """Memory that powered-on VMs have reserved, MiB."""
        return sum(vm.reservation_mb for vm in self.inventory.vms.values() if vm.power == "on")

    def children(self, moid: str) -> list[str]:
        """What lies below an object in the inventory tree, one level."""
        inventory = self.inventory
        fixed = {
            "ha-folder-root": ["ha-datacenter"],
            "ha-datacenter": [
                "ha-folder-vm",
                "ha-folder-host",
                "ha-folder-datastore",
                "ha-folder-network",
            ],
            "ha-folder-host": ["ha-compute-res"],
            "ha-compute-res": ["ha-host", "ha-root-pool"],
            "ha-folder-datastore": [DATASTORE],
        }
        if moid in ("ha-folder-vm", "ha-host", "ha-root-pool"):
            return list(inventory.vms)
        if moid == "ha-folder-network":
            return [network_moid(name) for name in inventory.port_groups]
        return fixed.get(moid, [])

    def refs(self, moids: list[str]) -> Any:
        """References to objects by id."""
        return REFS(self.objects[moid].ref for moid in moids)

    def _add(self, kind: Any, moid: str, **props: Callable[[], Any]) -> None:
        self.objects[moid] = Managed(kind, moid, props)

    def _entity(
        self, kind: Any, moid: str, name: str, parent: Any, **props: Callable[[], Any]
    ) -> None:
        common: dict[str, Callable[[], Any]] = {
            "name": lambda: name,
            "overallStatus": lambda: "green",
            "configStatus": lambda: "green",
            "recentTask": lambda: self.recent_tasks(moid),
        }
        if parent is not None:
            common["parent"] = lambda: parent
        self._add(kind, moid, **common, **props)

    def _grow(self) -> None:
        self._grow_services()
        self._grow_folders()
        self._grow_hosts()
        self._grow_networks()
        for vm in self.inventory.vms.values():
            self.objects[vm.moid] = VmObject(self, vm)

    def _grow_services(self) -> None:
        self._add(
            vim.ServiceInstance,
            "ServiceInstance",
            content=self.content,
            serverClock=lambda: datetime.now(UTC),
            capability=lambda: vim.Capability(provisioningSupported=True, multiHostSupported=False),
        )
        self._add(vmodl.query.PropertyCollector, "ha-property-collector")
        self._add(vim.view.ViewManager, "ViewManager")
        self._add(vim.SessionManager, "ha-sessionmgr", defaultLocale=lambda: "en")
        self._add(vim.TaskManager, "ha-taskmgr", recentTask=self.recent_tasks)
        self._add(vim.SearchIndex, "ha-searchindex")

    def content(self) -> Any:
        """``ServiceInstance.content``."""
        return vim.ServiceInstanceContent(
            rootFolder=vim.Folder("ha-folder-root"),
            propertyCollector=vmodl.query.PropertyCollector("ha-property-collector"),
            viewManager=vim.view.ViewManager("ViewManager"),
            about=host_view.about(self.inventory.host),
            sessionManager=vim.SessionManager("ha-sessionmgr"),
            taskManager=vim.TaskManager("ha-taskmgr"),
            searchIndex=vim.SearchIndex("ha-searchindex"),
        )

    def _folder(self, moid: str, name: str, parent: Any, child_type: list[str]) -> None:
        self._entity(
            vim.Folder,
            moid,
            name,
            parent,
            childEntity=lambda: self.refs(self.children(moid)),
            childType=lambda: child_type,
        )

    def _grow_folders(self) -> None:
        root, datacenter = vim.Folder("ha-folder-root"), vim.Datacenter("ha-datacenter")
        self._folder("ha-folder-root", "ha-folder-root", None, ["Datacenter"])
        self._entity(
            vim.Datacenter,
            "ha-datacenter",
            "ha-datacenter",
            root,
            vmFolder=lambda: vim.Folder("ha-folder-vm"),
            hostFolder=lambda: vim.Folder("ha-folder-host"),
            datastoreFolder=lambda: vim.Folder("ha-folder-datastore"),
            networkFolder=lambda: vim.Folder("ha-folder-network"),
            datastore=lambda: self.refs([DATASTORE]),
            network=lambda: self.refs(self.children("ha-folder-network")),
        )
        self._folder("ha-folder-vm", "vm", datacenter, ["VirtualMachine"])
        self._folder("ha-folder-host", "host", datacenter, ["ComputeResource"])
        self._folder("ha-folder-datastore", "datastore", datacenter, ["Datastore"])
        self._folder("ha-folder-network", "network", datacenter, ["Network"])

    def _grow_hosts(self) -> None:
        inventory = self.inventory
        host, switches, groups = inventory.host, inventory.switches, inventory.port_groups
        datastore, networks = (lambda: self.refs([DATASTORE])), self._networks
        self._entity(
            vim.ComputeResource,
            "ha-compute-res",
            host.name,
            vim.Folder("ha-folder-host"),
            host=lambda: self.refs(["ha-host"]),
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
        self._entity(
            vim.HostSystem,
            "ha-host",
            host.name,
            vim.ComputeResource("ha-compute-res"),
            hardware=lambda: host_view.hardware(host),
            capability=lambda: host_view.capability(host),
            runtime=lambda: host_view.runtime(host),
            summary=lambda: host_view.summary(host, self.used_mb()),
            config=lambda: host_view.config(host, switches, groups),
            configManager=lambda: vim.host.ConfigManager(
                networkSystem=vim.host.NetworkSystem("networkSystem"),
                storageSystem=vim.host.StorageSystem("storageSystem"),
            ),
            vm=lambda: self.refs(list(inventory.vms)),
            datastore=datastore,
            network=networks,
        )
        self._entity(
            vim.ResourcePool,
            "ha-root-pool",
            "Resources",
            vim.ComputeResource("ha-compute-res"),
            owner=lambda: vim.ComputeResource("ha-compute-res"),
            vm=lambda: self.refs(list(inventory.vms)),
        )
        self._entity(
            vim.Datastore,
            DATASTORE,
            DATASTORE,
            vim.Folder("ha-folder-datastore"),
            summary=lambda: host_view.datastore_summary(host, self._used_gib()),
            vm=lambda: self.refs(list(inventory.vms)),
        )
        self._add(
            vim.host.NetworkSystem,
            "networkSystem",
            networkInfo=lambda: host_view.network(host, switches, groups),
        )
        self._add(
            vim.host.StorageSystem,
            "storageSystem",
            storageDeviceInfo=lambda: host_view.storage(host),
        )

    def _networks(self) -> Any:
        return self.refs(self.children("ha-folder-network"))

    def _used_gib(self) -> float:
        return sum(disk.size_gib for vm in self.inventory.vms.values() for disk in vm.disks) / 10

    def _grow_networks(self) -> None:
        for name in self.inventory.port_groups:
            self.add_network(name)

    def add_network(self, name: str) -> None:
        """The Network object that stands for a port group."""
        moid = network_moid(name)
        self._entity(
            vim.Network,
            moid,
            name,
            vim.Folder("ha-folder-network"),
            summary=lambda: vim.Network.Summary(
                network=vim.Network(moid), name=name, accessible=True, ipPoolName=""
            ),
            host=lambda: self.refs(["ha-host"]),
            vm=lambda: self.refs(
                [
                    vm.moid
                    for vm in self.inventory.vms.values()
                    if any(nic.network == name for nic in vm.nics)
                ]
            ),
        )
