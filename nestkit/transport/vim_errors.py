"""vSphere's faults, as errors that say what to do next."""

from __future__ import annotations

from typing import Any, Final

from nestkit.errors import (
    ConnectionFailed,
    ConsentNeeded,
    CredentialsError,
    HostRefused,
    NestkitError,
    NotFound,
    PermissionRefused,
    SessionExpired,
)

NO_TOOLS: Final = (
    "shut the guest down from inside, or install or start VMware Tools, or allow pulling the "
    "plug (hard_power_off=True, --hard-power-off)"
)
# fault name → kind of error, remedy. The fault's own text goes into the message.
_KNOWN: Final[dict[str, tuple[type[NestkitError], str]]] = {
    "InvalidLogin": (
        CredentialsError,
        "check the user and the password; ESXi locks an account for 15 minutes after "
        "five wrong ones",
    ),
    "NotAuthenticated": (SessionExpired, "connect again"),
    "RestrictedVersion": (
        PermissionRefused,
        "the free ESXi license allows reading only: assign an evaluation or paid one",
    ),
    "HostAccessRestrictedToManagementServer": (
        PermissionRefused,
        "the host is in lockdown mode: end it, or connect to its vCenter",
    ),
    "ManagedObjectNotFound": (NotFound, "it was deleted meanwhile: read the host again"),
    "InvalidPowerState": (HostRefused, "look at the VM's power state, and make a new plan"),
    "ToolsUnavailable": (ConsentNeeded, NO_TOOLS),
    "GuestOperationsUnavailable": (
        HostRefused,
        "VMware Tools must run in the guest: start them, or wait until the guest has started",
    ),
    "InvalidGuestLogin": (
        CredentialsError,
        "give the user and the password of the guest, not those of the host",
    ),
    "ConcurrentAccess": (
        HostRefused,
        "somebody changed the VM at the same moment: make sure who works on it, then go on",
    ),
    "TaskInProgress": (HostRefused, "another task works on the VM: wait for it, then go on"),
    "InsufficientMemoryResourcesFault": (
        HostRefused,
        "power off other VMs or lower their reservations, or ask for less memory",
    ),
    "InsufficientCpuResourcesFault": (HostRefused, "ask for fewer CPUs or free some"),
    "InsufficientResourcesFault": (HostRefused, "free CPU or memory on the host"),
    "MethodNotFound": (
        HostRefused,
        "the host's API does not have this: nestkit needs a vSphere API of 6.5 or newer",
    ),
    "InvalidProperty": (
        HostRefused,
        "the host's API does not have this: nestkit needs a vSphere API of 6.5 or newer",
    ),
    "DuplicateName": (HostRefused, "choose another name, or look who has this one"),
    "FileNotFound": (NotFound, "look for it with the datastore browser; capitals count"),
    "NoDiskSpace": (HostRefused, "free some space on the datastore, or use another one"),
    "InsufficientStorageSpace": (HostRefused, "free some space on the datastore, or use another"),
    "InvalidDatastore": (HostRefused, "use a datastore that the host sees and that is accessible"),
    "InvalidHostState": (HostRefused, "look whether the host is connected and in no maintenance"),
    "HostNotConnected": (HostRefused, "bring the host back (Connection > Connect), then go on"),
    "NotSupported": (HostRefused, "this host or VM does not support it: look at its version"),
}


def translate(error: Any, doing: str) -> NestkitError:
    """The nestkit error for a vSphere fault.

    Parameters
    ----------
    error
        A ``vmodl.MethodFault``; taken as anything, so that this module needs no pyVmomi.
    doing
        What was tried, to what: the beginning of the message.
    """
    name = _name(error)
    text = said(error)
    for kind in type(error).__mro__:  # the most special fault that is known
        known = _KNOWN.get(kind.__name__.rpartition(".")[2])
        if known is not None:
            return known[0](f"{doing}: {text}", remedy=known[1])
        if kind.__name__.rpartition(".")[2] == "NoPermission":
            privilege = getattr(error, "privilegeId", None)
            needed = f" (it takes the privilege {privilege})" if privilege else ""
            return PermissionRefused(
                f"{doing}: the user may not do this{needed}",
                remedy="connect as a user with that privilege, or have it granted",
            )
    return HostRefused(
        f"{doing}: {text}", remedy=f"look up {name} in the host's events, settle it, then go on"
    )


def said(error: Any) -> str:
    """A fault in words: its message and its name."""
    name = _name(error)
    message = str(getattr(error, "msg", None) or "").strip()
    details = getattr(error, "faultMessage", None) or []
    extra = "; ".join(str(d.message) for d in details if getattr(d, "message", None))
    words = "; ".join(part for part in (message, extra) if part)
    return f"{words} ({name})" if words else name


def dropped(place: str, why: str, *, write: bool) -> ConnectionFailed:
    """A connection that ended in the middle of a call."""
    if write:
        return ConnectionFailed(
            f"the connection to {place} was lost while something was being changed ({why}); "
            "it may have been done or not",
            remedy="connect again: `nestkit resume URL JOURNAL` looks what was done and goes on",
        )
    return ConnectionFailed(
        f"the connection to {place} was lost twice ({why})",
        remedy="check the network and the host, then connect again",
    )


def _name(error: Any) -> str:
    return type(error).__name__.rpartition(".")[2]
