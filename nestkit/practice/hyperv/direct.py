"""PowerShell Direct: Invoke-Command into a guest of this host.

Microsoft Learn, "Manage Windows virtual machines with PowerShell Direct": host and guest must be
Windows 10 or Windows Server 2016 at least, the VM local and running, the user an administrator of
Hyper-V, and the credential one of the guest's own.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Any, Final

from nestkit.practice.hyperv.arguments import bind, cmdlet, given
from nestkit.practice.hyperv.cmdlets_host import natives
from nestkit.practice.hyperv.model import Computer, Vm
from nestkit.practice.hyperv.values import Invocation, PropertyObject, PsError, SecureString, Value
from nestkit.practice.hyperv.world import Session, can_be_entered

GUEST_USER: Final = "Administrator"


@cmdlet(
    "Invoke-Command",
    takes="VMName VMId Credential ScriptBlock ArgumentList InputObject HideComputerName "
    "ThrottleLimit",
    is_hyperv=False,
)
def invoke_command(session: Session, inv: Invocation) -> list[Value]:
    """Run a script block in guests, one after the other.

    Raises
    ------
    PsError
        The user may not, or what was asked is not PowerShell Direct.
    """
    if not any(name in inv.bound for name in ("VMName", "VMId")):
        raise session.error("not-modelled", inv.name, what="Invoke-Command without -VMName")
    session.require_admin(inv.name)
    found: list[Value] = []
    for key in ("VMName", "VMId"):
        for wanted in given(inv, key):
            try:
                vm, computer = _guest(session, inv, key, wanted)
                found += _run(session, inv, vm, computer)
            except PsError as error:
                inv.streams.error(error)
    return found


def _guest(session: Session, inv: Invocation, key: str, wanted: Value) -> tuple[Vm, Computer]:
    vms = [
        vm
        for vm in session.computer.vms.values()
        if str(vm.id if key == "VMId" else vm.name).lower() == str(wanted).lower()
    ]
    if len(vms) != 1:
        raise session.error("direct-no-vm", inv.name, name=wanted)
    vm = vms[0]
    if vm.state != "Running":
        raise session.error("direct-state", inv.name, name=vm.name)
    computer = vm.guest.computer
    if not can_be_entered(vm) or computer is None:
        raise session.error("direct-broken", inv.name, name=vm.name)
    if not _may_enter(session, computer, inv.bound.get("Credential")):
        raise session.error("direct-credential", inv.name, name=vm.name)
    return vm, computer


def _may_enter(session: Session, computer: Computer, credential: Any) -> bool:
    """Guests take the practice host's own password for their Administrator."""
    try:
        user, secret = str(credential.get("UserName")), credential.get("Password")
    except (AttributeError, KeyError):
        return False
    domain, _, name = user.rpartition("\\")
    if not isinstance(secret, SecureString) or name.lower() != GUEST_USER.lower():
        return False
    if domain.lower() not in ("", ".", computer.name.lower()):
        return False
    return hmac.compare_digest(secret.text.encode("utf-8", "replace"), session.password.encode())


def _run(session: Session, inv: Invocation, vm: Vm, computer: Computer) -> list[Value]:
    inside = replace(session, computer=computer, user=GUEST_USER)
    interpreter = inv.extra["interpreter"].sub(
        bind(inside), natives=natives(inside), computer=computer.name
    )
    values: list[Value] = interpreter.call(
        inv.bound["ScriptBlock"],
        given(inv, "ArgumentList"),
        items=inv.pipeline,
        on_error=inv.streams.error,
    )
    for value in values:
        if isinstance(value, PropertyObject):
            value.methods.pop("tostring", None)  # it is shown by its properties
            value.add("PSComputerName", vm.name)
    return values
