"""A distributed port group's MAC management: read, modify, write.

From switch version 6.6 (vSphere 6.7) on it is ``macManagementPolicy``; an older switch has only
the three flags of ``securityPolicy``. A reconfigure replaces the whole port setting, so what was
read is written back with the change in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from nestkit.errors import NotFound, PermissionRefused
from nestkit.facts import Unknown
from nestkit.plans import Json, Step, Target
from nestkit.transport.vim import Row, VimSession, load

LIMIT: Final = 4096  # addresses a port learns: the highest there is
_FLAGS: Final = {
    "promiscuous": "allowPromiscuous",
    "forged_transmits": "forgedTransmits",
    "mac_changes": "macChanges",
}
_PATHS: Final = ("config.configVersion", "config.defaultPortConfig")


def _row(session: VimSession, target: Target) -> Row:
    kind = load().vim.dvs.DistributedVirtualPortgroup
    rows = session.retrieve(kind, _PATHS, [kind(target.id, session.stub)])
    if not rows:
        raise NotFound(
            f"there is no distributed port group {target.name!r} any more",
            remedy="it was removed: look at the VM's network, make a new plan",
        )
    setting = rows[0].fact("config.defaultPortConfig")
    if isinstance(setting, Unknown):
        raise PermissionRefused(
            f"distributed port group {target.name!r} cannot be read: {setting.reason}",
            remedy="connect as a user who may read distributed switches",
        )
    return rows[0]


def mac_management(session: VimSession, target: Target) -> dict[str, Json]:
    """The port group's settings; "inherited" where they are the switch's own."""
    setting = _row(session, target).fact("config.defaultPortConfig")
    policy = getattr(setting, "macManagementPolicy", None)
    learning = getattr(policy, "macLearningPolicy", None)
    older = setting.securityPolicy
    source = policy if policy is not None else older
    flags = {name: _flag(getattr(source, field, None)) for name, field in _FLAGS.items()}
    return flags | {
        "mac_learning": bool(learning is not None and learning.enabled),
        "unicast_flooding": bool(learning is not None and learning.allowUnicastFlooding),
        "limit": int(getattr(learning, "limit", None) or 0),
        "limit_policy": str(getattr(learning, "limitPolicy", None) or ""),
        "inherited": bool(source is None or source.inherited),
    }


def _flag(value: Any) -> bool:
    return bool(getattr(value, "value", value))  # the older policy wraps its flags


def set_mac_management(
    session: VimSession, step: Step, deadline_s: float, on_task: Callable[[str], None]
) -> None:
    """Write the settings; all else of the port setting stays as read."""
    vim = load().vim
    row = _row(session, step.target)
    setting = row.fact("config.defaultPortConfig")
    if getattr(setting, "macManagementPolicy", None) is not None:
        _modify(setting.macManagementPolicy, step.after)
    else:
        _modify_older(setting, step.after)
    spec = vim.dvs.DistributedVirtualPortgroup.ConfigSpec(
        configVersion=str(row.fact("config.configVersion")), defaultPortConfig=setting
    )
    group = vim.dvs.DistributedVirtualPortgroup(step.target.id, session.stub)
    doing = f"setting MAC management of distributed port group {step.target.name!r}"
    task = session.call(lambda: group.ReconfigureDVPortgroup_Task(spec), doing, write=True)
    on_task(task._moId)
    session.wait(task, deadline_s, doing)


def _modify(policy: Any, after: dict[str, Any]) -> None:
    kind = load().vim.dvs.VmwareDistributedVirtualSwitch.MacLearningPolicy
    policy.inherited = after["inherited"]
    for name, field in _FLAGS.items():
        setattr(policy, field, after[name])
    if policy.macLearningPolicy is None:
        policy.macLearningPolicy = kind(inherited=False, enabled=False)
    learning = policy.macLearningPolicy
    learning.inherited = after["inherited"]
    learning.enabled = after["mac_learning"]
    learning.allowUnicastFlooding = after["unicast_flooding"]
    learning.limit = after["limit"] or None
    learning.limitPolicy = after["limit_policy"] or None


def _modify_older(setting: Any, after: dict[str, Any]) -> None:
    vim = load().vim
    if setting.securityPolicy is None:
        setting.securityPolicy = vim.dvs.VmwareDistributedVirtualSwitch.SecurityPolicy()
    setting.securityPolicy.inherited = after["inherited"]
    for name, field in _FLAGS.items():
        flag = vim.BoolPolicy(inherited=after["inherited"], value=after[name])
        setattr(setting.securityPolicy, field, flag)
