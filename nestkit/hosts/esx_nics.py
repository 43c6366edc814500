"""A VM's network adapters, with the policy that is in effect on the network of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nestkit.facts import Fact, Unknown, VmNicFacts
from nestkit.transport.vim import Row

_MODELS: Final = {  # class name → model, and what the model tells its guest its speed is
    "VirtualVmxnet3": ("vmxnet3", 10_000),
    "VirtualVmxnet3Vrdma": ("vmxnet3vrdma", 10_000),
    "VirtualVmxnet2": ("vmxnet2", 1_000),
    "VirtualE1000e": ("e1000e", 1_000),
    "VirtualE1000": ("e1000", 1_000),
    "VirtualPCNet32": ("pcnet32", 10),
    "VirtualSriovEthernetCard": ("sriov", 0),
}


@dataclass(frozen=True, slots=True)
class Networks:
    """The host's standard port groups by name, and its distributed switches by UUID."""

    groups: Fact[Mapping[str, Any]]
    switches: Mapping[str, str]

    @classmethod
    def of(cls, host: Row) -> Networks:
        """From the host's properties."""
        groups = host.fact("config.network.portgroup")
        proxies = host.get("config.network.proxySwitch", None)
        return cls(
            groups if isinstance(groups, Unknown) else {g.spec.name: g for g in groups},
            {}
            if proxies is None or isinstance(proxies, Unknown)
            else {p.dvsUuid: p.dvsName for p in proxies},
        )


def nics_of(devices: Any, networks: Networks) -> tuple[VmNicFacts, ...]:
    """Facts of every virtual network adapter among a VM's devices."""
    found = []
    for device in devices:
        name = type(device).__name__.rpartition(".")[2]
        if not hasattr(device, "macAddress"):
            continue
        model, speed = _MODELS.get(name, (name, 0))
        found.append(
            VmNicFacts(
                label=str(device.deviceInfo.label),
                key=str(device.key),
                model=model,
                link_mbps=speed or Unknown(f"a {model} adapter passes the hardware's speed on"),
                mac=str(device.macAddress) if device.macAddress else Unknown("none yet"),
                **_plugged(device.backing, networks),
            )
        )
    return tuple(found)


def _plugged(backing: Any, networks: Networks) -> dict[str, Any]:
    kind = type(backing).__name__.rpartition(".")[2]
    if kind == "DistributedVirtualPortBackingInfo":
        key, switch = str(backing.port.portgroupKey), str(backing.port.switchUuid)
        needs = Unknown("a distributed port group's policy is read from vCenter")
        return {
            "network": key,
            "network_id": key,
            "switch": networks.switches.get(switch, switch),
            "switch_kind": "distributed",
            "promiscuous": needs,
            "forged_transmits": needs,
            "mac_changes": needs,
            "mac_learning": needs,
        }
    if kind != "NetworkBackingInfo":
        reason = Unknown(f"its backing is of the kind {kind}")
        return dict.fromkeys(("network", "network_id", "switch", "switch_kind"), reason)
    name = str(backing.deviceName)
    if isinstance(networks.groups, Unknown):
        return {"network": name, **dict.fromkeys(_POLICY, networks.groups)}
    group = networks.groups.get(name)
    if group is None:
        reason = Unknown(f"the host has no port group {name!r}")
        return dict.fromkeys(("network", *_POLICY), reason)
    policy = group.computedPolicy.security
    return {
        "network": name,
        "network_id": str(group.key or name),
        "switch": str(group.spec.vswitchName),
        "switch_kind": "standard",
        "promiscuous": bool(policy.allowPromiscuous),
        "forged_transmits": bool(policy.forgedTransmits),
        "mac_changes": bool(policy.macChanges),
        "mac_learning": Unknown("a standard switch has no MAC learning"),
    }


_POLICY: Final = (
    "network_id", "switch", "switch_kind", "promiscuous", "forged_transmits", "mac_changes",
)  # fmt: skip
