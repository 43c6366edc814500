"""Work inside a VM's guest through PowerShell Direct: the Hyper-V role, and NAT for its VMs.

Microsoft Learn, "Manage Windows virtual machines with PowerShell Direct": host and guest are
Windows 10 or Server 2016 at least, the VM runs on this host, and the user is one of the guest's.
The password goes to the host as data on standard input, never into a script, a plan or a record.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nestkit.credentials import Secret
from nestkit.errors import CredentialsError, DeadlineExceeded, HostRefused, PlanError
from nestkit.plans import Json, Step, Target
from nestkit.transport.winrm_answers import ScriptRefused

if TYPE_CHECKING:
    from nestkit.hosts.hyperv_ops import Client

READ_S: Final = 60.0
SERVICE_S: Final = 30.0  # after a guest's start its Hyper-V service follows a little later
NAT_NAME: Final = "nestkit-nat"
VARIABLE: Final = "NESTKIT_GUEST_PASSWORD"
_POLL_S: Final = 0.5
_WRONG: Final = "PSDirectException"  # in every language; the words are "The credential is invalid."


@dataclass(frozen=True, slots=True)
class Guest:
    """Who enters the guest, and with which password."""

    user: str
    password: Secret


def current(client: Client, target: Target, property: str, guest: Guest | None) -> Json:  # noqa: A002
    """What the guest says of a property; see :func:`nestkit.hosts.hyperv_ops.current`."""
    nothing = "not confirmed" if property == "hyperv_role" else ""
    if guest is None:
        return nothing
    until = time.monotonic() + SERVICE_S
    while True:
        try:
            said = _ask(client, "guest_state", target, guest, READ_S, repeatable=True)
        except (ScriptRefused, DeadlineExceeded):
            return nothing  # it does not answer now
        starts = said["role"] == "Installed" and not said["answers"]
        if not starts or time.monotonic() >= until:
            return _value(said, property)
        time.sleep(_POLL_S)


def _value(said: dict[str, Any], property: str) -> Json:  # noqa: A002
    if property == "hyperv_role":
        return "installed" if said["role"] == "Installed" and said["answers"] else "not confirmed"
    return str(next(iter(said["nats"]), ""))


def perform(
    client: Client,
    step: Step,
    deadline_s: float,
    on_task: Callable[[str], None],
    guest: Guest | None,
) -> None:
    """Do a step inside the guest, and wait until the guest confirms it.

    Raises
    ------
    CredentialsError
        There is no password, or the guest refuses it.
    DeadlineExceeded
        The guest does not answer in time, or does not come back after its restart.
    HostRefused
        The guest's reason.
    """
    if guest is None:
        raise CredentialsError(
            f"the guest of VM {step.target.name!r} cannot be entered without a password",
            remedy=f"set {VARIABLE}, or pass guest_password=…",
        )
    inside = _Inside(client, step.target, guest, deadline_s)
    if step.property == "hyperv_role":
        inside.install(on_task)
    elif step.property == "guest_nat":
        inside.set_nat(step.before, step.after, on_task)
    else:
        raise PlanError(
            f"this version cannot do {step.op} inside a guest",
            remedy="use the nestkit that made the plan, or make a new plan",
        )


class _Inside:
    """One guest, until a deadline."""

    def __init__(self, client: Client, target: Target, guest: Guest, deadline_s: float) -> None:
        self.client, self.target, self.guest = client, target, guest
        self.until = time.monotonic() + deadline_s
        self.deadline_s = deadline_s

    def install(self, on_task: Callable[[str], None]) -> None:
        state = self._wait(lambda said: True, "does not answer")["role"]
        on_task("guest_install")
        if state not in ("Installed", "InstallPending"):
            self._run("guest_install", "the Hyper-V role cannot be installed")
            state = "InstallPending"
        if state == "InstallPending":
            self._restart()
        self._wait(
            lambda said: _value(said, "hyperv_role") == "installed",
            "did not come back with Hyper-V running after its restart",
        )

    def set_nat(self, before: str, after: str, on_task: Callable[[str], None]) -> None:
        self._wait(lambda said: True, "does not answer")
        on_task("guest_nat")
        network = ipaddress.IPv4Network(after or before)
        given = {
            "name": NAT_NAME,
            "prefix": after,
            "gateway": str(network[1]),
            "length": network.prefixlen,
        }
        self._run("guest_nat", "the NAT inside cannot be set", **given)

    def _restart(self) -> None:
        try:
            _ask(self.client, "guest_restart", self.target, self.guest, READ_S)
        except (ScriptRefused, DeadlineExceeded):
            return  # the session may well end before it can answer: what comes next tells

    def _run(self, script: str, failed: str, **given: Json) -> None:
        left = max(1.0, self.until - time.monotonic())
        try:
            _ask(self.client, script, self.target, self.guest, left, **given)
        except ScriptRefused as error:
            raise HostRefused(
                f"the guest of VM {self.target.name!r}: {failed}: {error.message}",
                remedy="the extensions must be exposed, and the user an administrator of the "
                "guest; then go on",
            ) from error

    def _wait(self, enough: Callable[[dict[str, Any]], bool], failed: str) -> dict[str, Any]:
        last = "it answers, but is not ready"
        while True:
            try:
                said: dict[str, Any] = _ask(
                    self.client, "guest_state", self.target, self.guest, READ_S, repeatable=True
                )
                if enough(said):
                    return said
            except (ScriptRefused, DeadlineExceeded) as error:
                last = error.message
            if time.monotonic() >= self.until:
                raise DeadlineExceeded(
                    f"the guest of VM {self.target.name!r} {failed} within {self.deadline_s:g} s: "
                    f"{last}",
                    remedy="look at the VM's console. PowerShell Direct needs Windows 10 or "
                    "Windows Server 2016 or newer inside, and a user and password of the guest; "
                    "once it answers, go on",
                )
            time.sleep(_POLL_S)


def _ask(
    client: Client,
    script: str,
    target: Target,
    guest: Guest,
    deadline_s: float,
    *,
    repeatable: bool = False,
    **given: Json,
) -> Any:
    """Run one script that enters the guest.

    Raises
    ------
    CredentialsError
        The guest refuses user or password.
    ScriptRefused
        Anything else that went wrong there.
    """
    entry = {"vm": target.id, "user": guest.user, "password": guest.password.reveal()}
    try:
        return client.run(script, entry | given, deadline_s=deadline_s, repeatable=repeatable)
    except ScriptRefused as error:
        if not error.said.id.startswith(_WRONG):
            raise
    raise CredentialsError(
        f"the guest of VM {target.name!r} refuses the user {guest.user!r} or its password",
        remedy=f"give a user of the guest (guest_user) and its password, by {VARIABLE} or "
        "guest_password=…; a domain user is DOMAIN\\user",
    )
