"""All VMs of a vCenter or an ESXi host, in bulk: leaf properties and ``network``, page by page.

Devices are not read: they are most of a VM's data, and ten thousand VMs have fifty thousand of
them. What only they can tell is :data:`nestkit.facts.NOT_IN_FLEET`.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from nestkit.facts import (
    NOT_IN_FLEET,
    DiskFacts,
    Fact,
    HostFacts,
    Unknown,
    VmFacts,
    VmNicFacts,
)
from nestkit.hosts.base import FleetPage, Unread
from nestkit.hosts.esx_facts import HOST_PATHS, POWER, hardware_version, host_facts, tools_of
from nestkit.hosts.esx_nics import Networks, distributed
from nestkit.transport.vim import Row, VimSession, load

FLEET_PATHS: Final = (
    "name",
    "config.instanceUuid",
    "config.version",
    "config.template",
    "config.nestedHVEnabled",
    "config.hardware.numCPU",
    "config.hardware.memoryMB",
    "config.memoryAllocation.reservation",
    "guest.toolsRunningStatus",
    "guest.toolsVersionStatus2",
    "network",
    "runtime.connectionState",
    "runtime.faultToleranceState",
    "runtime.host",
    "runtime.powerState",
    "summary.config.numEthernetCards",
    "summary.config.numVirtualDisks",
)
GROUP_PATHS: Final = (
    "name", "key", "config.distributedVirtualSwitch", "config.defaultPortConfig",
)  # fmt: skip
SWITCH_PATHS: Final = ("name", "summary.productInfo.version")
_READABLE: Final = ("connected", "")
# what it is linked with is known to its single sign-on, not to this API
_ALONE: Final = (
    "this is one vCenter: if it is linked with others (Enhanced Linked Mode), theirs are not "
    "among these VMs; check each of them at its own address"
)


@dataclass(slots=True)
class FleetReader:
    """Reads a fleet: the hosts when it is made, the VMs by :meth:`pages`."""

    session: VimSession
    name: str = ""
    notes: tuple[str, ...] = ()
    hosts: list[HostFacts] = field(default_factory=list)
    _index: dict[str, int] = field(default_factory=dict)
    _networks: list[Networks] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)
    _nics: dict[Any, tuple[VmNicFacts, ...]] = field(default_factory=dict)
    _disks: dict[int, tuple[DiskFacts, ...]] = field(default_factory=dict)

    def open(self, *, vcenter: bool) -> None:
        """Read the hosts and the networks."""
        vim = load().vim
        self.name = self.session.address.host
        if vcenter:
            self.notes = (_ALONE,)
        groups: dict[str, dict[str, Any]] = {}
        if vcenter:
            rows = self.session.retrieve_all(vim.dvs.DistributedVirtualPortgroup, GROUP_PATHS)
            self._keys = {row.ref._moId: str(row.get("key", row.ref._moId)) for row in rows}
            switches = self.session.retrieve_all(vim.DistributedVirtualSwitch, SWITCH_PATHS)
            groups = distributed(rows, switches)
        for row in self.session.retrieve_all(vim.Network, ("name",)):
            self._names[row.ref._moId] = str(row.fact("name"))
        for row in self.session.retrieve_all(vim.HostSystem, HOST_PATHS):
            self._index[row.ref._moId] = len(self.hosts)
            self.hosts.append(host_facts(row, ()))
            self._networks.append(Networks.of(row, groups))

    def pages(self) -> Generator[FleetPage, None, None]:
        """The VMs as they come.

        Raises
        ------
        NestkitError
            Between two pages as well: what came before is good.
        """
        for rows in self.session.stream(load().vim.VirtualMachine, FLEET_PATHS):
            page = FleetPage([], [], [])
            for row in rows:
                problem = self._problem(row)
                if problem:
                    name = row.get("name", row.ref._moId)
                    shown = row.ref._moId if isinstance(name, Unknown) else str(name)
                    page.unread.append(Unread(shown, problem))
                    continue
                host = self._index[row.values["runtime.host"]._moId]
                page.vms.append(self._facts(row, host))
                page.hosts.append(host)
            yield page

    def _problem(self, row: Row) -> str:
        values = row.values
        state = values.get("runtime.connectionState", "")
        if state not in _READABLE:
            return f"vSphere calls it {state}"
        for path in ("name", "config.version", "runtime.host"):
            if path not in values:
                return f"{path}: {row.fact(path).reason}"
        if values["runtime.host"]._moId not in self._index:
            return "its host cannot be seen"
        return ""

    def _facts(self, row: Row, host: int) -> VmFacts:
        values, fact = row.values, row.fact
        # the shared path of a fleet: most values are there, and a lookup is cheaper than a call
        memory = values.get("config.hardware.memoryMB")
        reserved = values.get("config.memoryAllocation.reservation")
        power = values.get("runtime.powerState")
        tolerance = values.get("runtime.faultToleranceState")
        name, version, template = values["name"], values["config.version"], "config.template"
        nested, cpus = "config.nestedHVEnabled", "config.hardware.numCPU"
        return VmFacts(
            identity=str(values.get("config.instanceUuid", row.ref._moId)),
            name=str(name),
            ref=row.ref._moId,
            power=fact("runtime.powerState") if power is None else POWER[power],
            cpu_count=values[cpus] if cpus in values else fact(cpus),
            memory_gib=fact("config.hardware.memoryMB") if memory is None else memory / 1024,
            memory_reservation_gib=fact("config.memoryAllocation.reservation")
            if reserved is None
            else reserved / 1024,
            nested_hv=values[nested] if nested in values else fact(nested),
            hardware_version=hardware_version(version),
            tools=tools_of(row),
            is_template=values[template] if template in values else fact(template),
            connection="connected",
            fault_tolerance=fact("runtime.faultToleranceState")
            if tolerance is None
            else tolerance != "notConfigured",
            guest_id=NOT_IN_FLEET,
            guest_os=NOT_IN_FLEET,
            firmware=NOT_IN_FLEET,
            legacy_nesting_keys=NOT_IN_FLEET,
            snapshot_count=NOT_IN_FLEET,
            passthrough_devices=NOT_IN_FLEET,
            disks=self._disks_of(row),
            nics=self._nics_of(row, host),
        )

    def _disks_of(self, row: Row) -> Fact[tuple[DiskFacts, ...]]:
        count = row.fact("summary.config.numVirtualDisks")
        if isinstance(count, Unknown):
            return count
        if count not in self._disks:
            blank = DiskFacts(label="", size_gib=NOT_IN_FLEET, bus=NOT_IN_FLEET)
            self._disks[count] = tuple(
                replace(blank, label=f"disk {number + 1}") for number in range(count)
            )
        return self._disks[count]

    def _nics_of(self, row: Row, host: int) -> Fact[tuple[VmNicFacts, ...]]:
        """One for each network the VM is in: which adapter is in which only devices tell."""
        if "network" in row.missing:
            return row.missing["network"]
        cards = row.values.get("summary.config.numEthernetCards")
        refs = tuple([ref._moId for ref in row.values.get("network", ())])
        key = (host, refs, bool(cards))
        if key not in self._nics:
            nics = [self._nic(ref, host) for ref in refs] if cards != 0 else []
            if cards and not refs:
                unplugged = Unknown("it is plugged into no network that this user can see")
                nics = [_nic("adapter", {"promiscuous": unplugged, "forged_transmits": unplugged})]
            self._nics[key] = tuple(nics)
        return self._nics[key]

    def _nic(self, ref: str, host: int) -> VmNicFacts:
        networks = self._networks[host]
        name = self._names.get(ref, ref)
        if ref in self._keys:
            return _nic(f"network {name}", networks.by_key(self._keys[ref]))
        return _nic(f"network {name}", networks.standard(name))


def _nic(label: str, plugged: dict[str, Any]) -> VmNicFacts:
    return VmNicFacts(
        label=label, key="", model=NOT_IN_FLEET, link_mbps=NOT_IN_FLEET, mac=NOT_IN_FLEET,
        **plugged,
    )  # fmt: skip
