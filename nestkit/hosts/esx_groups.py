"""A standard port group's security. Its update replaces the whole policy: read, modify, write."""

from __future__ import annotations

from typing import Any, Final

from nestkit.errors import NotFound, PermissionRefused, PlanError
from nestkit.facts import Unknown
from nestkit.plans import Step, Target
from nestkit.transport.vim import VimSession, load

_SECURITY: Final = {
    "promiscuous": "allowPromiscuous",
    "forged_transmits": "forgedTransmits",
    "mac_changes": "macChanges",
}
_WORDS: Final = {None: "inherit", True: "accept", False: "reject"}
_FLAGS: Final = {word: flag for flag, word in _WORDS.items()}


def port_group(session: VimSession, host: Any, target: Target) -> Any:
    """The standard port group with the target's key.

    Raises
    ------
    NotFound
        It was removed or renamed.
    """
    (row,) = session.retrieve(load().vim.HostSystem, ("config.network.portgroup",), [host])
    groups = row.fact("config.network.portgroup")
    if isinstance(groups, Unknown):
        raise PermissionRefused(
            f"port group {target.name!r} cannot be read: {groups.reason}",
            remedy="connect as a user who may read the host's network settings",
        )
    for group in groups:
        if target.id in (group.key, group.spec.name):
            return group
    raise NotFound(
        f"there is no port group {target.name!r} on the host any more",
        remedy="it was removed or renamed: look at the VM's network, make a new plan",
    )


def security(group: Any) -> dict[str, str]:
    """A port group's own settings, each "accept", "reject" or "inherit" (from its switch)."""
    own = group.spec.policy.security if group.spec.policy else None
    return {
        name: _WORDS[None if own is None else getattr(own, field)]
        for name, field in _SECURITY.items()
    }


def set_security(session: VimSession, host: Any, step: Step) -> None:
    """Write a port group's settings; everything else of its policy stays as read."""
    vim = load().vim
    words = [step.after[name] for name in _SECURITY]
    if not all(isinstance(word, str) and word in _FLAGS for word in words):
        raise PlanError(
            f"a port group's security cannot be {words}",
            remedy=f"make a new plan; each setting is one of {', '.join(_FLAGS)}",
        )
    doing = f"setting security of port group {step.target.name!r}"
    spec = port_group(session, host, step.target).spec
    if spec.policy is None:
        spec.policy = vim.host.NetworkPolicy()
    if spec.policy.security is None:
        spec.policy.security = vim.host.NetworkPolicy.SecurityPolicy()
    for name, field in _SECURITY.items():
        setattr(spec.policy.security, field, _FLAGS[step.after[name]])
    (row,) = session.retrieve(vim.HostSystem, ("configManager.networkSystem",), [host])
    network = row.fact("configManager.networkSystem")
    session.call(lambda: network.UpdatePortGroup(spec.name, spec), doing, write=True)
