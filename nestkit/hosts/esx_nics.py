"""A VM's network adapters, with the policy that is in effect on the network of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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


MAC_LEARNING_SINCE: Final = (6, 6)  # version of the distributed switch


@dataclass(frozen=True, slots=True)
class Networks:
    """A host's standard port groups by name, and the distributed port groups by key.

    ``switches`` names the host's distributed switches by UUID: all that a host itself knows.
    """

    groups: Fact[Mapping[str, Any]]
    switches: Mapping[str, str]
    distributed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    prefix: str = ""  # before a standard port group's key, where several hosts have the same

    @classmethod
    def of(
        cls, host: Row, distributed: Mapping[str, Mapping[str, Any]] | None = None, prefix: str = ""
    ) -> Networks:
        """From the host's properties, and what a vCenter told of its distributed port groups."""
        groups = host.fact("config.network.portgroup")
        proxies = host.get("config.network.proxySwitch", None)
        return cls(
            groups if isinstance(groups, Unknown) else {g.spec.name: g for g in groups},
            {}
            if proxies is None or isinstance(proxies, Unknown)
            else {p.dvsUuid: p.dvsName for p in proxies},
            distributed or {},
            prefix,
        )

    def standard(self, name: str) -> dict[str, Any]:
        """The fields of a NIC that come from the standard port group of that name."""
        if isinstance(self.groups, Unknown):
            return {"network": name, **dict.fromkeys(_POLICY, self.groups)}
        group = self.groups.get(name)
        if group is None:
            reason = Unknown(f"the host has no port group {name!r}")
            return dict.fromkeys(("network", *_POLICY), reason)
        policy = group.computedPolicy.security
        return {
            "network": name,
            "network_id": self.prefix + str(group.key or name),
            "switch": str(group.spec.vswitchName),
            "switch_kind": "standard",
            "promiscuous": bool(policy.allowPromiscuous),
            "forged_transmits": bool(policy.forgedTransmits),
            "mac_changes": bool(policy.macChanges),
            "mac_learning": Unknown("a standard switch has no MAC learning"),
        }

    def by_key(self, key: str, switch: str = "") -> dict[str, Any]:
        """The fields of a NIC that come from the distributed port group with that key."""
        if key in self.distributed:
            return dict(self.distributed[key])
        needs = Unknown("a distributed port group's policy is read from vCenter")
        return {
            "network": key,
            "network_id": key,
            "switch": self.switches.get(switch, switch),
            "switch_kind": "distributed",
            **dict.fromkeys(("promiscuous", "forged_transmits", "mac_changes"), needs),
            "mac_learning": needs,
        }


def distributed(groups: list[Row], switches: list[Row]) -> dict[str, dict[str, Any]]:
    """What each distributed port group says of a NIC in it, by its key."""
    known = {row.ref._moId: row for row in switches}
    found = {}
    for row in groups:
        key = str(row.get("key", row.ref._moId))
        owner = row.fact("config.distributedVirtualSwitch")
        switch = None if isinstance(owner, Unknown) else known.get(owner._moId)
        found[key] = {"network": str(row.fact("name")), "network_id": key} | _switch(switch)
        found[key] |= _policies(row)
    return found


def _switch(row: Row | None) -> dict[str, Any]:
    if row is None:
        reason = Unknown("its distributed switch cannot be read")
        return {"switch": reason, "switch_kind": "distributed", "mac_learning_offered": reason}
    version = row.fact("summary.productInfo.version")
    numbers = [] if isinstance(version, Unknown) else re.findall(r"\d+", str(version))[:2]
    return {
        "switch": str(row.fact("name")),
        "switch_kind": "distributed",
        "switch_version": version,
        "mac_learning_offered": tuple(map(int, numbers)) >= MAC_LEARNING_SINCE
        if numbers
        else Unknown("the switch does not tell its version"),
    }


def _policies(row: Row) -> dict[str, Any]:
    """MAC management, from API 6.7 on, takes precedence over the older security policy."""
    setting = row.fact("config.defaultPortConfig")
    if isinstance(setting, Unknown):
        return dict.fromkeys(("promiscuous", "forged_transmits", "mac_changes"), setting) | {
            "mac_learning": setting
        }
    newer, older = getattr(setting, "macManagementPolicy", None), setting.securityPolicy
    learning = getattr(newer, "macLearningPolicy", None)

    def flag(name: str) -> Fact[bool]:
        values = [getattr(policy, name, None) for policy in (newer, older)]
        plain = [getattr(value, "value", value) for value in values]  # the older wraps its flags
        said = [value for value in plain if value is not None]
        return bool(said[0]) if said else Unknown("the port group does not tell")

    offered = {} if newer is not None else {"mac_learning_offered": False}  # API before 6.7
    return offered | {
        "promiscuous": flag("allowPromiscuous"),
        "forged_transmits": flag("forgedTransmits"),
        "mac_changes": flag("macChanges"),
        "mac_learning": bool(learning is not None and learning.enabled),
    }


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
        return networks.by_key(str(backing.port.portgroupKey), str(backing.port.switchUuid))
    if kind != "NetworkBackingInfo":
        reason = Unknown(f"its backing is of the kind {kind}")
        return dict.fromkeys(("network", "network_id", "switch", "switch_kind"), reason)
    return networks.standard(str(backing.deviceName))


_POLICY: Final = (
    "network_id", "switch", "switch_kind", "promiscuous", "forged_transmits", "mac_changes",
)  # fmt: skip
