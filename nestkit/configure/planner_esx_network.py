"""How frames of the VMs inside get through a nested host's own networks. Pure.

Sources: the guide's ESXi procedure, step 4 (promiscuous mode and forged transmits on a standard
switch); DVSMacManagementPolicy in the vSphere Web Services API and W. Lam, Native MAC Learning in
vSphere 6.7 (distributed switch 6.6 or newer: MAC learning, unicast flooding and forged transmits,
promiscuous mode off).
"""

from __future__ import annotations

from typing import Any, Final, get_args

from nestkit.configure.drafting import set_to
from nestkit.configure.goals import refuse
from nestkit.errors import PlanError
from nestkit.facts import Unknown, VmFacts, VmNicFacts
from nestkit.plans import Json, Network, Step, Target

WAYS: Final[tuple[Network, ...]] = ("auto", "mac_learning", "promiscuous", "leave")
LEARNED_ADDRESSES: Final = 4096  # the highest limit there is
_KINDS: Final = {"standard": "port_group", "distributed": "dv_port_group"}
_PROPERTIES: Final = {"port_group": "security", "dv_port_group": "mac_management"}


def check_way(way: object) -> None:
    """Raise PlanError unless it is a way that vSphere has."""
    if way in WAYS:
        return
    whose = ", a way of Hyper-V" if way in get_args(Network) else ""
    words = ", ".join(f'"{word}"' for word in WAYS)
    raise refuse(f"network is {way!r}{whose}", f"use one of {words}")


def nics_of(vm: VmFacts) -> tuple[VmNicFacts, ...]:
    """The VM's adapters, as far as they could be read."""
    return () if isinstance(vm.nics, Unknown) else vm.nics


def places(vm: VmFacts) -> list[tuple[Target, str]]:
    """The port groups the VM's adapters are plugged into, each once, and what to read of them."""
    found = {}
    for nic in nics_of(vm):
        if not isinstance(nic.network_id, str) or not isinstance(nic.switch_kind, str):
            continue
        if nic.switch_kind == "distributed" and isinstance(nic.promiscuous, Unknown):
            continue  # without vCenter its policy is out of reach
        kind = _KINDS[nic.switch_kind]
        found[nic.network_id] = Target(kind=kind, id=nic.network_id, name=str(nic.network))
    return [(target, _PROPERTIES[target.kind]) for target in found.values()]


def steps(vm: VmFacts, way: Network, now: Any) -> list[Step]:
    """The steps for every port group that does not let the frames through.

    Raises
    ------
    PlanError
        The VM is in no network, or MAC learning is asked for where there is none.
    """
    if way == "leave":
        return []
    if not isinstance(vm.nics, Unknown) and not any(
        isinstance(nic.network, str) for nic in vm.nics
    ):
        raise PlanError(
            f"VM {vm.name!r} is plugged into no network",
            remedy='give it a NIC on a port group, or plan with network="leave"',
        )
    if way == "mac_learning":
        _refuse_without_learning(vm)
    found = []
    for target, name in places(vm):
        nic = next(nic for nic in nics_of(vm) if nic.network_id == target.id)
        before = now[target, name]
        if target.kind == "port_group":
            after, why = _standard(nic, before)
        else:
            after, why = _distributed(nic, way, before)
        if after != before:
            found.append(set_to(target, name, before, after, why, off=False))
    return found


def _refuse_without_learning(vm: VmFacts) -> None:
    for nic in nics_of(vm):
        if nic.switch_kind == "standard":
            raise PlanError(
                f"{nic.label} is on the standard switch {nic.switch}, which has no MAC learning",
                remedy='plan with network="promiscuous" (or "auto"), or move the adapter to a '
                "distributed switch of version 6.6 or newer",
            )
        if nic.switch_kind == "distributed" and nic.mac_learning_offered is False:
            raise PlanError(
                f"{nic.label} is on the distributed switch {nic.switch} of version "
                f"{nic.switch_version}: it, or its vCenter, is too old for MAC learning",
                remedy="upgrade vCenter to 6.7 and the switch to 6.6 or newer (which cannot be "
                'taken back), or plan with network="promiscuous"',
            )


def _standard(nic: VmNicFacts, before: dict[str, Any]) -> tuple[dict[str, Json], str]:
    after = dict(before)
    # only what is refused in effect: an inherited "accept" needs no override
    if nic.promiscuous is not True:
        after["promiscuous"] = "accept"
    if nic.forged_transmits is not True:
        after["forged_transmits"] = "accept"
    why = (
        "frames of the VMs inside carry their own MAC addresses: the port group must "
        "deliver them to this VM (promiscuous mode) and let them out (forged transmits)"
    )
    return after, why


def _distributed(
    nic: VmNicFacts, way: Network, before: dict[str, Any]
) -> tuple[dict[str, Json], str]:
    after = dict(before)
    learning = way == "mac_learning" or (way == "auto" and nic.mac_learning_offered is True)
    delivers = before["mac_learning"] or (before["promiscuous"] and way != "mac_learning")
    if learning and not delivers:
        after |= {
            "mac_learning": True,
            "unicast_flooding": True,
            "limit": LEARNED_ADDRESSES,
            "limit_policy": "DROP",
            "promiscuous": False,
        }
    elif not delivers or (way == "promiscuous" and not before["promiscuous"]):
        after["promiscuous"] = True
    if not before["forged_transmits"]:
        after["forged_transmits"] = True
    if after != before:
        after["inherited"] = False
    why = (
        "the switch learns the MAC addresses of the VMs inside, and lets their frames out "
        "(forged transmits); promiscuous mode is not needed then"
        if learning
        else "without MAC learning, frames for the VMs inside reach this one only in promiscuous "
        "mode, and leave it only with forged transmits"
    )
    return after, why


def notes(vm: VmFacts, way: Network) -> list[str]:
    """What is left alone."""
    if way == "leave":
        return []
    found = []
    for nic in nics_of(vm):
        if nic.switch_kind == "distributed" and isinstance(nic.promiscuous, Unknown):
            found.append(
                f"{nic.label} is on a distributed switch and is left: {nic.promiscuous.reason}; "
                "connect to the vCenter (vpx://), where MAC learning is the better way"
            )
        elif isinstance(nic.switch_kind, Unknown):
            found.append(f"{nic.label} is left: its switch could not be read")
    return found
