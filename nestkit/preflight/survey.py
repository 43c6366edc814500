"""All VMs of a vCenter or a host at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from typing import Final

from nestkit.errors import NestkitError
from nestkit.facts import HostFacts
from nestkit.hosts.base import Fleet, FleetPage, Host
from nestkit.preflight.columns import Sheet
from nestkit.preflight.findings import Finding, evaluate
from nestkit.preflight.fleet_report import FleetReport
from nestkit.requirements import Rule, rules

Progress = Callable[[str, int], None]
_GONE: Final = ("disconnected", "notResponding")


def fleet(
    host: Host, *, progress: Progress | None = None, cancel: threading.Event | None = None
) -> FleetReport:
    """Judge every host and every VM that is not a template, in bulk.

    VMs are read page by page: leaf properties and the networks they are in. What takes a VM's
    devices (sizes of disks, models of adapters, old settings) is left to :func:`check` with the
    VM's name, and the report says so.

    Parameters
    ----------
    host
        A connected vCenter or host.
    progress
        Called with what was read, and how many of them so far.
    cancel
        Looked at between pages; once set, the report holds what was read and says so.

    Returns
    -------
    FleetReport
        VMs that cannot be read are in its ``unread``; if the connection is lost on the way,
        ``stopped`` says so and what was read is kept.

    Raises
    ------
    NestkitError
        Nothing at all could be read.
    """
    tell = progress or (lambda message, done: None)
    source = _open(host)
    applied = rules(host.platform)
    sheet = Sheet(applied)
    unread, stopped, templates = [], "", 0
    tell("hosts read", len(source.hosts))
    with closing(source.pages()) as pages:
        try:
            for page in pages:
                keep = [i for i, vm in enumerate(page.vms) if vm.is_template is not True]
                templates += len(page.vms) - len(keep)
                sheet.add(source.hosts, [page.vms[i] for i in keep], [page.hosts[i] for i in keep])
                unread += page.unread
                tell("VMs read", len(sheet.vms) + len(unread))
                if cancel is not None and cancel.is_set():
                    stopped = "stopped on request"
                    break
        except NestkitError as error:
            if not sheet.vms and not unread:
                raise
            stopped = error.message
    return FleetReport(
        name=source.name,
        platform=host.platform,
        is_practice=host.is_practice,
        hosts=tuple(source.hosts),
        host_findings=_hosts(source.hosts, applied),
        sheet=sheet,
        unread=tuple(unread),
        stopped=stopped,
        notes=(*source.notes, *_notes(source.hosts, templates)),
    )


def _hosts(hosts: list[HostFacts], applied: tuple[Rule, ...]) -> tuple[Finding, ...]:
    return tuple(found for each in hosts for found in evaluate(each, applied))


def _notes(hosts: list[HostFacts], templates: int) -> list[str]:
    notes = [
        f"host {each.name} is {each.connection}: what is said of it and its VMs is the last "
        "that was known"
        for each in hosts
        if each.connection in _GONE
    ]
    if templates:
        are = "template is" if templates == 1 else "templates are"
        notes.append(f"{templates} {are} not judged: a template hosts nothing until deployed")
    return notes


def _open(host: Host) -> Fleet:
    opener = getattr(host, "fleet", None)
    if opener is not None:
        opened: Fleet = opener()
        return opened
    return _Whole(host)


class _Whole:
    """A host that has no bulk way of its own: everything is read at once."""

    def __init__(self, host: Host) -> None:
        facts = host.read()
        self.name = facts.name
        self.notes: tuple[str, ...] = ()
        self._vms = list(facts.vms)
        self.hosts = [replace(facts, vms=())]

    def pages(self) -> Generator[FleetPage, None, None]:
        yield FleetPage(self._vms, [0] * len(self._vms), [])
