"""The practice host's state over time: who acts on it, starting, stopping, guests that boot."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NoReturn

from nestkit.practice.faults import Switchboard
from nestkit.practice.hyperv.messages import error
from nestkit.practice.hyperv.model import GIB, WS2022, Computer, Vm, version_key
from nestkit.practice.hyperv.values import PsError

GRACEFUL_S: Final = 0.1  # how long a guest takes to shut down
HANG_S: Final = 2.0  # how long Stop-VM waits for a guest that does not
# Microsoft Learn, "Run Hyper-V in a Virtual Machine with Nested Virtualization" (2025-06)
AMD_VERSION: Final = "9.3"
INTEL_VERSION: Final = "8.0"
AMD_HOST_BUILD: Final = WS2022
DIRECT_BUILD: Final = 10240  # PowerShell Direct needs Windows 10 or Server 2016 in the guest


class Cancelled(Exception):
    """The client stopped the command."""


class World:
    """The host, its lock and its faults. Everything in the model is changed under ``lock``."""

    def __init__(self, build: Callable[[], Computer], faults: Switchboard) -> None:
        self._build = build
        self.faults = faults
        self.lock = threading.RLock()
        self.is_administrator = True
        self.host = build()

    def reset(self) -> None:
        """Back to the inventory's first state."""
        with self.lock:
            self.host = self._build()


@dataclass(slots=True)
class Session:
    """One script's view: the computer it runs on, and who runs it."""

    world: World
    computer: Computer
    user: str
    password: str  # of the practice host; guests take the same
    cancelled: threading.Event = field(default_factory=threading.Event)
    on_restart: Callable[[], None] = lambda: None  # the host itself restarts

    @property
    def may_manage(self) -> bool:
        """Whether the user is an administrator of Hyper-V here."""
        allowed = self.world.is_administrator and not self.world.faults.now.no_permission
        return self.computer.is_guest or allowed

    def error(self, key: str, cmdlet: str, **words: object) -> PsError:
        """An error in the host's language."""
        return error(key, cmdlet, german=bool(self.world.faults.now.german), **words)

    def wait(self, seconds: float) -> None:
        """Let time pass; others work meanwhile.

        Raises
        ------
        Cancelled
            The client stopped the command.
        """
        if self.cancelled.wait(seconds):
            raise Cancelled

    @contextmanager
    def operation(self, vm: Vm, cmdlet: str, what: str) -> Iterator[None]:
        """Work on a VM alone: a second operation meanwhile is refused."""
        with self.world.lock:
            if vm.busy:
                raise self.state_error(vm, cmdlet, what, state=vm.busy)
            vm.busy = what
        try:
            slow = self.world.faults.now.slow_task
            if slow:
                self.wait(slow)
            yield
        finally:
            vm.busy = ""

    def state_error(self, vm: Vm, cmdlet: str, what: str, *, state: str = "") -> PsError:
        """The VM's state does not allow this."""
        return self.error(
            "state", cmdlet, name=vm.name, id=vm.id, what=what, state=state or vm.state
        )

    # -- power --------------------------------------------------------------------------------

    def start(self, vm: Vm, cmdlet: str) -> None:
        """Start, resume or restore a VM.

        Raises
        ------
        PsError
            It cannot be started; its state is as before.
        """
        with self.operation(vm, cmdlet, "Start"), self.world.lock:
            if vm.state == "Paused":
                vm.state = "Running"
                return
            self._check_start(vm, cmdlet)
            was_saved = vm.state == "Saved"
            vm.state = "Running"
            vm.started_at = time.monotonic()
            if not was_saved:
                self.boot(vm)

    def _check_start(self, vm: Vm, cmdlet: str) -> None:
        def refuse(key: str, **words: object) -> NoReturn:
            raise self.error(key, cmdlet, name=vm.name, id=vm.id, **words)

        host = self.computer
        if self.world.faults.spend("start_fails"):
            refuse("start")
        if not host.hypervisor_present or (host.is_guest and not host.has_role):
            refuse("no-hypervisor")
        if vm.version not in host.versions:
            refuse("version", version=vm.version)
        if vm.exposes and not self.can_nest(vm):
            refuse("no-nesting")
        if vm.startup > host.free_memory:
            refuse("memory", mib=vm.startup // 2**20)

    def can_nest(self, vm: Vm) -> bool:
        """Whether a VM with exposed extensions can run here."""
        host = self.computer
        if not host.offer_nested or host.is_guest:
            return False
        if host.vendor == "amd":
            new = version_key(vm.version) >= version_key(AMD_VERSION)
            return host.build >= AMD_HOST_BUILD and new
        return version_key(vm.version) >= version_key(INTEL_VERSION)

    def boot(self, vm: Vm) -> None:
        """The guest starts anew and answers a while later."""
        guest = vm.guest
        guest.ready_at = time.monotonic() + self.world.faults.now.guest_after
        guest.is_lost = False
        if guest.computer is None:
            return
        guest.computer.role_pending = False
        guest.computer.booted = datetime.now(UTC)
        fit_guest(vm)

    def restart(self) -> None:
        """The computer restarts from inside: a guest is away for a while, the host ends shells."""
        computer = self.computer
        if not computer.is_guest:
            computer.role_pending = False
            computer.hypervisor_runs = computer.has_role and computer.firmware_virtualization
            computer.booted = datetime.now(UTC)
            self.on_restart()
            return
        for vm in self.world.host.vms.values():
            if vm.guest.computer is computer:
                self.boot(vm)
                vm.guest.is_lost = bool(self.world.faults.now.guest_lost)

    def shut_down(self, vm: Vm, cmdlet: str) -> None:
        """Ask the guest to shut down, and wait for it.

        Raises
        ------
        PsError
            The guest does not listen, or does not end in time.
        """
        with self.operation(vm, cmdlet, "Stop"):
            if vm.state != "Running":
                raise self.state_error(vm, cmdlet, "Stop")
            if not is_answering(vm):
                raise self.error("not-ready", cmdlet, name=vm.name, id=vm.id)
            if self.world.faults.now.shutdown_hangs:
                self.wait(HANG_S)
                raise self.error("timeout", cmdlet, name=vm.name, id=vm.id)
            self.wait(GRACEFUL_S)
            vm.state = "Off"

    def turn_off(self, vm: Vm, cmdlet: str) -> None:
        """Pull the plug."""
        with self.operation(vm, cmdlet, "Stop"):
            if vm.state not in ("Running", "Paused"):
                raise self.state_error(vm, cmdlet, "Stop")
            vm.state = "Off"

    def save(self, vm: Vm, cmdlet: str) -> None:
        """Save the VM's state to disk."""
        with self.operation(vm, cmdlet, "Save"):
            if vm.state not in ("Running", "Paused"):
                raise self.state_error(vm, cmdlet, "Save")
            vm.state = "Saved"

    # -- finding ------------------------------------------------------------------------------

    def require_admin(self, cmdlet: str) -> None:
        """Refuse who is no administrator of Hyper-V, and hosts without the role.

        Raises
        ------
        PsError
            Which of both it is.
        """
        if not self.computer.has_role or self.computer.role_pending:
            raise self.error("no-cmdlet", cmdlet, name=cmdlet)
        if not self.may_manage:
            raise self.error("denied", cmdlet, computer=self.computer.name)

    def vm_by_id(self, vm_id: uuid.UUID) -> Vm | None:
        """The VM of this id."""
        return self.computer.vms.get(vm_id)


def is_answering(vm: Vm) -> bool:
    """Whether the guest's integration services answer."""
    guest = vm.guest
    return (
        vm.state == "Running"
        and guest.os != "none"
        and not guest.is_lost
        and time.monotonic() >= guest.ready_at
    )


def can_be_entered(vm: Vm) -> bool:
    """Whether PowerShell Direct reaches the guest."""
    return is_answering(vm) and vm.guest.computer is not None and vm.guest.build >= DIRECT_BUILD


def fit_guest(vm: Vm) -> None:
    """The guest sees the VM's hardware as it is set now."""
    inside = vm.guest.computer
    if inside is None:
        return
    inside.cores = inside.threads = vm.cpu_count
    inside.memory = vm.startup
    inside.os_memory = min(2 * GIB, vm.startup // 2)
    inside.firmware_virtualization = inside.slat = vm.exposes
    inside.hypervisor_runs = vm.exposes and inside.has_role
