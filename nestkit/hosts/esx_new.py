"""What a plan for a new VM must know: where it could go, what is there, what is taken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nestkit.errors import NestkitError, NotFound, PermissionRefused, PlanError
from nestkit.facts import Fact, HostFacts, Unknown, VmNicFacts
from nestkit.hosts.esx_facts import HOST_PATHS, host_facts
from nestkit.hosts.esx_fleet import GROUP_PATHS, SWITCH_PATHS
from nestkit.hosts.esx_nics import Networks, distributed
from nestkit.transport.vim import Row, VimSession, load

ISO_PATH: Final = re.compile(
    r"\[(?P<datastore>[^\]]+)\] (?P<path>(?!/|.*//)[^\x00-\x1f]+\.iso)", re.IGNORECASE
)
SEARCH_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatastoreFacts:
    """A datastore that the host sees."""

    name: str
    free_gib: Fact[float]
    accessible: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A network a new VM could be plugged into; ``nic`` has its effective policy."""

    nic: VmNicFacts
    key: str = ""  # of a distributed port group
    switch_uuid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospects:
    """The host a VM would be created on, and its surroundings."""

    host: HostFacts
    ref: str  # the host's managed object id
    networks: Mapping[str, Candidate]
    elsewhere: Mapping[str, str]  # networks that this host does not have → who has them
    datastores: tuple[DatastoreFacts, ...]
    names: frozenset[str]  # of all VMs
    iso: Fact[bool]  # whether the installer is there
    uplinks: frozenset[str] = frozenset()  # port groups that take no VM


def prospects(session: VimSession, *, on_host: str, iso: str, vcenter: bool) -> Prospects:
    """Read the surroundings.

    Raises
    ------
    PlanError
        Several hosts and none is named, or the one named is not there.
    """
    vim = load().vim
    rows = session.retrieve_all(vim.HostSystem, (*HOST_PATHS, "datastore"))
    row = _choose(rows, on_host)
    groups: dict[str, dict[str, Any]] = {}
    uuids: dict[str, str] = {}
    uplinks: frozenset[str] = frozenset()
    if vcenter:
        found = session.retrieve_all(vim.dvs.DistributedVirtualPortgroup, GROUP_PATHS)
        paths = (*SWITCH_PATHS, "uuid", "config.uplinkPortgroup")
        switches = session.retrieve_all(vim.DistributedVirtualSwitch, paths)
        found, uplinks = _without_uplinks(found, switches)
        groups = distributed(found, switches)
        by_ref = {each.ref._moId: str(each.get("uuid", "")) for each in switches}
        for group in found:
            owner = group.get("config.distributedVirtualSwitch", None)
            if owner is not None and not isinstance(owner, Unknown):
                uuids[str(group.get("key", group.ref._moId))] = by_ref.get(owner._moId, "")
    networks = Networks.of(row, groups, f"{row.ref._moId}/" if vcenter else "")
    here, elsewhere = _networks(networks, uuids, row, rows)
    vms = session.retrieve_all(vim.VirtualMachine, ("name",))
    return Prospects(
        host=host_facts(row, ()),
        ref=row.ref._moId,
        networks=here,
        elsewhere=elsewhere,
        datastores=_datastores(session, row),
        names=frozenset(str(vm.get("name", "")) for vm in vms),
        iso=_iso(session, row, iso) if iso else False,
        uplinks=uplinks,
    )


def _without_uplinks(groups: list[Row], switches: list[Row]) -> tuple[list[Row], frozenset[str]]:
    """The port groups for VMs, and the names of those for the switches' uplinks."""
    refs = {
        ref._moId for switch in switches for ref in switch.values.get("config.uplinkPortgroup", ())
    }
    theirs = [row for row in groups if row.ref._moId in refs]
    return (
        [row for row in groups if row.ref._moId not in refs],
        frozenset(str(row.fact("name")) for row in theirs),
    )


def _choose(rows: list[Row], wanted: str) -> Row:
    names = {str(row.fact("name")): row for row in rows}
    listed = ", ".join(sorted(names)[:10])
    if not wanted:
        if len(rows) == 1:
            return rows[0]
        raise PlanError(
            f"there are {len(rows)} hosts, and the goal names none",
            remedy=f"say on_host=… (--on-host); there are {listed}",
        )
    if wanted not in names:
        raise PlanError(
            f"there is no host {wanted!r} that this user can see",
            remedy=f"use one of {listed}",
        )
    return names[wanted]


def _networks(
    networks: Networks, uuids: Mapping[str, str], host: Row, hosts: list[Row]
) -> tuple[dict[str, Candidate], dict[str, str]]:
    here: dict[str, Candidate] = {}
    elsewhere: dict[str, str] = {}
    for key, fields in networks.distributed.items():
        name = str(fields["network"])
        uuid = uuids.get(key, "")
        if uuid in networks.switches:
            nic = VmNicFacts(label=f"network {name}", key=key, **fields)
            here[name] = Candidate(nic=nic, key=key, switch_uuid=uuid)
        else:
            elsewhere[name] = f"distributed switch {fields.get('switch')}"
    if not isinstance(networks.groups, Unknown):
        for name in networks.groups:
            fields = networks.standard(name)
            nic = VmNicFacts(label=f"network {name}", key=name, **fields)
            here[name] = Candidate(nic=nic)
    for other in hosts:
        groups = other.get("config.network.portgroup", ())
        for group in () if isinstance(groups, Unknown) or other is host else groups:
            elsewhere.setdefault(group.spec.name, f"host {other.fact('name')}")
    return here, {name: place for name, place in elsewhere.items() if name not in here}


def _datastores(session: VimSession, host: Row) -> tuple[DatastoreFacts, ...]:
    refs = host.get("datastore", ())
    if isinstance(refs, Unknown):
        return ()
    paths = ("name", "summary.freeSpace", "summary.accessible")
    found = []
    for row in session.retrieve(load().vim.Datastore, paths, list(refs)):
        free = row.fact("summary.freeSpace")
        found.append(
            DatastoreFacts(
                name=str(row.fact("name")),
                free_gib=free if isinstance(free, Unknown) else free / 2**30,
                accessible=row.get("summary.accessible", True) is not False,
            )
        )
    return tuple(found)


def _iso(session: VimSession, host: Row, iso: str) -> Fact[bool]:
    """Whether the file is there, by asking the datastore's browser."""
    vim = load().vim
    parts = ISO_PATH.fullmatch(iso)
    if parts is None:
        return False
    folder, _, name = parts["path"].rpartition("/")
    refs = host.get("datastore", ())
    rows = session.retrieve(
        vim.Datastore, ("name", "browser"), [] if isinstance(refs, Unknown) else list(refs)
    )
    browsers = [r.get("browser", None) for r in rows if r.get("name", "") == parts["datastore"]]
    if not browsers or browsers[0] is None:
        return False
    if isinstance(browsers[0], Unknown):
        return browsers[0]
    # no pattern: * and ? in a name would be wildcards
    where, doing = f"[{parts['datastore']}] {folder}".rstrip(), f"looking for {iso}"
    try:
        task = session.call(lambda: browsers[0].SearchDatastore_Task(where, None), doing)
        session.wait(task, SEARCH_S, doing)
        (row,) = session.retrieve(vim.Task, ("info.result",), [task])
    except PermissionRefused as error:
        return Unknown(error.message)
    except NestkitError as error:
        if isinstance(error, NotFound) or "FileNotFound" in error.message:
            return False
        raise
    result = row.get("info.result", None)
    if result is None or isinstance(result, Unknown):
        return Unknown("the host's datastore browser gave no answer")
    return any(str(file.path) == name for file in result.file or ())
