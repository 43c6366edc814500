"""Which host the lessons talk to: one address, chosen once."""

from __future__ import annotations

import getpass
import os
import zlib
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

from nestkit.course import markup, progress
from nestkit.errors import CourseError
from nestkit.facts import HostFacts, Unknown, VmFacts
from nestkit.hosts.base import Host
from nestkit.preflight import evaluate
from nestkit.requirements import rules

DEFAULT: Final = "practice://esx"


@dataclass(frozen=True, slots=True, repr=False)
class Chosen:
    """The host that was chosen, as it answered."""

    address: str
    name: str
    product: str
    is_practice: bool
    vms: tuple[str, ...]
    note: str = ""

    def __str__(self) -> str:
        what = "a practice host, no proof for a real one" if self.is_practice else "a real host"
        text = f"{self.address} is {self.name}, {self.product}: {what}; {len(self.vms)} VMs."
        return f"{text}\n{self.note}" if self.note else text

    __repr__ = __str__

    def _repr_html_(self) -> str:
        kind = "pass" if self.is_practice else "warn"
        named = [f"VMs: {', '.join(self.vms)}"] if self.vms else []
        return markup.notice(kind, "The lessons will use this host", str(self), named)


def address() -> str:
    """The address that the lessons use.

    ``NESTKIT_HOST`` if it is set, else what was chosen in lesson 00, else ``practice://esx``; in a
    class (``NESTKIT_CLASS=1``) with a seed of the learner's own, so that neighbours have
    different faults to find.
    """
    return os.environ.get("NESTKIT_HOST") or progress.setting("host", _default())


def in_class() -> bool:
    """Whether the instructor said that this is a class, by ``NESTKIT_CLASS``."""
    return os.environ.get("NESTKIT_CLASS", "0") not in ("", "0")


def seed_of(learner: str) -> int:
    """The seed of a learner's practice host: the same each time, 0 to 9999."""
    return zlib.crc32(learner.encode("utf-8", "surrogatepass")) % 10_000


def class_seed() -> int | None:
    """The seed of this learner's practice hosts in a class; None outside of one."""
    if not in_class():
        return None
    return seed_of(os.environ.get("JUPYTERHUB_USER") or getpass.getuser())


def _default() -> str:
    seed = class_seed()
    return DEFAULT if seed is None else f"{DEFAULT}?seed={seed}"


def blocked_vms(facts: HostFacts) -> list[tuple[VmFacts, set[str]]]:
    """Each VM that is blocked, with the ids of the rules that it or its NICs break."""
    found = []
    for vm in facts.vms:
        judged = evaluate(replace(facts, vms=(vm,)), rules(facts.platform))
        failed = {f.id for f in judged if f.level == "fail" and not f.subject.startswith("host ")}
        if failed and vm.is_template is not True:
            found.append((vm, failed))
    return found


def vm_for(host: Host, rule: str) -> str:
    """The VM that a lesson works on: one that this rule blocks, and no other one does.

    A VM that runs goes first, then the first by name. The choice is kept with the progress: the
    same cell gives the same VM once it is repaired, after a restart of the kernel too.

    Raises
    ------
    CourseError
        If no VM is so, as on a real host that has no faults; or the rule is not for this platform.
    """
    facts = host.read()
    if not rule.startswith(f"{facts.platform}."):
        raise CourseError(
            f"{facts.name} is no ESXi host, and this lesson is about one",
            remedy=f"choose {DEFAULT} or an ESXi host of yours, with the form of lesson 00",
        )
    key = f"vm {host.identity} {rule}"
    if (kept := progress.setting(key)) in {vm.name for vm in facts.vms}:
        return kept
    fitting = [(vm.power != "on", vm.name) for vm, failed in blocked_vms(facts) if failed == {rule}]
    if not fitting:
        raise CourseError(
            f"{facts.name} has no VM that only the rule {rule} blocks",
            remedy="write the name of a VM that you may change, or put practice hosts back with "
            "`nestkit reset`",
        )
    name = min(fitting)[1]
    progress.set_setting(key, name)
    return name


def use_host(address: str, password: str | None = None) -> Chosen:
    """Connect to a host, and let the lessons use it from now on.

    Parameters
    ----------
    address
        "practice://esx", or a real one such as "esx://root@esxi01.lab".
    password
        For this connection only. It is not kept: later connections look in
        ``NESTKIT_PASSWORD`` and the keyring, and ask where they can.

    Raises
    ------
    NestkitError
        If the host cannot be reached, trusted or logged in to; then nothing is remembered.
    """
    from nestkit.hosts import connect
    from nestkit.hosts.vpx import VpxHost

    with closing(connect(address, password=password)) as host:
        if host.platform == "local":
            raise CourseError(
                "local:// is this machine, and the lessons configure a host with VMs",
                remedy=f"use {DEFAULT}, or a real host such as esx://root@esxi01.lab",
            )
        if host.platform == "hyperv":
            raise CourseError(
                f"{address} is a Hyper-V host, and this choice is for the lessons about ESXi",
                remedy=f"use {DEFAULT} here; lesson 04 is about Hyper-V, and its first cell has "
                "the address to change",
            )
        if isinstance(host, VpxHost):
            raise CourseError(
                f"{address} is a vCenter, and the lessons work on one ESXi host",
                remedy=f"use {DEFAULT}, or the address of one of its hosts, such as "
                "esx://root@esxi01.lab; lesson 03 brings a practice vCenter of its own",
            )
        facts = host.read()
    note = progress.set_setting("host", address)
    if os.environ.get("NESTKIT_HOST", address) != address:
        note = f"{note}\nNESTKIT_HOST is set, and goes before this choice.".strip()
    product = facts.product.reason if isinstance(facts.product, Unknown) else facts.product
    vms = tuple(vm.name for vm in facts.vms)
    return Chosen(address, facts.name, product, facts.is_practice, vms, note)
