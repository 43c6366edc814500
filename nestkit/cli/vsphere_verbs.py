"""fleet, plan-new, kickstart."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nestkit.cli.terminal import (
    FINDINGS_BLOCK,
    INTERRUPTED,
    NOT_DONE,
    OUTPUT,
    Progress,
    drop_what_cannot_be_written,
    say,
    stop_between_steps,
)

if TYPE_CHECKING:
    from nestkit.hosts.base import Host
    from nestkit.plans import Plan

URL = click.argument("url", metavar="URL")


def survey(host: Host, *, as_json: bool, strict: bool, html: Path | None, everything: bool) -> int:
    """Read a fleet and say what was found; the exit status."""
    from nestkit.preflight import fleet as read_fleet
    from nestkit.preflight.fleet_report import OPEN

    with Progress() as progress, stop_between_steps() as cancel:
        report = read_fleet(
            host,
            progress=lambda message, done: progress(f"{message}: {done}"),
            cancel=cancel,
        )
    if html:
        report.save_html(html)
        say(f"saved as {html}", err=True)
    if as_json:
        try:
            report.write_json(sys.stdout, *(() if everything else OPEN))
        except BrokenPipeError:  # the reader has had enough
            drop_what_cannot_be_written()
    else:
        say(report)
    if cancel.is_set():
        return INTERRUPTED
    if report.stopped:
        return NOT_DONE
    return FINDINGS_BLOCK if report.blocked(strict=strict) else 0


@click.command()
@URL
@click.option("--strict", is_flag=True,
              help="A required unknown, or a VM that cannot be read, blocks too.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.option("--all", "everything", is_flag=True, help="In JSON, what passed as well.")
@click.option("--html", type=OUTPUT, metavar="FILE", help="Write a page that can be filtered.")
def fleet(url: str, strict: bool, as_json: bool, everything: bool, html: Path | None) -> int:
    """Check all VMs of a vCenter or a host.

    What only a VM's devices tell is left to `nestkit preflight URL --vm NAME`. Interrupted, it
    says what was read until then.
    """
    from nestkit import connect

    with closing(connect(url)) as host:
        return survey(host, as_json=as_json, strict=strict, html=html, everything=everything)


def show_plan(made: Plan, *, script: str | None, save: Path | None, as_json: bool) -> None:
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
    show_plan(made, script=script, save=save, as_json=as_json)


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
