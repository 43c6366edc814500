"""Guest operations: programs in the ESXi inside a VM, and whether their packets get through.

Sources: vSphere Web Services API reference 8.0, ``GuestProcessManager`` (no standard output; exit
codes are kept for five minutes); VMware vSphere Security 8.0, "Securing vSphere Standard Switch
Ports": a port takes in frames for other addresses than its own in promiscuous mode only, and lets
frames out with other addresses only where forged transmits are accepted. MAC learning (API 6.7,
``DVSMacLearningPolicy``) takes the place of promiscuous mode.

In every nested ESXi ``vmk0`` has the MAC address of the VM's own NIC. ``vmk1`` has one of its own,
as the NIC of a VM inside it (L2) has: what ``vmkping -I vmk1`` sends, the port group outside
treats as it treats the frames of L2. There is one program, ``/bin/vmkping`` (also as ``/bin/ping``,
or in ``/bin/sh -c "…"``), and one address that answers, the gateway.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nestkit.practice.esx import rules
from nestkit.practice.esx.api import vim
from nestkit.practice.esx.managed import Managed
from nestkit.practice.esx.methods import Context, method
from nestkit.practice.esx.model import DvGroup, Nic, PortGroup, Vm
from nestkit.practice.esx.network_view import effective

GATEWAY: Final = "192.0.2.1"  # TEST-NET-1, RFC 5737
KEPT: Final = timedelta(minutes=5)
_PINGS: Final = ("/bin/vmkping", "/bin/ping", "vmkping", "ping")


@dataclass(slots=True)
class Process:
    """A program that runs or has run in a guest."""

    pid: int
    boot: datetime | None
    command: str
    started: datetime
    ended: datetime | None = None
    exit_code: int | None = None


def passes(vm: Vm, nic: Nic) -> bool:
    """Whether frames of other MAC addresses than the NIC's own go out and come back."""
    group = vm.host.network(nic.network)
    if group is None or not nic.connected:
        return False
    if isinstance(group, DvGroup):
        hears = bool(group.security.promiscuous) or group.learning.enabled
        return hears and bool(group.security.forged_transmits)
    return _standard(vm, group)


def _standard(vm: Vm, group: PortGroup) -> bool:
    layer2 = effective(group, vm.host.switches[group.switch])
    return bool(layer2.promiscuous and layer2.forged_transmits)


def ping(vm: Vm, arguments: list[str]) -> tuple[int, float]:
    """The exit code of a ping and how many seconds it takes: 0 answered, 1 not, 2 wrong usage."""
    interface, count, target = "vmk0", 3, ""
    words = iter(arguments)
    for word in words:
        if word == "-I":
            interface = next(words, "")
        elif word == "-c":
            text = next(words, "")
            count = int(text) if text.isdecimal() and 0 < int(text) < 100 else 0
        elif word.startswith("-"):
            next(words, "")
        else:
            target = word
    if interface not in ("vmk0", "vmk1") or not target or not count:
        return 2, 0.0
    nic = next(iter(vm.nics), None)
    through = nic is not None and nic.connected and vm.host.network(nic.network) is not None
    if nic is not None and interface == "vmk1":
        through = passes(vm, nic)
    # a packet that nobody answers is waited for a second
    return (0, 0.1) if through and target == GATEWAY else (1, min(2.0, float(count)))


def _guest(ctx: Context, args: dict[str, Any]) -> Vm:
    """The VM whose guest is spoken to, when it can be."""
    world = ctx.service.world
    vm = world.vm(world.find("VirtualMachine", args["vm"]._GetMoId()).moid)
    if vm.power != "on":
        raise rules.wrong_power(vm, "poweredOn")
    if not vm.tools_running:
        raise vim.fault.GuestOperationsUnavailable(
            msg="The guest operations agent could not be contacted."
        )
    auth = args["auth"]
    named = isinstance(auth, vim.vm.guest.NamePasswordAuthentication)
    if not named or auth.username != "root" or not ctx.service.knows(auth.password or ""):
        raise vim.fault.InvalidGuestLogin(msg="Failed to authenticate with the guest system.")
    return vm


def _words(path: str, arguments: str) -> list[str]:
    """The program and its arguments; redirections have no effect on the exit code."""
    try:
        words = [path, *shlex.split(arguments)]
        if path == "/bin/sh" and len(words) == 3 and words[1] == "-c":
            words = shlex.split(words[2])
    except ValueError:
        raise rules.bad_argument("spec.arguments") from None
    cut = next((n for n, word in enumerate(words) if ">" in word), len(words))
    return words[:cut]


@method("StartProgramInGuest", privilege="VirtualMachine.GuestOperations.Execute")
def _start(ctx: Context, target: Managed, args: dict[str, Any]) -> int:
    service, vm, spec = ctx.service, _guest(ctx, args), args["spec"]
    words = _words(spec.programPath, spec.arguments or "")
    if not words or words[0] not in _PINGS:
        raise vim.fault.FileNotFound(
            file=spec.programPath, msg=f"File {spec.programPath} was not found."
        )
    running = service.world.processes.setdefault(vm.moid, [])
    _forget(running, vm)
    command = f"{spec.programPath} {spec.arguments or ''}".strip()
    pid = 2_000_000 + len(running) + 1
    process = Process(pid, vm.boot_time, command, datetime.now(UTC))
    running.append(process)
    exit_code, seconds = ping(vm, words[1:])

    def end() -> None:
        process.ended, process.exit_code = datetime.now(UTC), exit_code

    service.tasks.later(seconds, end)
    return pid


def _forget(processes: list[Process], vm: Vm) -> None:
    """A restart ends all; what has ended is told for a while."""
    oldest = datetime.now(UTC) - KEPT
    processes[:] = [
        p for p in processes if p.boot == vm.boot_time and (p.ended is None or p.ended > oldest)
    ]


@method("ListProcessesInGuest", privilege="VirtualMachine.GuestOperations.Query")
def _list(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    vm, wanted = _guest(ctx, args), args.get("pids") or []
    processes = ctx.service.world.processes.get(vm.moid, [])
    _forget(processes, vm)
    return [
        vim.vm.guest.ProcessManager.ProcessInfo(
            name=p.command.split()[0].rpartition("/")[2],
            pid=p.pid,
            owner="root",
            cmdLine=p.command,
            startTime=p.started,
            endTime=p.ended,
            exitCode=p.exit_code,
        )
        for p in processes
        if not wanted or p.pid in wanted
    ]
