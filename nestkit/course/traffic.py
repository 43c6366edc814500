"""Do packets of L2 get through? Tried from inside the nested ESXi, with its own ``vmkping``.

A VM inside needs a hypervisor with VMs of its own. ``vmk1`` of the nested ESXi stands in for one:
like the NIC of an L2 VM it has a MAC address that is not the one of L1's NIC, so the port group
outside treats its frames as it treats those of L2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nestkit.course import markup
from nestkit.errors import CourseError
from nestkit.facts import Fact, Unknown
from nestkit.hosts.base import Host

PRACTICE_GATEWAY: Final = "192.0.2.1"  # the address that answers on practice hosts (RFC 5737)
_TRIES: Final = (("L1", "vmk0", "L1's own MAC address"), ("L2", "vmk1", "a MAC address behind it"))
_PACKETS: Final = 2


@dataclass(frozen=True, slots=True)
class Traffic:
    """Whether packets of L1 and of L2 were answered; ``policy`` is the port group's, in words."""

    vm: str
    target: str
    l1: bool
    l2: bool
    policy: str

    def _rows(self) -> list[tuple[str, str, str]]:
        found = {"L1": self.l1, "L2": self.l2}
        return [
            (layer, f"vmkping -I {nic} {self.target} ({which})",
             "✓ answered" if found[layer] else "✗ no answer")
            for layer, nic, which in _TRIES
        ]  # fmt: skip

    def __str__(self) -> str:
        rows = "\n".join(" · ".join(row) for row in self._rows())
        return f"{rows}\nNetwork of {self.vm}: {self.policy}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        table = markup.table(f"Packets from {self.vm}", ("From", "Sent", "What came"), self._rows())
        return f"{table}<p>{markup.text(self.policy)}</p>"


def try_traffic(
    host: Host,
    vm: str,
    *,
    target: str = PRACTICE_GATEWAY,
    guest_password: str | None = None,
) -> Traffic:
    """Send packets from inside a nested ESXi: as L1 itself, and as a VM inside it would.

    Parameters
    ----------
    host
        The ESXi host, or the vCenter, outside.
    vm
        A running VM with ESXi in it; on a real host it needs a ``vmk1`` besides ``vmk0``.
    target
        What answers a ping there; on a real host the gateway of that network.
    guest_password
        Root's in the nested ESXi; a practice host needs none.

    Raises
    ------
    CourseError
        If the host is no ESXi host.
    NestkitError
        If the guest cannot be spoken to.
    """
    from nestkit.hosts.esx import EsxHost
    from nestkit.hosts.esx_guest import run_in_guest

    if not isinstance(host, EsxHost):
        raise CourseError(
            "packets are tried on an ESXi host", remedy="connect to practice://esx, or a real one"
        )
    answered = {}
    for layer, nic, _ in _TRIES:
        arguments = f"-I {nic} -c {_PACKETS} {target}"
        code = run_in_guest(host, vm, "/bin/vmkping", arguments, password=guest_password)
        answered[layer] = code == 0
    return Traffic(vm, target, answered["L1"], answered["L2"], _policy(host, vm))


def _policy(host: Host, vm: str) -> str:
    (found,) = host.read(vm).vms
    if not isinstance(found.nics, tuple) or not found.nics:
        return "no NIC"
    nic = found.nics[0]
    said = [
        f"promiscuous mode {_word(nic.promiscuous)}",
        f"forged transmits {_word(nic.forged_transmits)}",
    ]
    if nic.mac_learning is True:
        said.append("MAC learning on")
    return f"{nic.network} on {nic.switch}: {', '.join(said)}"


def _word(accepted: Fact[bool]) -> str:
    if isinstance(accepted, Unknown):
        return str(accepted)
    return "Accept" if accepted else "Reject"
