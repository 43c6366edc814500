"""Cmdlets for virtual NICs and switches. Behaviour: Microsoft Learn, module Hyper-V."""

from __future__ import annotations

import uuid
from typing import Any, Final

from nestkit.practice.hyperv.arguments import (
    cmdlet,
    find_vms,
    flag,
    given,
    matching,
    source,
    texts,
    word,
)
from nestkit.practice.hyperv.cmdlets_vm import new_nic
from nestkit.practice.hyperv.model import Adapter, Nic, Switch, Vm
from nestkit.practice.hyperv.powershell.wildcard import has_wildcard
from nestkit.practice.hyperv.values import Invocation, PsError, Value
from nestkit.practice.hyperv.views import NIC, SWITCH
from nestkit.practice.hyperv.world import Session

_MAX_NICS: Final = 68  # Microsoft Learn, "Plan for Hyper-V scalability in Windows Server"


# -- NICs of VMs ---------------------------------------------------------------------------------


def _nics(session: Session, inv: Invocation) -> list[tuple[Vm, Nic]]:
    """The NICs a cmdlet was given: objects, or those of VMs, narrowed by -Name."""
    direct = [
        (value.context["vm"], value.source)
        for value in given(inv, "VMNetworkAdapter")
        if source(value, Nic) is not None
    ]
    if direct:
        vms = session.computer.vms
        return [(vm, nic) for vm, nic in direct if vm.id in vms and nic in vm.nics]
    every = session.computer.vms.values()
    chosen = list(every) if flag(inv, "All") else find_vms(session, inv)
    names = texts(inv, "Name")
    found = []
    for vm in chosen:
        hits = [nic for nic in vm.nics if not names or any(matching(n, [nic]) for n in names)]
        for name in names:
            if not has_wildcard(name) and not matching(name, vm.nics):
                what = "network adapter"
                inv.streams.error(
                    session.error("no-part", inv.name, vm=vm.name, what=what, name=name)
                )
        found += [(vm, nic) for nic in hits]
    return found


def _nic_views(session: Session, pairs: list[tuple[Vm, Nic]]) -> list[Value]:
    return [NIC(nic, vm=vm, computer=session.computer) for vm, nic in pairs]


@cmdlet("Get-VMNetworkAdapter", takes="VM VMName All Name")
def get_nic(session: Session, inv: Invocation) -> list[Value]:
    """The NICs of VMs."""
    return _nic_views(session, _nics(session, inv))


@cmdlet(
    "Set-VMNetworkAdapter",
    takes="VMNetworkAdapter VM VMName Name MacAddressSpoofing StaticMacAddress "
    "DynamicMacAddress Passthru",
)
def set_nic(session: Session, inv: Invocation) -> list[Value]:
    """Change NICs; spoofing may change while the VM runs, the address may not."""
    done = []
    for vm, nic in _nics(session, inv):
        mac = inv.bound.get("StaticMacAddress")
        try:
            if vm.state == "Saved":
                raise session.state_error(vm, inv.name, "Modifying device 'Network Adapter'")
            if (mac is not None or flag(inv, "DynamicMacAddress")) and vm.state != "Off":
                raise session.state_error(vm, inv.name, "Modifying device 'Network Adapter'")
            plain = "".join(c for c in str(mac or "") if c not in "-:").upper()
            if mac is not None and (len(plain) != 12 or set(plain) - set("0123456789ABCDEF")):
                why = f"{mac!r} is not a MAC address."
                raise session.error("value", inv.name, why=why)
            if not inv.what_if:
                with session.operation(vm, inv.name, "Modifying device 'Network Adapter'"):
                    if "MacAddressSpoofing" in inv.bound:
                        nic.spoofing = word(inv.bound["MacAddressSpoofing"]).lower() == "on"
                    if mac is not None:
                        nic.mac, nic.dynamic_mac = plain, False
                    nic.dynamic_mac |= flag(inv, "DynamicMacAddress")
            done.append((vm, nic))
        except PsError as error:
            inv.streams.error(error)
    return _nic_views(session, done) if flag(inv, "Passthru") else []


def _switch(session: Session, inv: Invocation, name: str) -> str:
    for switch in session.computer.switches:
        if switch.name.lower() == name.lower():
            return switch.name
    raise session.error("no-switch", inv.name, name=name)


@cmdlet("Add-VMNetworkAdapter", takes="VM VMName Name SwitchName DynamicMacAddress Passthru")
def add_nic(session: Session, inv: Invocation) -> list[Value]:
    """Give VMs another NIC; a generation 1 VM must be off."""
    name = str(inv.bound.get("Name") or "Network Adapter")
    wanted = inv.bound.get("SwitchName")
    switch = _switch(session, inv, str(wanted)) if wanted else ""
    made = []
    for vm in find_vms(session, inv):
        if vm.state != "Off" and (vm.generation == 1 or vm.state == "Saved"):
            inv.streams.error(session.state_error(vm, inv.name, "Adding a network adapter"))
        elif len(vm.nics) >= _MAX_NICS:
            why = f"A virtual machine has at most {_MAX_NICS} network adapters."
            inv.streams.error(session.error("value", inv.name, why=why))
        elif not inv.what_if:
            nic = new_nic(vm.id, len(vm.nics), name, switch)
            vm.nics.append(nic)
            made.append((vm, nic))
    return _nic_views(session, made) if flag(inv, "Passthru") else []


@cmdlet("Remove-VMNetworkAdapter", takes="VMNetworkAdapter VM VMName Name")
def remove_nic(session: Session, inv: Invocation) -> list[Value]:
    """Take NICs away; a generation 1 VM must be off."""
    for vm, nic in _nics(session, inv):
        if vm.state != "Off" and (vm.generation == 1 or vm.state == "Saved"):
            inv.streams.error(session.state_error(vm, inv.name, "Removing a network adapter"))
        elif not inv.what_if:
            vm.nics.remove(nic)
    return []


@cmdlet("Disconnect-VMNetworkAdapter", takes="VMNetworkAdapter VMName Name Passthru")
@cmdlet(
    "Connect-VMNetworkAdapter",
    takes="VMNetworkAdapter VMName Name SwitchName VMSwitch Passthru",
)
def connect_nic(session: Session, inv: Invocation) -> list[Value]:
    """Plug NICs into a switch, or out."""
    switch, chosen = "", _nics(session, inv)
    if inv.name == "Connect-VMNetworkAdapter":
        objects = [source(value, Switch) for value in given(inv, "VMSwitch")]
        name = objects[0].name if objects and objects[0] else str(inv.bound.get("SwitchName", ""))
        switch = _switch(session, inv, name)
    for _, nic in chosen:
        if not inv.what_if:
            nic.switch = switch
    return _nic_views(session, chosen) if flag(inv, "Passthru") else []


# -- switches ------------------------------------------------------------------------------------


@cmdlet("Get-VMSwitch", takes="Name Id SwitchType")
def get_switch(session: Session, inv: Invocation) -> list[Value]:
    """Virtual switches."""
    names, kinds = texts(inv, "Name"), {word(k).lower() for k in given(inv, "SwitchType")}
    ids = {str(value).lower() for value in given(inv, "Id")}
    switches = session.computer.switches
    for name in names:
        if not has_wildcard(name) and not matching(name, switches):
            inv.streams.error(session.error("no-switch", inv.name, name=name))
    return [
        SWITCH(switch, computer=session.computer)
        for switch in switches
        if (not names or any(matching(name, [switch]) for name in names))
        and (not kinds or switch.kind.lower() in kinds)
        and (not ids or str(switch.id) in ids)
    ]


@cmdlet(
    "New-VMSwitch",
    takes="Name SwitchType NetAdapterName NetAdapterInterfaceDescription AllowManagementOS",
)
def new_switch(session: Session, inv: Invocation) -> list[Value]:
    """Make a switch; an internal one brings the host a network adapter of its own."""
    host = session.computer
    name = str(inv.bound["Name"])
    kind: Any = word(inv.bound.get("SwitchType", "External"))
    adapter = ""
    if kind == "External" or "NetAdapterName" in inv.bound:
        kind = "External"
        wanted = texts(inv, "NetAdapterName", "NetAdapterInterfaceDescription")
        found = [a for a in host.adapters if wanted and wanted[0] in (a.name, a.description)]
        if not found:
            why = "An external switch needs the name of a physical network adapter of this host."
            raise session.error("value", inv.name, why=why)
        adapter = found[0].description
        if any(switch.adapter == adapter for switch in host.switches):
            why = f"The adapter {adapter!r} is bound to another switch."
            raise session.error("value", inv.name, why=why)
    if inv.what_if:
        return []
    with session.world.lock:
        manages = kind != "Private" and bool(inv.bound.get("AllowManagementOS", True))
        switch = Switch(uuid.uuid4(), name, kind, adapter, allow_management=manages)
        host.switches.append(switch)
        if manages:
            alias = f"vEthernet ({name})"
            mac = "00155D" + switch.id.hex[:6].upper()
            index = max((a.index for a in host.adapters), default=3) + 1
            description = "Hyper-V Virtual Ethernet Adapter"
            host.adapters.append(Adapter(alias, description, mac, 10**10, index=index))
    return [SWITCH(switch, computer=host)]


@cmdlet("Remove-VMSwitch", takes="VMSwitch Name Force", asks=True)
def remove_switch(session: Session, inv: Invocation) -> list[Value]:
    """Delete switches; NICs that were plugged into them are not connected then."""
    host = session.computer
    chosen = [source(value, Switch) for value in given(inv, "VMSwitch")]
    for name in texts(inv, "Name"):
        hits = matching(name, host.switches)
        if not hits and not has_wildcard(name):
            inv.streams.error(session.error("no-switch", inv.name, name=name))
        chosen += hits
    for switch in chosen:
        if switch is None or switch not in host.switches or inv.what_if:
            continue
        host.switches.remove(switch)
        host.adapters = [a for a in host.adapters if a.name != f"vEthernet ({switch.name})"]
        for vm in host.vms.values():
            for nic in vm.nics:
                nic.switch = "" if nic.switch == switch.name else nic.switch
    return []
