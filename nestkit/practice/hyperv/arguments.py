"""What cmdlets were given: VMs by name, id or object, flags, and the guard before each."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from nestkit.practice.hyperv.model import Vm
from nestkit.practice.hyperv.objects import View
from nestkit.practice.hyperv.powershell.wildcard import has_wildcard, matches
from nestkit.practice.hyperv.values import Cmdlet, EnumValue, Invocation, PsError, Value
from nestkit.practice.hyperv.world import Session

Handler = Callable[[Session, Invocation], "list[Value]"]
_CHANGING: Final = frozenset({"New", "Remove", "Install", "Restart"})
_LOCAL: Final = frozenset({".", "localhost", "127.0.0.1"})
ALWAYS: Final = frozenset({"ComputerName", "Confirm"})  # looked at for every cmdlet that has them


@dataclass(frozen=True, slots=True)
class Entry:
    """A cmdlet of the model; ``is_hyperv`` ones need the role and an administrator."""

    name: str
    run: Handler
    takes: frozenset[str]  # the parameters that it plays
    is_hyperv: bool
    asks: bool  # asks for confirmation unless -Force or -Confirm:$false


REGISTRY: Final[dict[str, Entry]] = {}


def cmdlet(
    *names: str, takes: str = "", is_hyperv: bool = True, asks: bool = False
) -> Callable[[Handler], Handler]:
    """Register a function as these cmdlets; ``takes`` names the parameters that it plays."""
    played = ALWAYS | frozenset(takes.split())

    def register(run: Handler) -> Handler:
        for name in names:
            REGISTRY[name] = Entry(name, run, played, is_hyperv, asks)
        return run

    return register


def bind(session: Session) -> dict[str, Cmdlet]:
    """All cmdlets, acting for a session."""

    def wrap(entry: Entry) -> Cmdlet:
        def run(inv: Invocation) -> list[Value]:
            if entry.is_hyperv:
                session.require_admin(entry.name)
            elif not session.may_manage and entry.name.split("-")[0] in _CHANGING:
                raise PsError(
                    "Access is denied.", error_id="AccessDenied", category="PermissionDenied"
                )
            refuse_remote(session, inv)
            refuse_unplayed(session, inv, entry.takes)
            if entry.asks and not inv.what_if and not agreed(inv):
                raise session.error("confirm", inv.name, what=inv.name)
            return entry.run(session, inv)

        return run

    return {name: wrap(entry) for name, entry in REGISTRY.items()}


def refuse_remote(session: Session, inv: Invocation) -> None:
    """Other hosts are out of reach: the second hop.

    Raises
    ------
    PsError
        Another computer was named.
    """
    for name in given(inv, "ComputerName"):
        if str(name).lower() not in _LOCAL | {session.computer.name.lower()}:
            raise session.error("not-modelled", inv.name, what=f"the computer {name!r}")


def refuse_unplayed(session: Session, inv: Invocation, played: frozenset[str]) -> None:
    """A parameter that Windows has and this host does not play is never taken in silence.

    Raises
    ------
    PsError
        It names the first such parameter.
    """
    for name in inv.bound:
        if name not in played:
            what = f"the parameter -{name} of {inv.name}"
            raise session.error("not-modelled", inv.name, what=what)


def agreed(inv: Invocation) -> bool:
    """Whether the caller said beforehand that he is sure."""
    return flag(inv, "Force") or ("Confirm" in inv.bound and not inv.bound["Confirm"])


def given(inv: Invocation, *names: str) -> list[Value]:
    """The values of the first of these parameters that was given; scalars become lists."""
    for name in names:
        if name in inv.bound:
            value = inv.bound[name]
            if value is None:
                return []
            return list(value) if isinstance(value, list) else [value]
    return []


def flag(inv: Invocation, name: str) -> bool:
    """Whether a switch was given and is not ``:$false``."""
    return bool(inv.bound.get(name, False))


def texts(inv: Invocation, *names: str) -> list[str]:
    """The values of a parameter as text."""
    return [str(value) for value in given(inv, *names)]


def word(value: Value) -> str:
    """A member of an enumeration by its name."""
    return value.name if isinstance(value, EnumValue) else str(value)


def matching(name: str, items: Iterable[Any]) -> list[Any]:
    """The items whose ``name`` fits a pattern."""
    return [item for item in items if matches(name, item.name)]


def source(value: Value, kind: type) -> Any:
    """The model's record behind an object, or None."""
    return value.source if isinstance(value, View) and isinstance(value.source, kind) else None


def find_vms(session: Session, inv: Invocation, *, default_all: bool = False) -> list[Vm]:
    """The VMs a cmdlet was given, each once. Unknown ones become non-terminating errors."""
    found: dict[uuid.UUID, Vm] = {}

    def fail(error: PsError) -> None:
        inv.streams.error(error)

    vms = session.computer.vms
    if not any(key in inv.bound for key in ("VM", "Id", "VMId", "VMName", "Name")):
        return list(vms.values()) if default_all else []
    for value in given(inv, "VM"):
        vm = source(value, Vm)
        if vm is not None and vm.id in vms:
            found[vm.id] = vm
        else:
            fail(session.error("no-vm", inv.name, name=getattr(vm, "name", value)))
    for value in given(inv, "Id", "VMId"):
        try:
            vm = vms.get(value if isinstance(value, uuid.UUID) else uuid.UUID(str(value)))
        except ValueError:
            vm = None
        if vm is None:
            fail(session.error("no-vm-id", inv.name, name=value))
        else:
            found[vm.id] = vm
    for name in texts(inv, "VMName") if "VMName" in inv.bound else _names(inv):
        hits = matching(name, vms.values())
        if not hits and not has_wildcard(name):
            fail(session.error("no-vm", inv.name, name=name))
        found.update({vm.id: vm for vm in hits})
    return list(found.values())


def _names(inv: Invocation) -> list[str]:
    """-Name names the VM only where the cmdlet has no -VMName of its own."""
    return texts(inv, "Name") if inv.name in _NAMES_A_VM else []


_NAMES_A_VM: Final = frozenset(
    f"{verb}-VM"
    for verb in (
        "Get", "Set", "Start", "Stop", "Save", "Suspend", "Resume", "Restart", "Remove",
        "Checkpoint", "Wait", "Rename",
    )
) | {"Update-VMVersion"}  # fmt: skip


def each(inv: Invocation, vms: list[Vm], act: Callable[[Vm], None]) -> list[Vm]:
    """Act on each VM; an error concerns one VM and does not stop the others.

    With -WhatIf no VM is asked: what its state does not allow shows only when it is tried.
    """
    if inv.what_if:
        return []
    done = []
    for vm in vms:
        try:
            act(vm)
        except PsError as error:
            inv.streams.error(error)
        else:
            done.append(vm)
    return done
