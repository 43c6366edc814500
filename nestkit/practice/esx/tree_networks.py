"""Port groups and distributed switches in the inventory tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestkit.practice.esx import dvs_view
from nestkit.practice.esx.api import vim
from nestkit.practice.esx.managed import REFS, entity
from nestkit.practice.esx.model import DvGroup, DvSwitch

if TYPE_CHECKING:
    from nestkit.practice.esx.world import World


def networks(world: World) -> Any:
    """All but the switches, which share the folder."""
    refs = world.refs(world.children(world.layout.network_folder))
    return REFS(ref for ref in refs if isinstance(ref, vim.Network))


def _vms_on(world: World, name: str) -> Any:
    vms = world.inventory.vms.values()
    return world.refs([vm.moid for vm in vms if any(nic.network == name for nic in vm.nics)])


def add_network(world: World, moid: str, name: str) -> None:
    """The Network object that stands for the standard port groups of this name."""
    hosts = world.inventory.hosts.values()
    entity(
        world,
        vim.Network,
        moid,
        name,
        vim.Folder(world.layout.network_folder),
        summary=lambda: vim.Network.Summary(
            network=vim.Network(moid), name=name, accessible=True, ipPoolName=""
        ),
        host=lambda: world.refs([host.moid for host in hosts if name in host.port_groups]),
        vm=lambda: _vms_on(world, name),
    )


def add_dv_switch(world: World, switch: DvSwitch) -> None:
    """A distributed switch."""
    inventory = world.inventory
    groups = [group for group in inventory.dv_groups.values() if group.switch is switch]
    entity(
        world,
        vim.dvs.VmwareDistributedVirtualSwitch,
        switch.moid,
        switch.name,
        vim.Folder(world.layout.network_folder),
        uuid=lambda: switch.uuid,
        capability=lambda: dvs_view.capability(switch),
        summary=lambda: dvs_view.summary(switch, groups),
        config=lambda: dvs_view.config(switch, groups),
        portgroup=lambda: world.refs([group.moid for group in groups]),
    )


def add_dv_group(world: World, group: DvGroup) -> None:
    """A port group of a distributed switch."""
    entity(
        world,
        vim.dvs.DistributedVirtualPortgroup,
        group.moid,
        group.name,
        vim.Folder(world.layout.network_folder),
        key=lambda: group.moid,
        config=lambda: dvs_view.group_config(group),
        summary=lambda: vim.Network.Summary(
            network=vim.dvs.DistributedVirtualPortgroup(group.moid),
            name=group.name,
            accessible=True,
            ipPoolName="",
        ),
        host=lambda: world.refs(list(group.switch.hosts)),
        vm=lambda: _vms_on(world, group.name),
    )
