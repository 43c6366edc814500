"""The state of a practice ESXi host that changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from nestkit.practice.esx.api import VmomiSupport, vim, vmodl
from nestkit.practice.esx.inventory import Inventory, Layout
from nestkit.practice.esx.managed import REFS, Managed
from nestkit.practice.esx.model import Host, Vm
from nestkit.practice.esx.tree import grow
from nestkit.practice.esx.vm_object import VmObject


class World:
    """Everything a client can see. Hold ``changed`` (a condition) while touching it."""

    def __init__(self, build: Callable[[], Inventory]) -> None:
        self._build = build
        self.changed = threading.Condition(threading.RLock())
        self.revision = 0  # grows with every change, also over resets
        self.epoch = 0  # grows with every reset: work begun before it is dropped
        self.inventory: Inventory = build()
        self.objects: dict[str, Managed] = {}  # all but the VMs
        self.tasks: dict[str, Any] = {}
        self.processes: dict[str, list[Any]] = {}  # what ran in guests, by VM
        grow(self)

    def reset(self) -> None:
        """Back to the inventory's first state."""
        fresh = self._build()
        with self.changed:
            self.inventory = fresh
            self.epoch += 1
            self.objects.clear()
            self.tasks.clear()
            self.processes.clear()
            grow(self)
            self.note_change()

    def note_change(self) -> None:
        """Wake those who wait for updates."""
        with self.changed:
            self.revision += 1
            self.changed.notify_all()

    @property
    def layout(self) -> Layout:
        """The ids of the fixed objects."""
        return self.inventory.layout

    def get(self, moid: str) -> Managed | None:
        """The managed object of this id, if there is one."""
        found = self.objects.get(moid)
        if found is None and moid in self.inventory.vms:
            return VmObject(self, moid)
        return found

    def find(self, kind: str, moid: str) -> Managed:
        """The managed object of this id.

        Raises
        ------
        vmodl.fault.ManagedObjectNotFound
            There is none.
        """
        found = self.get(moid)
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

    def used_mb(self, host: Host) -> int:
        """Memory that powered-on VMs have reserved on a host, MiB."""
        return sum(vm.reservation_mb for vm in self.inventory.running_on(host))

    def host_part(self, host: Host, name: str) -> str:
        """The id of a host's network or storage system."""
        return f"{name}-{host.moid}" if self.layout.is_vcenter else name

    def loose_vms(self) -> list[str]:
        """The VMs that are in no vApp; only listed VMs can be in one."""
        inside = {vm.moid for vm in self.inventory.vms.built() if vm.vapp}
        return [moid for moid in self.inventory.vms if moid not in inside]

    def children(self, moid: str) -> list[str]:
        """What lies below an object in the inventory tree, one level."""
        inventory, ids = self.inventory, self.layout
        fixed = {
            ids.root: [ids.datacenter],
            ids.datacenter: [
                ids.vm_folder,
                ids.host_folder,
                ids.datastore_folder,
                ids.network_folder,
            ],
            ids.host_folder: [ids.compute],
            ids.compute: [*inventory.hosts, ids.pool],
            ids.datastore_folder: [store.moid for store in inventory.datastores.values()],
        }
        if moid in (ids.vm_folder, ids.pool):
            return [*inventory.vapps, *self.loose_vms()]
        if moid in inventory.vapps:
            return [vm.moid for vm in inventory.vms.built() if vm.vapp == moid]
        if moid in inventory.hosts:
            return [vm.moid for vm in inventory.vms.values() if vm.host.moid == moid]
        if moid == ids.network_folder:
            standard = [
                group.moid for h in inventory.hosts.values() for group in h.port_groups.values()
            ]
            return [*dict.fromkeys(standard), *inventory.dv_switches, *inventory.dv_groups]
        return fixed.get(moid, [])

    def refs(self, moids: list[str]) -> Any:
        """References to objects by id."""
        objects = self.objects
        return REFS(
            objects[moid].ref if moid in objects else vim.VirtualMachine(moid) for moid in moids
        )
