"""An ESXi host over the vSphere API."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Self
from urllib.parse import unquote

from nestkit.addresses import Address
from nestkit.credentials import Secret
from nestkit.errors import Ambiguous, ConnectionFailed, NotFound
from nestkit.facts import HostFacts, Unknown
from nestkit.hosts import esx_create, esx_dvs, esx_groups, esx_ops
from nestkit.hosts.base import Connected
from nestkit.hosts.esx_facts import (
    HOST_PATHS,
    POWER,
    VM_PATHS,
    host_facts,
    identity_of,
    is_practice,
    vm_facts,
)
from nestkit.hosts.esx_fleet import FleetReader
from nestkit.hosts.esx_new import Prospects, prospects
from nestkit.hosts.esx_nics import Networks
from nestkit.plans import Json, Step, Target
from nestkit.transport.vim import Row, VimSession, load, open_session

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAME_PATHS: Final = ("name", "config.instanceUuid", "runtime.powerState")


class EsxHost(Connected):
    """A connected ESXi host. Made by :func:`nestkit.connect`."""

    platform: Final = "esx"
    api_type = "HostAgent"  # what the service calls itself
    other = "a vCenter has the scheme vpx://"
    many_hosts = False
    _session: VimSession

    def __init__(self, session: VimSession) -> None:
        self._session = session
        self._refs: dict[str, Any] = {}  # instance UUID → VM
        self._identity, self._is_practice = self._identify()

    def _identify(self) -> tuple[str, bool]:
        (row,) = self._session.retrieve_all(
            load().vim.HostSystem, ("hardware.systemInfo", "config.product")
        )
        self._ref = row.ref
        return identity_of(row), is_practice(row)

    @classmethod
    def connect(cls, address: Address, secret: Callable[[], Secret]) -> Self:
        """Open a session; ``secret`` is asked once the peer is known to be vSphere.

        Raises
        ------
        NestkitError
            See :func:`nestkit.transport.vim.open_session`; also when it is the other kind.
        """
        session = open_session(address, secret)
        try:
            kind = session.content.about.apiType
            if kind != cls.api_type:
                raise ConnectionFailed(
                    f"{address.host} is not what {address.scheme}:// means: its API is of the "
                    f"type {kind}",
                    remedy=cls.other,
                )
            return cls(session)
        except BaseException:
            session.close()
            raise

    def read(self, vm: str | None = None) -> HostFacts:
        """Facts of the host and all its VMs, or the one VM of that name or instance UUID.

        Raises
        ------
        NotFound, Ambiguous
            No such VM (the message names near ones); several of that name (with their UUIDs).
        """
        vim = load().vim
        (host,) = self._session.retrieve(vim.HostSystem, HOST_PATHS, [self._ref])
        networks = Networks.of(host)
        if vm is None:
            rows = self._session.retrieve_all(vim.VirtualMachine, VM_PATHS)
        else:
            found = self._look_up(vm, NAME_PATHS)
            rows = self._session.retrieve(vim.VirtualMachine, VM_PATHS, [found.ref])
        for row in rows:
            self._remember(row)
        return host_facts(host, tuple(vm_facts(row, networks) for row in rows))

    def fleet(self) -> FleetReader:
        """All VMs in bulk; for :func:`nestkit.preflight.fleet`."""
        reader = FleetReader(self._session)
        reader.open(vcenter=self.many_hosts)
        return reader

    def current(self, target: Target, property: str) -> Json:  # noqa: A002  (pinned name)
        """The property's value now, once tasks in flight on the target have ended."""
        if target.kind == "dv_port_group":
            return esx_dvs.mac_management(self._session, target)
        if target.kind == "port_group":
            return esx_groups.security(esx_groups.port_group(self._session, *self._place(target)))
        if property == "vm":
            return self._description(target)
        return self._on_vm(
            target, lambda ref: esx_ops.vm_property(self._session, ref, target, property)
        )

    def perform(
        self, step: Step, deadline_s: float, on_task: Callable[[str], None] | None = None
    ) -> None:
        """Do the step; see the modules ``esx_ops``, ``esx_create``, ``esx_groups``, ``esx_dvs``."""
        tell = on_task or (lambda task: None)
        if step.target.kind == "dv_port_group":
            esx_dvs.set_mac_management(self._session, step, deadline_s, tell)
        elif step.target.kind == "port_group":
            host, group = self._place(step.target)
            esx_groups.set_security(self._session, host, replace(step, target=group))
        elif step.op == "create_vm":
            esx_create.create(self._session, step, deadline_s, tell)
        else:
            self._on_vm(
                step.target,
                lambda ref: esx_ops.change_vm(self._session, ref, step, deadline_s, tell),
            )

    def prospects(self, *, on_host: str, iso: str) -> Prospects:
        """Where a new VM could go; for :func:`nestkit.configure.plan_new`."""
        found = prospects(self._session, on_host=on_host, iso=iso, vcenter=self.many_hosts)
        return replace(found, host=replace(found.host, identity=self._identity))

    def _place(self, target: Target) -> tuple[Any, Target]:
        """The host of a standard port group, and the port group as that host names it."""
        return self._ref, target

    def _description(self, target: Target) -> Json:
        """What the VM is, or None where there is none."""
        try:
            return self._on_vm(
                target, lambda ref: esx_ops.vm_property(self._session, ref, target, "vm")
            )
        except NotFound:
            pass
        esx_create.await_creation(self._session)
        try:
            return self._on_vm(
                target, lambda ref: esx_ops.vm_property(self._session, ref, target, "vm")
            )
        except NotFound:
            return None

    def _look_up(self, vm: str, paths: tuple[str, ...]) -> Row:
        """The VM of that name or instance UUID; a UUID is asked for without listing all VMs."""
        kind = load().vim.VirtualMachine
        if _UUID.fullmatch(vm.lower()):
            search = self._session.content.searchIndex
            doing = f"looking for the VM with the UUID {vm}"
            ref = self._session.call(lambda: search.FindByUuid(None, vm, True, True), doing)
            if ref is not None:
                return self._session.retrieve(kind, paths, [ref])[0]
        return pick(self._session.retrieve_all(kind, paths), vm)

    def _remember(self, row: Row) -> None:
        uuid = row.fact("config.instanceUuid")
        if not isinstance(uuid, Unknown):
            self._refs[str(uuid)] = row.ref

    def _on_vm(self, target: Target, do: Callable[[Any], Any]) -> Any:
        """Work on the target's VM; look it up by its UUID, anew if the host forgot the handle."""
        ref = self._refs.get(target.id)
        if ref is not None:
            try:
                return do(ref)
            except NotFound:
                del self._refs[target.id]
        ref = self._session.call(
            lambda: self._session.content.searchIndex.FindByUuid(None, target.id, True, True),
            f"looking for VM {target.name!r}",
        )
        if ref is None:
            raise NotFound(
                f"there is no VM {target.name!r} with the UUID {target.id}",
                remedy="it was deleted or moved to another host: look for it, make a new plan",
            )
        self._refs[target.id] = ref
        return do(ref)


def pick(rows: list[Row], wanted: str) -> Row:
    """The row of the VM with this name or instance UUID.

    vSphere writes ``/``, ``\\`` and ``%`` in names as %2f, %5c and %25; both ways are found.
    """
    named = {id(row): str(row.fact("name")) for row in rows}
    found = [row for row in rows if row.get("config.instanceUuid", None) == wanted.lower()]
    found = found or [row for row in rows if named[id(row)] == wanted]
    found = found or [row for row in rows if unquote(named[id(row)]) == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        each = "; ".join(
            f"{row.get('config.instanceUuid', row.ref._moId)} "
            f"({POWER.get(str(row.get('runtime.powerState', '')), 'unknown')})"
            for row in found
        )
        raise Ambiguous(
            f"{len(found)} VMs have the name {wanted!r}: {each}",
            remedy="give the UUID of the one you mean instead of its name, or rename one",
        )
    near = difflib.get_close_matches(wanted, sorted(set(named.values())), n=3, cutoff=0.5)
    hint = f"; near: {', '.join(map(repr, near))}" if near else ""
    raise NotFound(
        f"there is no VM {wanted!r} among the {len(rows)} that this user can see{hint}",
        remedy="check the name (capitals count), or give the VM's instance UUID",
    )
