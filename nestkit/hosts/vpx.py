"""A vCenter over the vSphere API: many ESXi hosts, their VMs and distributed switches.

The platform is "esx": the same rules, plans and scripts hold. The identity is the vCenter's own
instance UUID, so that a plan outlives a VM's move to another host.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nestkit.errors import ConnectionFailed, PlanError
from nestkit.facts import HostFacts
from nestkit.hosts.esx import NAME_PATHS, EsxHost
from nestkit.hosts.esx_facts import HOST_PATHS, PRACTICE_MARK, VM_PATHS, host_facts, vm_facts
from nestkit.hosts.esx_fleet import GROUP_PATHS, SWITCH_PATHS
from nestkit.hosts.esx_nics import Networks, distributed
from nestkit.plans import Target
from nestkit.transport.vim import Row, load


class VpxHost(EsxHost):
    """A connected vCenter. Made by :func:`nestkit.connect`."""

    api_type = "VirtualCenter"
    other = "the address of one ESXi host has the scheme esx://"
    many_hosts = True

    def _identify(self) -> tuple[str, bool]:
        about = self._session.content.about
        return str(about.instanceUuid).lower(), PRACTICE_MARK in str(about.fullName).lower()

    def read(self, vm: str | None = None) -> HostFacts:
        """Facts of one VM and of the ESXi host it is on.

        Raises
        ------
        PlanError
            No VM is named.
        NotFound, Ambiguous
            As :meth:`nestkit.hosts.esx.EsxHost.read`.
        """
        vim = load().vim
        if vm is None:
            raise PlanError(
                f"{self._session.address.host} is a vCenter: it has many hosts",
                remedy="name one VM, or look at all of them with nestkit.preflight.fleet "
                "(`nestkit fleet URL`)",
            )
        found = self._look_up(vm, (*NAME_PATHS, "runtime.host"))
        where = found.values.get("runtime.host")
        if where is None:
            raise ConnectionFailed(
                f"VM {vm!r} is on no host that this user can see",
                remedy="connect as a user who may see its host, or register the VM on a host",
            )
        (row,) = self._session.retrieve(vim.VirtualMachine, (*VM_PATHS, "network"), [found.ref])
        (host,) = self._session.retrieve(vim.HostSystem, HOST_PATHS, [where])
        self._remember(row)
        networks = Networks.of(host, self._distributed(row), f"{where._moId}/")
        return replace(host_facts(host, (vm_facts(row, networks),)), identity=self._identity)

    def _place(self, target: Target) -> tuple[Any, Target]:
        host, _, key = target.id.partition("/")
        return load().vim.HostSystem(host, self._session.stub), replace(target, id=key)

    def _distributed(self, row: Row) -> dict[str, dict[str, Any]]:
        """The distributed port groups that the VM is in."""
        vim = load().vim
        kind = vim.dvs.DistributedVirtualPortgroup
        refs = [ref for ref in row.values.get("network", ()) if isinstance(ref, kind)]
        groups = self._session.retrieve(kind, GROUP_PATHS, refs)
        owners = {
            group.values["config.distributedVirtualSwitch"]._moId: group.values[
                "config.distributedVirtualSwitch"
            ]
            for group in groups
            if "config.distributedVirtualSwitch" in group.values
        }
        switches = self._session.retrieve(
            vim.DistributedVirtualSwitch, SWITCH_PATHS, list(owners.values())
        )
        return distributed(groups, switches)
