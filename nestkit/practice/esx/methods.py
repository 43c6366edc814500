"""The methods a practice ESXi host answers, by their wire names."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from nestkit.practice.esx import lifecycle, networking, rules
from nestkit.practice.esx.api import vim, vmodl
from nestkit.practice.esx.managed import Managed
from nestkit.practice.esx.model import Host
from nestkit.practice.esx.sessions import Session
from nestkit.practice.esx.tasks import Subject

if TYPE_CHECKING:
    from nestkit.practice.esx.service import EsxService

SHUTDOWN_S: Final = 1.0  # how long a guest takes to shut down


@dataclass(slots=True)
class Context:
    """What a method may use."""

    service: EsxService
    session: Session | None
    version: str
    agent: str

    @property
    def user(self) -> Session:
        """The session, which there must be."""
        if self.session is None:
            raise vim.fault.NotAuthenticated(
                object=vim.ServiceInstance("ServiceInstance"),
                privilegeId="System.View",
                msg="The session is not authenticated.",
            )
        return self.session


Handler = Callable[[Context, Managed, dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Method:
    """A method: its handler, whether it needs a login, and the privilege a change needs."""

    run: Handler
    anonymous: bool = False
    privilege: str = ""


METHODS: Final[dict[str, Method]] = {}


def method(
    name: str, *, anonymous: bool = False, privilege: str = ""
) -> Callable[[Handler], Handler]:
    """Register a handler under a wire name."""

    def register(run: Handler) -> Handler:
        METHODS[name] = Method(run, anonymous, privilege)
        return run

    return register


# -- service instance and sessions --------------------------------------------------------------


@method("RetrieveServiceContent", anonymous=True)
def _content(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    return ctx.service.world.objects["ServiceInstance"].value("content")


@method("CurrentTime")
def _time(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    return datetime.now(UTC)


@method("Login", anonymous=True)
def _login(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    service = ctx.service
    if ctx.session is not None or not service.accepts(args["userName"], args.get("password") or ""):
        service.pause_after_wrong_login()
        raise vim.fault.InvalidLogin(
            msg="Cannot complete login due to an incorrect user name or password."
        )
    ctx.session = service.sessions.open(args["userName"], ctx.agent)
    return ctx.session.as_user_session()


@method("Logout")
def _logout(ctx: Context, target: Managed, args: dict[str, Any]) -> None:
    ctx.service.sessions.close(ctx.user)


@method("SessionIsActive")
def _session_active(ctx: Context, target: Managed, args: dict[str, Any]) -> bool:
    return bool(args["sessionID"] == ctx.user.key)


# -- virtual machines ---------------------------------------------------------------------------


def _vm_task(
    ctx: Context,
    target: Managed,
    name: str,
    wire_name: str,
    work: Callable[[], Any],
) -> Any:
    vm = ctx.service.world.vm(target.moid)
    subject = Subject(target.ref, vm.name, vm)
    return ctx.service.tasks.start(subject, name, wire_name, ctx.user.user, work, slow=True)


@method("ReconfigVM_Task", privilege="VirtualMachine.Config.Settings")
def _reconfigure(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    world = ctx.service.world
    vm, spec = world.vm(target.moid), args["spec"]
    work = partial(rules.reconfigure, vm, spec, world.inventory)
    return _vm_task(ctx, target, "VirtualMachine.reconfigure", "ReconfigVM_Task", work)


@method("UpgradeVM_Task", privilege="VirtualMachine.Config.UpgradeVirtualHardware")
def _upgrade(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    work = partial(rules.upgrade, ctx.service.world.vm(target.moid), args.get("version"))
    return _vm_task(ctx, target, "VirtualMachine.upgradeVirtualHardware", "UpgradeVM_Task", work)


@method("PowerOnVM_Task", privilege="VirtualMachine.Interact.PowerOn")
def _power_on(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    service, vm = ctx.service, ctx.service.world.vm(target.moid)

    def work() -> None:
        rules.check_power_on(vm, service.world.inventory)
        vm.tools_ready = vm.power == "suspended"
        lifecycle.boot(service.world, vm, service.faults.now.tools_after, service.tasks.later)

    return _vm_task(ctx, target, "VirtualMachine.powerOn", "PowerOnVM_Task", work)


@method("PowerOffVM_Task", privilege="VirtualMachine.Interact.PowerOff")
def _power_off(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    vm = ctx.service.world.vm(target.moid)

    def work() -> None:
        if vm.power == "off":
            raise rules.wrong_power(vm, "poweredOff")
        vm.power, vm.boot_time = "off", None

    return _vm_task(ctx, target, "VirtualMachine.powerOff", "PowerOffVM_Task", work)


@method("SuspendVM_Task", privilege="VirtualMachine.Interact.Suspend")
def _suspend(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    vm = ctx.service.world.vm(target.moid)

    def work() -> None:
        if vm.power != "on":
            raise rules.wrong_power(vm, "suspended")
        vm.power = "suspended"

    return _vm_task(ctx, target, "VirtualMachine.suspend", "SuspendVM_Task", work)


@method("ShutdownGuest", privilege="VirtualMachine.Interact.PowerOff")
def _shutdown(ctx: Context, target: Managed, args: dict[str, Any]) -> None:
    service, vm = ctx.service, ctx.service.world.vm(target.moid)
    if vm.power != "on":
        raise rules.wrong_power(vm, "poweredOff")
    if not vm.tools_running:
        raise vim.fault.ToolsUnavailable(
            msg="Cannot complete operation because VMware Tools is not running in this "
            "virtual machine."
        )
    if vm.task is not None:
        raise vim.fault.TaskInProgress(task=vim.Task(vm.task))
    if service.faults.now.shutdown_hangs:
        return
    boot = vm.boot_time

    def gone() -> None:
        if vm.power == "on" and vm.boot_time == boot:
            vm.power, vm.boot_time = "off", None

    service.tasks.later(SHUTDOWN_S, gone)


@method("CreateVM_Task", privilege="VirtualMachine.Inventory.Create")
def _create(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    world = ctx.service.world
    host = lifecycle.place(world, args.get("host"))
    work = partial(lifecycle.create, world, args["config"], host)
    subject = Subject(target.ref, target.value("name"))
    return ctx.service.tasks.start(
        subject, "Folder.createVm", "CreateVM_Task", ctx.user.user, work, slow=True
    )


@method("Destroy_Task", privilege="VirtualMachine.Inventory.Delete")
def _destroy(ctx: Context, target: Managed, args: dict[str, Any]) -> Any:
    if target.kind is not vim.VirtualMachine:
        raise vmodl.fault.NotSupported(msg="The practice host removes nothing but VMs.")
    world = ctx.service.world
    work = partial(lifecycle.destroy, world, world.vm(target.moid))
    return _vm_task(ctx, target, "VirtualMachine.destroy", "Destroy_Task", work)


# -- networking ---------------------------------------------------------------------------------


def _host_of(ctx: Context, target: Managed) -> Host:
    world = ctx.service.world
    hosts = world.inventory.hosts.values()
    host = next(h for h in hosts if world.host_part(h, "networkSystem") == target.moid)
    rules.check_host(host, change=True)
    return host


@method("UpdatePortGroup", privilege="Host.Config.Network")
def _update_port_group(ctx: Context, target: Managed, args: dict[str, Any]) -> None:
    host = _host_of(ctx, target)
    networking.update_port_group(ctx.service.world, host, args["pgName"], args["portgrp"])


@method("UpdateVirtualSwitch", privilege="Host.Config.Network")
def _update_switch(ctx: Context, target: Managed, args: dict[str, Any]) -> None:
    host = _host_of(ctx, target)
    networking.update_switch(ctx.service.world, host, args["vswitchName"], args["spec"])


@method("RefreshNetworkSystem", privilege="Host.Config.Network")
def _refresh_network(ctx: Context, target: Managed, args: dict[str, Any]) -> None:
    """Nothing to do: what is shown is always current."""


def wait(ctx: Context, deadline: float) -> None:
    """Let others work until something changes or the deadline passes."""
    ctx.service.world.changed.wait(max(0.0, min(deadline - time.monotonic(), 5.0)))


def not_modelled(name: str) -> Any:
    """The fault for a method that ESXi has and the practice host has not."""
    return vmodl.fault.NotSupported(msg=f"The practice host does not model {name}.")
