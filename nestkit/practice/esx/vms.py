"""The VMs of an inventory: those it lists, and a fleet whose VMs are built when asked for."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from nestkit.practice.esx.model import Nic, Vm, identity


def make_mac(vm: int, nic: int) -> str:
    """A MAC address; 00:0c:29 is VMware's prefix for those a host makes up."""
    return f"00:0c:29:{vm >> 8 & 255:02x}:{vm & 255:02x}:{nic:02x}"


def copy_of(model: Vm, name: str, number: int, host_uuid: str) -> Vm:
    """A VM like this one, powered off, with an identity of its own."""
    return replace(
        model,
        name=name,
        moid="",
        uuid=identity(host_uuid, number, name, "bios"),
        instance_uuid=identity(host_uuid, number, name),
        folder=f"{name}-{number}",
        power="off",  # so that no number of them exceeds the host's memory
        disks=[replace(disk) for disk in model.disks],
        nics=[
            Nic(nic.key, nic.model, nic.network, make_mac(number, n))
            for n, nic in enumerate(model.nics)
        ],
        cdroms=[replace(drive) for drive in model.cdroms],
        snapshots=[],
        vapp="",
        template=False,
        extra=dict(model.extra),
        tools_ready=True,
        task=None,
    )


@dataclass(frozen=True, slots=True)
class Fleet:
    """VMs like those of the inventory; a seed decides which is like which."""

    models: list[Vm]
    choices: list[int]
    first: int  # the number of the last VM before the fleet
    host_uuid: str

    @classmethod
    def plan(
        cls, models: list[Vm], count: int, first: int, seed: int | None, host_uuid: str
    ) -> Fleet:
        """A fleet of ``count`` VMs."""
        chance = random.Random(0 if seed is None else seed)  # noqa: S311  (variety, not secrecy)
        pristine = [copy_of(model, model.name, 0, host_uuid) for model in models]  # they change
        choices = chance.choices(range(len(models)), k=count) if models else []
        return cls(pristine, choices, first, host_uuid)

    def name(self, number: int) -> str:
        """The name of the ``number``-th VM, counted from 0."""
        return f"fleet-{number + 1:05d}"

    def build(self, number: int) -> Vm:
        """That VM."""
        model = self.models[self.choices[number]]
        return copy_of(model, self.name(number), self.first + number + 1, self.host_uuid)


class Vms(Mapping[str, Vm]):
    """VMs by managed object id. Iterating over ids builds nothing; over values, all."""

    def __init__(self, listed: list[Vm], fleet: Fleet, prefix: str, first: int) -> None:
        self._fleet, self._prefix, self._next = fleet, prefix, first
        self._all: dict[str, Vm | int] = {}
        self._by_uuid: dict[str, str] | None = None
        for vm in listed:
            self.add(vm)
        for number in range(len(fleet.choices)):
            self._all[self._new_moid()] = number

    def _new_moid(self) -> str:
        self._next += 1
        return f"{self._prefix}{self._next - 1}"

    def __getitem__(self, moid: str) -> Vm:
        found = self._all[moid]
        if isinstance(found, int):
            found = self._fleet.build(found)
            found.moid = moid
            self._all[moid] = found
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, moid: object) -> bool:
        return moid in self._all

    def add(self, vm: Vm) -> None:
        """Add a VM; it gets its managed object id here."""
        vm.moid = self._new_moid()
        self._all[vm.moid] = vm
        if self._by_uuid is not None:
            self._by_uuid[vm.uuid] = self._by_uuid[vm.instance_uuid] = vm.moid

    def remove(self, moid: str) -> None:
        """Forget a VM."""
        vm = self[moid]
        del self._all[moid]
        if self._by_uuid is not None:
            for uuid in (vm.uuid, vm.instance_uuid):
                self._by_uuid.pop(uuid, None)

    def built(self) -> list[Vm]:
        """The VMs that were built so far; the others are powered off and as their model is."""
        return [vm for vm in self._all.values() if isinstance(vm, Vm)]

    def running(self) -> list[Vm]:
        """The VMs that are powered on."""
        return [vm for vm in self.built() if vm.power == "on"]

    def holder(self, name: str) -> str | None:
        """The id of the VM of this name."""
        for moid, vm in self._all.items():
            if (vm.name if isinstance(vm, Vm) else self._fleet.name(vm)) == name:
                return moid
        return None

    def find_uuid(self, uuid: str) -> Vm | None:
        """The VM of this instance or BIOS UUID."""
        if self._by_uuid is None:
            self._by_uuid = {}
            for moid, vm in self.items():
                self._by_uuid[vm.uuid] = self._by_uuid[vm.instance_uuid] = moid
        found = self._by_uuid.get(uuid)
        return None if found is None else self[found]
