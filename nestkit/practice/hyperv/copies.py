"""VMs like others, and the Windows in them."""

from __future__ import annotations

from dataclasses import replace

from nestkit.practice.hyperv.model import (
    GIB,
    WS2022,
    Adapter,
    Address,
    Computer,
    Disk,
    Guest,
    Nat,
    Switch,
    Vm,
    identity,
)


def make_mac(*parts: object) -> str:
    """A MAC address of Hyper-V's own range, the same for the same parts."""
    return "00155D" + identity(*parts).hex[:6].upper()


def windows_inside(
    vm: Vm, host: Computer, build: int = WS2022, *, role: bool = False, nat: str = ""
) -> Computer:
    """A Windows Server in a VM."""
    inside = Computer(
        name="WIN-" + identity(vm.id, "guest").hex[:11].upper(),
        bios_id=vm.id,
        build=build,
        vendor=host.vendor,
        cpu_model=host.cpu_model,
        sockets=1,
        cores=vm.cpu_count,
        threads=vm.cpu_count,
        memory=vm.startup,
        os_memory=min(2 * GIB, vm.startup // 2),
        manufacturer="Microsoft Corporation",
        model="Virtual Machine",
        disks=[Disk("Msft Virtual Disk", vm.disk_size, "Unspecified", "SAS")],
        adapters=[
            Adapter(
                "Ethernet" if n == 0 else f"Ethernet {n + 1}",
                "Microsoft Hyper-V Network Adapter" + (f" #{n + 1}" if n else ""),
                nic.mac,
                10**10,
                index=n + 4,
            )
            for n, nic in enumerate(vm.nics)
        ],
        has_role=role,
        slat=vm.exposes,
        firmware_virtualization=vm.exposes,
        hypervisor_runs=vm.exposes and role,
        is_guest=True,
    )
    if nat:
        switch = Switch(identity(vm.id, "nat"), "NATSwitch", "Internal")
        inside.switches.append(switch)
        inside.nats.append(Nat("NestedNAT", nat))
        gateway = nat.split("/")[0].rsplit(".", 1)[0] + ".1"
        inside.addresses.append(Address(gateway, 24, f"vEthernet ({switch.name})"))
    return inside


def copy_of(vm: Vm, name: str, salt: object, host: Computer) -> Vm:
    """The same VM once more, with identities of its own."""
    vm_id = identity(vm.id, "copy", salt)
    nics = [
        replace(nic, id=identity(vm_id, "nic", n), mac=make_mac(vm_id, "nic", n))
        for n, nic in enumerate(vm.nics)
    ]
    points = [replace(p, id=identity(vm_id, p.id), parent=None) for p in vm.checkpoints]
    copy = replace(vm, id=vm_id, name=name, nics=nics, checkpoints=points)
    copy.guest = Guest(vm.guest.os, vm.guest.build)
    inside = vm.guest.computer
    if inside is not None:
        nat = inside.nats[0].prefix if inside.nats else ""
        copy.guest.computer = windows_inside(
            copy, host, vm.guest.build, role=inside.has_role, nat=nat
        )
    return copy
