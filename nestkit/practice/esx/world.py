"""The state of a practice ESXi host that changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from nestkit.practice.esx.api import VmomiSupport, vim, vmodl
from nestkit.practice.esx.inventory import Inventory
from nestkit.practice.esx.managed import REFS, Managed
from nestkit.practice.esx.model import Vm
from nestkit.practice.esx.tree import grow
from nestkit.practice.esx.vm_view import DATASTORE, network_moid


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
        grow(self)

    def reset(self) -> None:
        """Back to the inventory's first state."""
        fresh = self._build()
        with self.changed:
            self.inventory = fresh
            self.epoch += 1
            self.objects.clear()
            self.tasks.clear()
            grow(self)
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
