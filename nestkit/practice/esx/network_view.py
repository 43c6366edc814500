"""Switches, port groups and physical NICs as the vSphere API shows them.

Field meanings: vSphere Web Services API reference 8.0, data objects ``HostNetworkInfo``,
``HostPortGroup`` (``computedPolicy``: what holds after inheritance) and ``HostVirtualSwitch``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nestkit.practice.esx.api import vim
from nestkit.practice.esx.model import DvSwitch, Host, PortGroup, Security, Switch


def _policy(security: Security) -> Any:
    return vim.host.NetworkPolicy(
        security=vim.host.NetworkPolicy.SecurityPolicy(
            allowPromiscuous=security.promiscuous,
            macChanges=security.mac_changes,
            forgedTransmits=security.forged_transmits,
        )
    )


def effective(group: PortGroup, switch: Switch) -> Security:
    """What holds on a port group: its own settings, else its switch's."""
    own, below = group.security, switch.security
    return Security(
        below.promiscuous if own.promiscuous is None else own.promiscuous,
        below.mac_changes if own.mac_changes is None else own.mac_changes,
        below.forged_transmits if own.forged_transmits is None else own.forged_transmits,
    )


def _switch_key(name: str) -> str:
    return f"key-vim.host.VirtualSwitch-{name}"


def _group_key(name: str) -> str:
    return f"key-vim.host.PortGroup-{name}"


def _nic_key(device: str) -> str:
    return f"key-vim.host.PhysicalNic-{device}"


def virtual_switches(switches: Iterable[Switch], groups: Iterable[PortGroup]) -> list[Any]:
    """``config.network.vswitch``."""
    groups = list(groups)
    return [
        vim.host.VirtualSwitch(
            name=switch.name,
            key=_switch_key(switch.name),
            numPorts=switch.ports,
            numPortsAvailable=switch.ports - 8,
            mtu=switch.mtu,
            portgroup=[_group_key(group.name) for group in groups if group.switch == switch.name],
            pnic=[_nic_key(device) for device in switch.uplinks],
            spec=vim.host.VirtualSwitch.Specification(
                numPorts=switch.ports,
                mtu=switch.mtu,
                policy=_policy(switch.security),
                bridge=vim.host.VirtualSwitch.BondBridge(nicDevice=list(switch.uplinks))
                if switch.uplinks
                else None,
            ),
        )
        for switch in switches
    ]


def port_groups(switches: dict[str, Switch], groups: Iterable[PortGroup]) -> list[Any]:
    """``config.network.portgroup``: own policy in ``spec``, effective in ``computedPolicy``."""
    return [
        vim.host.PortGroup(
            key=_group_key(group.name),
            vswitch=_switch_key(group.switch),
            computedPolicy=_policy(effective(group, switches[group.switch])),
            spec=vim.host.PortGroup.Specification(
                name=group.name,
                vlanId=group.vlan,
                vswitchName=group.switch,
                policy=_policy(group.security),
            ),
        )
        for group in groups
    ]


def _proxy(host: Host, switch: DvSwitch) -> Any:
    """A distributed switch as one of its member hosts has it."""
    uplinks = [nic.device for nic in host.nics][-1:]
    return vim.host.HostProxySwitch(
        dvsUuid=switch.uuid,
        dvsName=switch.name,
        key=f"DvsPortset-{switch.moid}",
        numPorts=2560,
        numPortsAvailable=2500,
        mtu=switch.mtu,
        pnic=[_nic_key(device) for device in uplinks],
        spec=vim.host.HostProxySwitch.Specification(),
    )


def network(host: Host, dv_switches: Iterable[DvSwitch] = ()) -> Any:
    """``config.network`` and ``HostNetworkSystem.networkInfo``."""
    return vim.host.NetworkInfo(
        vswitch=virtual_switches(host.switches.values(), host.port_groups.values()),
        proxySwitch=[_proxy(host, one) for one in dv_switches if host.moid in one.hosts],
        portgroup=port_groups(host.switches, host.port_groups.values()),
        pnic=[
            vim.host.PhysicalNic(
                key=_nic_key(nic.device),
                device=nic.device,
                pci=f"0000:{n + 2:02x}:00.0",
                driver=nic.driver,
                linkSpeed=vim.host.PhysicalNic.LinkSpeedDuplex(speedMb=nic.link_mbps, duplex=True)
                if nic.link_mbps
                else None,
                spec=vim.host.PhysicalNic.Specification(),
                wakeOnLanSupported=True,
                mac=f"00:50:56:00:00:{n:02x}",
            )
            for n, nic in enumerate(host.nics)
        ],
        ipV6Enabled=True,
    )
