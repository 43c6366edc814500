"""Which host the lessons talk to: one address, chosen once."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from nestkit.course import markup, progress
from nestkit.facts import Unknown

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

    ``NESTKIT_HOST`` if it is set, else what was chosen in lesson 00, else ``practice://esx``.
    """
    return os.environ.get("NESTKIT_HOST") or progress.setting("host", DEFAULT)


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

    with closing(connect(address, password=password)) as host:
        facts = host.read()
    note = progress.set_setting("host", address)
    if os.environ.get("NESTKIT_HOST", address) != address:
        note = f"{note}\nNESTKIT_HOST is set, and goes before this choice.".strip()
    product = facts.product.reason if isinstance(facts.product, Unknown) else facts.product
    vms = tuple(vm.name for vm in facts.vms)
    return Chosen(address, facts.name, product, facts.is_practice, vms, note)
