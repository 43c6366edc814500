"""Reconfiguring distributed port groups.

vSphere Web Services API reference 8.0, ``DistributedVirtualPortgroup.ReconfigureDVPortgroup_Task``
and ``DVPortgroupConfigSpec``: ``configVersion`` must be the current one. A policy object that is
given replaces the whole policy: what it leaves out is inherited from the switch, which rejects.
Where a specification holds both policies, ``macManagementPolicy`` decides (API 6.7).
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from nestkit.practice.esx.api import vim, vmodl
from nestkit.practice.esx.dvs_view import Vds
from nestkit.practice.esx.managed import Managed
from nestkit.practice.esx.methods import Context, method
from nestkit.practice.esx.model import DvGroup, MacLearning, Security
from nestkit.practice.esx.rules import bad_argument
from nestkit.practice.esx.tasks import Subject
from nestkit.practice.esx.world import World
from nestkit.practice.tables import printable

_MODELLED: Final = {"configVersion", "name", "defaultPortConfig", "description", "type",
                    "numPorts", "autoExpand", "policy", "backingType"}  # fmt: skip


def _unmodelled(spec: Any, modelled: set[str], where: str) -> None:
    for info in spec._GetPropertyList():
        value = getattr(spec, info.name)
        if value not in (None, []) and info.name not in modelled:
            raise vmodl.fault.NotSupported(
                msg=f"The practice host does not model {where}.{info.name}."
            )


def _flag(policy: Any) -> bool | None:
    return None if policy is None or policy.inherited else bool(policy.value)


def _vlan(given: Any) -> int:
    if isinstance(given, Vds.TrunkVlanSpec):
        return 4095
    if not isinstance(given, Vds.VlanIdSpec) or not 0 <= given.vlanId <= 4094:
        raise bad_argument("spec.defaultPortConfig.vlan")
    return int(given.vlanId)


def _learning(given: Any) -> MacLearning:
    if given is None or given.inherited:
        return MacLearning()
    flooding = given.allowUnicastFlooding
    learning = MacLearning(
        bool(given.enabled),
        True if flooding is None else bool(flooding),
        4096 if given.limit is None else int(given.limit),
        given.limitPolicy or "DROP",
    )
    if not 0 <= learning.limit <= 4096 or learning.limit_policy not in ("DROP", "ALLOW"):
        raise bad_argument("spec.defaultPortConfig.macManagementPolicy.macLearningPolicy")
    return learning


def _policies(group: DvGroup, setting: Any) -> tuple[int, Security, MacLearning]:
    """VLAN, security and MAC learning as they would be."""
    if not isinstance(setting, Vds.VmwarePortConfigPolicy):
        raise bad_argument("spec.defaultPortConfig")
    _unmodelled(setting, {"vlan", "securityPolicy", "macManagementPolicy"}, "defaultPortConfig")
    security, learning = group.security, group.learning
    given = setting.securityPolicy
    if given is not None:
        security = Security(
            _flag(given.allowPromiscuous), _flag(given.macChanges), _flag(given.forgedTransmits)
        )
        if given.inherited:
            security = Security()
    managed = setting.macManagementPolicy
    if managed is not None:
        if not group.switch.learns_macs:
            raise vmodl.fault.NotSupported(
                msg=f"The distributed switch '{group.switch.name}' is of version "
                f"{group.switch.version}; a MAC management policy needs 6.6.0 or later."
            )
        security, learning = Security(), MacLearning()
        if not managed.inherited:
            security = Security(
                managed.allowPromiscuous, managed.macChanges, managed.forgedTransmits
            )
            learning = _learning(managed.macLearningPolicy)
    vlan = group.vlan if setting.vlan is None else _vlan(setting.vlan)
    return vlan, security, learning


def reconfigure(world: World, group: DvGroup, spec: Any) -> None:
    """Check the specification as a whole, then carry it out.

    Raises
    ------
    vmodl.MethodFault
        As vCenter would.
    """
    _unmodelled(spec, _MODELLED, "spec")
    if not spec.configVersion:
        raise bad_argument("spec.configVersion")
    if spec.configVersion != str(group.config_version):
        raise vim.fault.ConcurrentAccess(
            msg="The port group was changed since its configuration version was read."
        )
    name = spec.name or group.name
    taken = {one.name for one in world.inventory.dv_groups.values() if one is not group}
    taken |= {n for host in world.inventory.hosts.values() for n in host.port_groups}
    if not printable(name) or len(name) > 80:
        raise vim.fault.InvalidName(name=name[:80], msg="The name is too long or not printable.")
    if name in taken:
        raise vim.fault.DuplicateName(
            name=name,
            object=vim.dvs.DistributedVirtualPortgroup(group.moid),
            msg=f"The name '{name}' already exists.",
        )
    if spec.defaultPortConfig is not None:
        group.vlan, group.security, group.learning = _policies(group, spec.defaultPortConfig)
    if spec.description is not None:
        group.description = spec.description
    if name != group.name:
        _rename(world, group, name)
    group.config_version += 1


def _rename(world: World, group: DvGroup, name: str) -> None:
    old, group.name = group.name, name
    for host in world.inventory.hosts.values():
        if host.dv_groups.pop(old, None):
            host.dv_groups[name] = group
    for vm in world.inventory.vms.values():
        for nic in vm.nics:
            if nic.network == old:
                nic.network = name


@method("ReconfigureDVPortgroup_Task", privilege="DVPortgroup.Modify")
def _reconfigure(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    world = ctx.service.world
    group = world.inventory.dv_groups[target.moid]
    return ctx.service.tasks.start(
        Subject(target.ref, group.name, group),
        "DistributedVirtualPortgroup.reconfigure",
        "ReconfigureDVPortgroup_Task",
        ctx.user.user,
        partial(reconfigure, world, group, args["spec"]),
        slow=True,
    )
