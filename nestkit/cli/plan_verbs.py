"""plan, plan-new, kickstart: what would be done, as text, script or file."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nestkit.cli.terminal import OUTPUT, URL, say

if TYPE_CHECKING:
    from nestkit.plans import NestedGoal, Plan

NETWORKS = ("auto", "mac_learning", "promiscuous", "spoofing", "nat", "leave")
CONSENTS = {
    "discard-saved-state": "discard_saved_state",
    "hard-power-off": "hard_power_off",
    "upgrade-version": "upgrade_version",
}


@click.command()
@URL
@click.option("--vm", metavar="NAME", required=True, help="The VM, by name or UUID.")
@click.option("--cpu", "cpu_count", type=click.IntRange(0, 768), default=0, metavar="N",
              help="Virtual CPUs to give; 0: keep, but at least 2.")  # fmt: skip
@click.option("--memory", "memory_gib", type=click.IntRange(0, 24 * 1024), default=0,
              metavar="GIB",
              help="Memory to give, GiB; 0: keep, but at least the minimum.")  # fmt: skip
@click.option("--no-reserve", is_flag=True, help="Do not reserve the VM's memory.")
@click.option("--network", default="auto", show_default=True,
              type=click.Choice(NETWORKS),
              help="How frames of the VMs inside get through the VM's own networks.")  # fmt: skip
@click.option("--no-start", is_flag=True, help="Do not start the VM at the end.")
@click.option("--hard-power-off", is_flag=True,
              help="Allow pulling the plug where the guest cannot be asked.")  # fmt: skip
@click.option("--upgrade-version", is_flag=True,
              help="Allow upgrading the VM's version, which cannot be taken back.")  # fmt: skip
@click.option("--consent", "consents", multiple=True, type=click.Choice(sorted(CONSENTS)),
              help="Allow what cannot be taken back, each by its name.")  # fmt: skip
@click.option("--nic", "nics", metavar="NAME", multiple=True,
              help="Hyper-V: only this NIC may spoof, by name or id; may be repeated.")  # fmt: skip
@click.option("--nat-prefix", default="", metavar="NETWORK",
              help="Hyper-V: the network behind the NAT inside.")  # fmt: skip
@click.option("--install-role", is_flag=True,
              help="Hyper-V: install the role inside, through PowerShell Direct.")  # fmt: skip
@click.option("--guest-user", default="Administrator", show_default=True, metavar="NAME",
              help="Hyper-V: an administrator of the guest; apply needs the password.")  # fmt: skip
@click.option("--script", metavar="KIND",
              help="Print it as powercli, govc, pyvmomi, powershell or gui steps.")  # fmt: skip
@click.option("--save", type=OUTPUT, metavar="FILE",
              help="Write the plan here, for `nestkit apply`.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON.")
def plan(
    url: str, vm: str, script: str | None, save: Path | None, as_json: bool, **goal: Any
) -> None:
    """Show what would be changed so that a VM can nest.

    Changes nothing.
    """
    from nestkit import configure, connect

    with closing(connect(url)) as host:
        made = configure.plan(host, vm, goal=_goal(**goal))
    _show(made, script=script, save=save, as_json=as_json)


def _goal(
    *, no_reserve: bool, no_start: bool, consents: tuple[str, ...], **rest: Any
) -> NestedGoal:
    from nestkit.plans import NestedGoal

    rest |= {CONSENTS[word]: True for word in consents}
    return NestedGoal(reserve_memory=not no_reserve, start=not no_start, **rest)


@click.command("plan-new")
@URL
@click.argument("name", metavar="NAME")
@click.option("--on", "networks", multiple=True, metavar="NETWORK",
              help="Port group or switch of the adapters, in turn; may be repeated.")  # fmt: skip
@click.option("--cpu", "cpu_count", type=click.IntRange(0), default=0, metavar="N",
              help="Virtual CPUs; 0: the usual number.")  # fmt: skip
@click.option("--memory", "memory_gib", type=click.IntRange(0), default=0, metavar="GIB",
              help="Memory, GiB; 0: the guide's recommendation.")  # fmt: skip
@click.option("--disk", "disk_gib", type=click.IntRange(0), default=0, metavar="GIB",
              help="Disk, GiB; 0: the usual size.")  # fmt: skip
@click.option("--nics", "nic_count", type=click.IntRange(0), default=0, metavar="N",
              help="Network adapters; 0: the usual number.")  # fmt: skip
@click.option("--location", default="", metavar="PLACE",
              help="Datastore (vSphere) or folder (Hyper-V) for its files.")  # fmt: skip
@click.option("--iso", default="", metavar="PATH",
              help='Installer on the host: "[datastore] folder/name.iso", or a path.')  # fmt: skip
@click.option("--on-host", default="", metavar="HOST", help="ESXi host, where there are several.")
@click.option("--network", default="auto", show_default=True,
              type=click.Choice(["auto", "mac_learning", "promiscuous", "leave"]),
              help="How frames of the VMs inside get through the networks.")  # fmt: skip
@click.option("--no-reserve", is_flag=True, help="Do not reserve the VM's memory.")
@click.option("--no-start", is_flag=True, help="Do not start the VM at the end.")
@click.option("--script", metavar="KIND", help="Print the plan as a script of this kind.")
@click.option("--save", type=OUTPUT, metavar="FILE",
              help="Write the plan here, for `nestkit apply`.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON.")
def plan_new(
    url: str, script: str | None, save: Path | None, as_json: bool, no_reserve: bool,
    no_start: bool, **goal: Any,
) -> None:  # fmt: skip
    """Show how a VM that is to host a hypervisor would be created.

    Changes nothing.
    """
    from nestkit import configure, connect
    from nestkit.plans import CreateGoal

    wanted = CreateGoal(reserve_memory=not no_reserve, start=not no_start, **goal)
    with closing(connect(url)) as host:
        made = configure.plan_new(host, wanted)
    _show(made, script=script, save=save, as_json=as_json)


def _show(made: Plan, *, script: str | None, save: Path | None, as_json: bool) -> None:
    """Save a plan where that is asked for, and say it as text, script or JSON."""
    if save:
        made.save(save)
        say(f"saved as {save}", err=True)
    if script:
        say(made.script(script), raw=True)
    elif as_json:
        say(json.dumps(made.to_json() | {"digest": made.digest}, indent=2), raw=True)
    else:
        say(made)


@click.command()
@click.option("--hostname", default="", metavar="NAME", help="Name of the nested host.")
@click.option("--ip", default="", metavar="ADDRESS", help="Fixed address; without it, DHCP.")
@click.option("--netmask", default="", metavar="MASK")
@click.option("--gateway", default="", metavar="ADDRESS")
@click.option("--dns", "nameserver", default="", metavar="ADDRESS")
@click.option("--password-hash", default="", metavar="HASH",
              help="The root password's crypt hash ($6$…), never the password.")  # fmt: skip
@click.option("--save", type=OUTPUT, metavar="FILE", help="Write it here.")
def kickstart(save: Path | None, **settings: str) -> None:
    """Write a kickstart file for the ESXi installer.

    With it the installer asks nothing.
    """
    from nestkit.scripts.kickstart import text

    written = text(**settings)
    if save:
        save.write_text(written, encoding="ascii")
        say(f"saved as {save}", err=True)
    else:
        say(written, raw=True)
