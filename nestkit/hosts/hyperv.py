"""A Hyper-V host over WinRM."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, Self

from nestkit.addresses import Address
from nestkit.credentials import Secret
from nestkit.credentials import find as find_password
from nestkit.errors import Ambiguous, ConnectionFailed, NotFound
from nestkit.facts import HostFacts
from nestkit.hosts.base import Connected, Password
from nestkit.hosts.hyperv_facts import PRACTICE_MAKER, host_facts
from nestkit.hosts.hyperv_guest import VARIABLE, Guest
from nestkit.hosts.hyperv_parts import listed
from nestkit.plans import Json, Step, Target
from nestkit.transport.winrm import WinRm
from nestkit.transport.winrm_answers import Said, refusal

_LOGIN_S: Final = 45.0
_GUEST_USER: Final = "Administrator"
_ID: Final = re.compile(r"\{?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?")


class HyperVHost(Connected):
    """A connected Hyper-V host. Made by :func:`nestkit.connect`."""

    platform: Final = "hyperv"
    begins_late: Final = True  # PowerShell starts some time after it was told what to do
    _session: WinRm

    def __init__(self, session: WinRm, secret: Secret) -> None:
        self._session = session
        self._guest: Guest | None = None
        said = session.run("identify", deadline_s=_LOGIN_S, repeatable=True)
        try:
            self._identity = str(said["uuid"]).lower()
            self._is_practice = bool(said["maker"] == PRACTICE_MAKER)
        except (KeyError, TypeError):
            raise _not_understood("identify") from None
        # guests of a practice host take its own password; elsewhere they have another
        self._own = secret if self._is_practice else None
        if self._own or VARIABLE in os.environ:
            self.use_guest(_GUEST_USER)

    @classmethod
    def connect(cls, address: Address, secret: Callable[[], Secret]) -> Self:
        """Log in; ``secret`` is asked once the peer is known to be WinRM, and verified.

        Raises
        ------
        NestkitError
            See :meth:`nestkit.transport.winrm.WinRm.connect`.
        """
        found: list[Secret] = []

        def find() -> Secret:
            found.append(secret())
            return found[0]

        session = WinRm.connect(address, find)
        try:
            return cls(session, found[0])
        except BaseException:
            session.close()
            raise

    def use_guest(
        self, user: str, password: Password = None, *, interactive: bool | None = None
    ) -> None:
        """Enter guests as this user from now on.

        The password is the one given, that of ``NESTKIT_GUEST_PASSWORD``, on a practice host its
        own, the one of the keyring, or what a person at a terminal types.

        Raises
        ------
        CredentialsError
            There is none.
        """
        if interactive is False and self._guest is not None and self._guest.user == user:
            return  # whoever is there was let in with a password that nobody gave anew
        if password is None and VARIABLE not in os.environ:
            password = self._own
        where = f"guest://{user}@{self._session.address.host}"
        secret = find_password(where, password, interactive=interactive, variable=VARIABLE)
        self._guest = Guest(user, secret)

    def read(self, vm: str | None = None) -> HostFacts:
        """Facts of the host and all its VMs, or the one VM of that name or Id: one round trip.

        Raises
        ------
        NotFound, Ambiguous
            No such VM (the message names near ones); several of that name (with their Ids).
        HostRefused, PermissionRefused
            A VM is asked for, and the role is not installed, or the user may not see VMs.
        """
        try:
            return self._read(vm)
        except NotFound:
            from nestkit.hosts import hyperv_ops

            # the Id of a plan that created the VM, which has one of its own
            created = hyperv_ops.real_id(self._session, _as_id(vm)) if vm and _is_id(vm) else ""
            if not created:
                raise
            return self._read(created)

    def prospects(self) -> dict[str, Any]:
        """What a new VM could be plugged into, where it could lie, and which names are taken."""
        found: dict[str, Any] = self._session.run(
            "vm_prospects", deadline_s=self._session.read_s, repeatable=True
        )
        return found | {name: listed(found[name]) for name in ("names", "switches")}

    def _read(self, vm: str | None) -> HostFacts:
        guest = self._guest
        entry = guest and {"user": guest.user, "password": guest.password}
        wanted = None if vm is None else _as_id(vm)
        document = self._session.run(
            "read", {"vm": wanted, "guest": entry}, deadline_s=self._session.read_s, repeatable=True
        )
        try:
            if not document["unique"]:
                _refuse(str(vm), document["count"], listed(document["names"]))
            error = document["role"].get("error")
            if vm is not None and error:
                raise refusal("read", Said(**error))
            return host_facts(document, asked=guest is not None)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise _not_understood("read") from None

    def current(self, target: Target, property: str) -> Json:  # noqa: A002  (pinned name)
        """The property's value now; see :func:`nestkit.hosts.hyperv_ops.current`."""
        from nestkit.hosts import hyperv_ops

        return hyperv_ops.current(self._session, target, property, self._guest)

    def perform(
        self, step: Step, deadline_s: float, on_task: Callable[[str], None] | None = None
    ) -> None:
        """Do the step; see :func:`nestkit.hosts.hyperv_ops.perform`."""
        from nestkit.hosts import hyperv_ops

        tell = on_task or (lambda task: None)
        hyperv_ops.perform(self._session, step, deadline_s, tell, self._guest)


def _as_id(wanted: str) -> str:
    """An Id without braces and in any case is the same Id; a name stays as it is."""
    found = _ID.fullmatch(wanted)
    return found[1].lower() if found else wanted


def _is_id(wanted: str) -> bool:
    return _ID.fullmatch(wanted) is not None


def _refuse(wanted: str, count: int, rows: list[Mapping[str, Any]]) -> NoReturn:
    """Say which VMs have that name, or where none has it which there are."""
    if count:
        each = "; ".join(f"{row['id']} ({row['state']})" for row in rows)
        raise Ambiguous(
            f"{count} VMs have the name {wanted!r}: {each}",
            remedy="give the Id of the one you mean instead of its name, or rename one",
        )
    near = difflib.get_close_matches(wanted, sorted({row["name"] for row in rows}), n=3, cutoff=0.5)
    hint = f"; near: {', '.join(map(repr, near))}" if near else ""
    raise NotFound(
        f"there is no VM {wanted!r} among the {len(rows)} of this host{hint}",
        remedy="check the name, or give the VM's Id",
    )


def _not_understood(script: str) -> ConnectionFailed:
    return ConnectionFailed(
        f"the answer of the script {script} is not of the shape this nestkit knows",
        remedy="try again; if it stays so, report it with the host's version of Windows",
    )
