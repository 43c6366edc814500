"""Changes of port groups and switches.

vSphere Web Services API reference 8.0, ``HostNetworkSystem``: a port group's specification is
replaced as a whole, and a policy field that is left out there is inherited from the switch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nestkit.practice.esx.api import vim
from nestkit.practice.esx.model import Host, PortGroup, Security
from nestkit.practice.esx.rules import bad_argument
from nestkit.practice.esx.tree_networks import add_network
from nestkit.practice.esx.world import World
from nestkit.practice.tables import printable


def _security(policy: Any) -> Security:
    given = policy.security if policy is not None else None
    if given is None:
        return Security()
    return Security(given.allowPromiscuous, given.macChanges, given.forgedTransmits)


def update_port_group(world: World, host: Host, name: str, spec: Any) -> None:
    """``UpdatePortGroup``."""
    group = host.port_groups.get(name)
    if group is None:
        raise vim.fault.NotFound(msg=f"There is no port group '{name}'.")
    if spec.vswitchName not in host.switches:
        raise vim.fault.NotFound(msg=f"There is no switch '{spec.vswitchName}'.")
    if not 0 <= spec.vlanId <= 4095:
        raise bad_argument("portgrp.vlanId")
    if not spec.name or not printable(spec.name):
        raise bad_argument("portgrp.name")
    if spec.name != name and spec.name in host.port_groups:
        raise vim.fault.AlreadyExists(name=spec.name)
    moid = group.moid if spec.name == name else f"HaNetwork-{spec.name}"
    changed = PortGroup(spec.name, spec.vswitchName, spec.vlanId, _security(spec.policy), moid)
    groups = {
        changed.name if key == name else key: changed if key == name else value
        for key, value in host.port_groups.items()
    }
    host.port_groups.clear()
    host.port_groups.update(groups)
    if spec.name != name:
        if not world.layout.is_vcenter:
            world.objects.pop(group.moid, None)
        add_network(world, moid, spec.name)
        for vm in world.inventory.vms.values():
            for nic in vm.nics:
                if vm.host is host and nic.network == name:
                    nic.network = spec.name
    world.note_change()


def update_switch(world: World, host: Host, name: str, spec: Any) -> None:
    """``UpdateVirtualSwitch``; a switch has nothing to inherit from, so it keeps what is unset."""
    switch = host.switches.get(name)
    if switch is None:
        raise vim.fault.NotFound(msg=f"There is no switch '{name}'.")
    uplinks = switch.uplinks
    if spec.bridge is not None:
        uplinks = tuple(getattr(spec.bridge, "nicDevice", ()))
        known = {nic.device for nic in host.nics}
        if not set(uplinks) <= known:
            raise vim.fault.NotFound(msg="A physical NIC of the bridge is not there.")
    given, kept = _security(spec.policy), switch.security
    host.switches[name] = replace(
        switch,
        uplinks=uplinks,
        mtu=spec.mtu or switch.mtu,
        ports=spec.numPorts or switch.ports,
        security=Security(
            kept.promiscuous if given.promiscuous is None else given.promiscuous,
            kept.mac_changes if given.mac_changes is None else given.mac_changes,
            kept.forged_transmits if given.forged_transmits is None else given.forged_transmits,
        ),
    )
    world.note_change()
