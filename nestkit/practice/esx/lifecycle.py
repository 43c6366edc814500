"""VMs come and go: CreateVM_Task, Destroy_Task, and what happens inside a VM that boots.

Sources: vSphere Web Services API reference 8.0 (``Folder.CreateVM_Task``,
``ManagedEntity.Destroy_Task``); VMware "ESXi Installation and Setup" 8.0 on scripted installation:
without a kickstart file the installer waits for a person.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from nestkit.practice.esx import rules
from nestkit.practice.esx.api import vim, vmodl
from nestkit.practice.esx.devices import Devices
from nestkit.practice.esx.model import HARDWARE_VERSIONS, Datastore, Host, Vm
from nestkit.practice.esx.reading import folder_name
from nestkit.practice.esx.world import World

INSTALL_S: Final = 2.0  # a scripted installation; a real one takes minutes
INSTALLED: Final = "vmkernel8Guest"
INSTALLER_NEEDS_MB: Final = 4 * 1024  # the installer of ESXi 8 ends with an error below 4 GB
_CREATED: Final = rules.MODELLED | {"files", "instanceUuid", "uuid", "version"}


def _datastore(spec: Any, world: World) -> Datastore:
    path = spec.files.vmPathName if spec.files else ""
    name = (path or "").partition("]")[0].removeprefix("[")
    if not (path or "").startswith("[") or "]" not in path:
        raise vim.fault.InvalidDatastorePath(
            datastorePath=path or "", msg="A datastore path is needed, such as '[datastore1]'."
        )
    store = world.inventory.datastores.get(name)
    if store is None:
        raise vim.fault.InvalidDatastore(name=name, msg=f"There is no datastore '{name}'.")
    return store


def place(world: World, host: Any) -> Host:
    """The host a VM is created on: the one that is given, or the first that can run VMs.

    Raises
    ------
    vmodl.MethodFault
        It can run none.
    """
    hosts = world.inventory.hosts
    if host is not None:
        chosen = hosts.get(host._GetMoId())
        if chosen is None:
            raise vmodl.fault.ManagedObjectNotFound(obj=host)
        rules.check_host(chosen)
        return chosen
    ready = [h for h in hosts.values() if h.connection == "connected" and not h.maintenance_mode]
    if not ready:
        rules.check_host(world.inventory.host)
    return ready[0]


def _number(version: str | None) -> int:
    text = version or f"vmx-{HARDWARE_VERSIONS[-1]}"
    number = int(text[4:]) if text.startswith("vmx-") and text[4:].isdecimal() else -1
    if number not in HARDWARE_VERSIONS:
        raise rules.bad_argument("config.version")
    return number


def _identity(given: str | None, name: str) -> str:
    try:
        return str(uuid.UUID(given)) if given else str(uuid.uuid4())
    except ValueError:
        raise rules.bad_argument(f"config.{name}") from None


def create(world: World, spec: Any, host: Host) -> Any:
    """Make a VM; nothing is left behind when it is refused.

    Raises
    ------
    vmodl.MethodFault
        As ESXi or vCenter would.
    """
    inventory = world.inventory
    rules.check_modelled(spec, _CREATED)
    if not spec.name:
        raise rules.bad_argument("config.name")
    rules.check_name(spec.name, inventory)
    instance = _identity(spec.instanceUuid, "instanceUuid")
    if inventory.vms.find_uuid(instance) is not None:
        instance = str(uuid.uuid4())  # the API changes one that is taken
    store = _datastore(spec, world)
    memory = 32 if spec.memoryMB is None else int(spec.memoryMB)
    vm = Vm(
        moid="",
        name=spec.name,
        uuid=_identity(spec.uuid, "uuid"),
        instance_uuid=instance,
        power="off",
        hardware_version=_number(spec.version),
        cpu_count=1,
        memory_mb=memory,
        reservation_mb=0,
        reservation_locked=False,
        nested=False,
        tools="not installed",
        guest_id=spec.guestId or "otherGuest",
        firmware=spec.firmware or "bios",
        disks=[],
        nics=[],
        extra={},
        host=host,
        datastore=store,
        folder=_folder(world, store, spec.name),
    )
    devices = Devices(inventory, host, store, False, len(inventory.vms) + 1, [], [], [])
    if not store.free_gib:
        devices.grown_gib = 1 / 1024  # its own files need a little
    spec.name, spec.version = None, None
    rules.reconfigure(vm, spec, inventory, devices)
    inventory.vms.add(vm)
    return vim.VirtualMachine(vm.moid)


def _folder(world: World, store: Datastore, name: str) -> str:
    """A folder of its own: a name that is taken gets a number, as ESXi does."""
    wanted = folder_name(name)
    taken = {vm.folder for vm in world.inventory.vms.built() if vm.datastore is store}
    number, folder = 0, wanted
    while folder in taken:
        number += 1
        folder = f"{wanted}_{number}"
    return folder


def destroy(world: World, vm: Vm) -> None:
    """Remove a VM and its files."""
    rules.check_host(vm.host, change=True)
    if vm.power != "off":
        raise rules.wrong_power(vm, "poweredOff")
    given_back = sum(1 / 1024 if disk.thin else disk.size_gib for disk in vm.disks)
    vm.datastore.used_gib = max(0.0, vm.datastore.used_gib - given_back)
    world.inventory.vms.remove(vm.moid)


def boot(world: World, vm: Vm, tools_after_s: float, later: Callable[..., None]) -> None:
    """What runs in a VM after its power-on, some seconds later."""
    vm.power, vm.boot_time = "on", datetime.now(UTC)
    started = vm.boot_time

    def still_on() -> bool:
        return vm.power == "on" and vm.boot_time == started

    def tools_start() -> None:
        if still_on():
            vm.tools_ready = True

    def installed() -> None:
        if still_on():
            vm.guest, vm.tools, vm.tools_ready = INSTALLED, "running", True

    if vm.guest:
        later(tools_after_s, tools_start)
    elif _installs_by_itself(world, vm):
        later(tools_after_s + INSTALL_S, installed)


def _installs_by_itself(world: World, vm: Vm) -> bool:
    if not vm.disks or vm.memory_mb < INSTALLER_NEEDS_MB or vm.cpu_count < 2:
        return False  # the installer stops with an error message on the console
    for drive in vm.cdroms:
        found = [store.iso(drive.iso) for store in world.inventory.datastores.values()]
        iso = next((iso for iso in found if iso), None)
        if drive.start_connected and iso:
            return iso.boots == "esxi" and iso.kickstart
    return False
