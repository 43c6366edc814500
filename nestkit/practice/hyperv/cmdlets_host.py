"""Cmdlets about the computer itself: host, features, restart, disks, boot configuration.

Behaviour: Microsoft Learn, modules Hyper-V, ServerManager and Storage; command bcdedit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from nestkit.practice.hyperv.arguments import cmdlet, flag, texts
from nestkit.practice.hyperv.cim import physical_disks
from nestkit.practice.hyperv.model import Computer
from nestkit.practice.hyperv.objects import enum, record
from nestkit.practice.hyperv.powershell.wildcard import has_wildcard, matches
from nestkit.practice.hyperv.values import Invocation, PropertyObject, PsError, Value
from nestkit.practice.hyperv.views import VERSION, VM_HOST
from nestkit.practice.hyperv.world import Session

_NS: Final = "Microsoft.Windows.ServerManager.Commands."
_install_state = enum(_NS + "InstallState", {"Available": 0, "Installed": 1, "InstallPending": 2})
_restart_state = enum(_NS + "RestartState", {"No": 0, "Yes": 1, "Maybe": 2})
_exit_code = enum(
    _NS + "FeatureOperationExitCode",
    {"Success": 0, "SuccessRestartRequired": 3010, "NoChangeNeeded": 1003},
)
_ROLE: Final = "Hyper-V"
_TOOLS: Final = ("RSAT-Hyper-V-Tools", "Hyper-V-Tools", "Hyper-V-PowerShell")
_FEATURES: Final = {
    _ROLE: "Hyper-V",
    "RSAT-Hyper-V-Tools": "Hyper-V Management Tools",
    "Hyper-V-Tools": "Hyper-V GUI Management Tools",
    "Hyper-V-PowerShell": "Hyper-V Module for Windows PowerShell",
    "Failover-Clustering": "Failover Clustering",
    "Containers": "Containers",
}


@cmdlet("Get-VMHost")
def get_host(session: Session, inv: Invocation) -> list[Value]:
    """The host as Hyper-V sees it."""
    del inv
    return [VM_HOST(session.computer, computer=session.computer)]


@cmdlet("Get-VMHostSupportedVersion", takes="Default")
def get_versions(session: Session, inv: Invocation) -> list[Value]:
    """The configuration versions VMs may have here."""
    versions = session.computer.versions
    chosen = versions[-1:] if flag(inv, "Default") else versions
    return [VERSION(version, computer=session.computer) for version in chosen]


# -- features ------------------------------------------------------------------------------------


def _state(computer: Computer, name: str) -> str:
    if name == _ROLE:
        if computer.role_pending:
            return "InstallPending"
        return "Installed" if computer.has_role else "Available"
    has_tools = name in _TOOLS and computer.has_role and not computer.is_guest
    return "Installed" if has_tools or name in computer.features else "Available"


def _feature(computer: Computer, name: str) -> PropertyObject:
    state = _state(computer, name)
    return record(
        _NS + "Feature",
        {
            "Name": name,
            "DisplayName": _FEATURES[name],
            "Installed": state == "Installed",
            "InstallState": _install_state(state),
            "FeatureType": "Role" if name == _ROLE else "Feature",
        },
    )


def _chosen(inv: Invocation) -> list[str]:
    found: list[str] = []
    for wanted in texts(inv, "Name") or ["*"]:
        hits = [name for name in _FEATURES if matches(wanted, name)]
        if not hits and not has_wildcard(wanted):
            raise PsError(
                f"ArgumentNotValid: The role, role service, or feature name is not valid: "
                f"'{wanted}'. The practice host does not know it.",
                error_id="NameDoesNotExist,Microsoft.Windows.ServerManager.Commands."
                + inv.name.replace("-", ""),
                category="InvalidArgument",
                target=wanted,
            )
        found += hits
    return found


@cmdlet("Get-WindowsFeature", takes="Name", is_hyperv=False)
def get_feature(session: Session, inv: Invocation) -> list[Value]:
    """Roles and features, and whether they are installed."""
    return [_feature(session.computer, name) for name in _chosen(inv)]


def _result(code: str, restart: str, changed: list[PropertyObject]) -> PropertyObject:
    return record(
        _NS + "FeatureOperationResult",
        {
            "Success": True,
            "RestartNeeded": _restart_state(restart),
            "ExitCode": _exit_code(code),
            "FeatureResult": changed,
        },
    )


@cmdlet(
    "Install-WindowsFeature",
    takes="Name IncludeAllSubFeature IncludeManagementTools Restart",
    is_hyperv=False,
)
def install_feature(session: Session, inv: Invocation) -> list[Value]:
    """Install roles and features; the Hyper-V role needs a restart, and -Restart does it.

    Raises
    ------
    PsError
        The processor has nothing to virtualize with: in a VM, the extensions are not exposed.
    """
    computer, names = session.computer, _chosen(inv)
    if _ROLE in names and not computer.has_role and not computer.firmware_virtualization:
        raise PsError(
            "A prerequisite check for the Hyper-V feature failed. Hyper-V cannot be installed: "
            "The processor does not have required virtualization capabilities.",
            error_id="Prerequisite_Check_Failed,Microsoft.Windows.ServerManager.Commands."
            "AddWindowsFeatureCommand",
            category="InvalidOperation",
            target=_ROLE,
        )
    if flag(inv, "IncludeManagementTools") and _ROLE in names:
        names = [*names, *_TOOLS]
    fresh = [name for name in names if _state(computer, name) == "Available"]
    if inv.what_if:
        return [_result("Success", "Maybe" if fresh else "No", [])]
    needs_restart = _ROLE in fresh or (_ROLE in names and computer.role_pending)
    for name in fresh:
        if name == _ROLE:
            computer.has_role = computer.role_pending = True
        else:
            computer.features.add(name)
    changed = [_feature(computer, name) for name in fresh]
    if needs_restart and flag(inv, "Restart"):
        session.restart()
        return [_result("SuccessRestartRequired", "Yes", changed)]
    if needs_restart:
        inv.streams.warning("You must restart this server to finish the installation process.")
        return [_result("SuccessRestartRequired", "Yes", changed)]
    return [_result("Success" if fresh else "NoChangeNeeded", "No", changed)]


@cmdlet("Restart-Computer", takes="Force", is_hyperv=False)
def restart_computer(session: Session, inv: Invocation) -> list[Value]:
    """Restart the computer the script runs on."""
    if not inv.what_if:
        session.restart()
    return []


# -- disks and boot ------------------------------------------------------------------------------


@cmdlet("Get-PhysicalDisk", takes="FriendlyName", is_hyperv=False)
def get_physical_disk(session: Session, inv: Invocation) -> list[Value]:
    """The physical disks: media, bus, size in bytes."""
    names = texts(inv, "FriendlyName")
    kind = "Microsoft.Management.Infrastructure.CimInstance#root/microsoft/windows/storage/"
    return [
        record(kind + "MSFT_PhysicalDisk", row)
        for row in physical_disks(session.computer)
        if not names or any(matches(name, row["FriendlyName"]) for name in names)
    ]


@cmdlet("Get-Volume", takes="DriveLetter", is_hyperv=False)
def get_volume(session: Session, inv: Invocation) -> list[Value]:
    """The system volume; sizes in bytes."""
    letters = {letter.upper() for letter in texts(inv, "DriveLetter")}
    size = session.computer.disks[0].size if session.computer.disks else 0
    row: dict[str, Any] = {
        "DriveLetter": "C",
        "FileSystemLabel": "",
        "FileSystem": "NTFS",
        "DriveType": "Fixed",
        "HealthStatus": "Healthy",
        "SizeRemaining": size // 2,
        "Size": size,
    }
    kind = "Microsoft.Management.Infrastructure.CimInstance#root/microsoft/windows/storage/"
    return [record(kind + "MSFT_Volume", row)] if not letters or "C" in letters else []


def natives(session: Session) -> dict[str, Callable[[Sequence[str]], tuple[int, list[str]]]]:
    """Programs that scripts may call: arguments in, exit status and lines out."""

    def boot_configuration(arguments: Sequence[str]) -> tuple[int, list[str]]:
        text, code = bcdedit(session, list(arguments))
        return code, text.splitlines()

    def one(text: str) -> Callable[[Sequence[str]], tuple[int, list[str]]]:
        def program(arguments: Sequence[str]) -> tuple[int, list[str]]:
            if arguments:
                return 1, [f"The practice host's program takes no arguments: {arguments[0][:60]}"]
            return 0, [text]

        return program

    name = session.computer.name
    return {
        "bcdedit": boot_configuration,
        "hostname": one(name),
        "whoami": one(f"{name}\\{session.user}".lower()),
    }


def bcdedit(session: Session, arguments: list[str]) -> tuple[str, int]:
    """The boot configuration as bcdedit prints it, and its exit status.

    Only reading is played: ``bcdedit``, ``bcdedit /enum [{current}]``.
    """
    words = [word.lower() for word in arguments]
    if words and not (words[0] == "/enum" and words[1:] in ([], ["{current}"], ["all"])):
        return "The practice host's bcdedit only reads: bcdedit /enum {current}\r\n", 1
    if not session.may_manage:
        return "The boot configuration data store could not be opened.\r\nAccess is denied.\r\n", 1
    computer = session.computer
    rows = [
        ("identifier", "{current}"),
        ("device", "partition=C:"),
        ("path", "\\Windows\\system32\\winload.efi"),
        ("description", computer.caption.removeprefix("Microsoft ")),
        ("locale", "en-US"),
        ("nx", "OptOut" if computer.dep else "AlwaysOff"),
    ]
    if computer.has_role:
        rows.append(("hypervisorlaunchtype", "Auto" if computer.hypervisor_runs else "Off"))
    if not computer.offer_nested:
        rows.append(("offernestedvirt", "No"))
    body = "".join(f"{name:<24}{value}\r\n" for name, value in rows)
    return f"\r\nWindows Boot Loader\r\n-------------------\r\n{body}", 0
