"""preflight, plan, apply, resume, rollback."""

from __future__ import annotations

import json
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
    say,
    stop_between_steps,
)
from nestkit.cli.vsphere_verbs import show_plan, survey
from nestkit.errors import Interrupted, NestkitError

if TYPE_CHECKING:
    from nestkit.plans import NestedGoal

URL = click.argument("url", metavar="URL")
NETWORKS = ("auto", "mac_learning", "promiscuous", "spoofing", "nat", "leave")
CONSENTS = {
    "discard-saved-state": "discard_saved_state",
    "hard-power-off": "hard_power_off",
    "upgrade-version": "upgrade_version",
}


@click.command()
@URL
@click.option("--vm", metavar="NAME", help="Only this VM, by name or UUID.")
@click.option("--as", "as_platform", type=click.Choice(["esx", "hyperv"]),
              help="Judge local:// by the hardware rows of this platform.")  # fmt: skip
@click.option("--strict", is_flag=True, help="A required fact that is unknown blocks too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def preflight(url: str, vm: str | None, as_platform: Any, strict: bool, as_json: bool) -> int:
    """Check whether a host and its VMs can nest.

    Says why not, and what to do.
    """
    from nestkit import connect
    from nestkit.preflight import check

    with closing(connect(url)) as host:
        if vm is None and getattr(host, "many_hosts", False):
            return survey(host, as_json=as_json, strict=strict, html=None, everything=True)
        report = check(host, vm=vm, as_platform=as_platform)
    say(json.dumps(report.to_json(), indent=2) if as_json else report, raw=as_json)
    return FINDINGS_BLOCK if report.blocked(strict=strict) else 0


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
    show_plan(made, script=script, save=save, as_json=as_json)


def _goal(
    *, no_reserve: bool, no_start: bool, consents: tuple[str, ...], **rest: Any
) -> NestedGoal:
    from nestkit.plans import NestedGoal

    rest |= {CONSENTS[word]: True for word in consents}
    return NestedGoal(reserve_memory=not no_reserve, start=not no_start, **rest)


@click.command()
@URL
@click.argument("plan_file", metavar="PLAN", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--accept", metavar="DIGEST", required=True,
              help="The plan's digest, as `nestkit plan` showed it.")  # fmt: skip
def apply(url: str, plan_file: Path, accept: str) -> int:
    """Carry out a saved plan and verify it.

    Prints the path of the journal, with which it can be taken back, also where it was cut short;
    nothing, where nothing was begun. Ctrl-C stops after the step; a second one interrupts it. A
    password of the guest comes from NESTKIT_GUEST_PASSWORD, the keyring, or a prompt.
    """
    from nestkit import configure, connect
    from nestkit.plans import Plan

    made = Plan.load(plan_file)
    with closing(connect(url)) as host:  # all is said before it is closed, which may take long
        try:
            with Progress() as progress, stop_between_steps() as cancel:
                outcome = configure.apply(
                    made, host, accept=accept, progress=progress, cancel=cancel
                )
        except (NestkitError, Interrupted) as error:
            if error.journal:
                say(error.journal, raw=True)
            raise
        say(outcome.journal, raw=True)
        say(outcome, err=True)
    return _status(done=outcome.verified, cancelled=outcome.cancelled)


def _status(*, done: bool, cancelled: bool) -> int:
    return INTERRUPTED if cancelled else 0 if done else NOT_DONE


JOURNAL = click.argument("journal", type=click.Path(dir_okay=False, path_type=Path))


@click.command()
@URL
@JOURNAL
def resume(url: str, journal: Path) -> int:
    """Finish an apply that was cut off."""
    from nestkit import configure, connect

    with closing(connect(url)) as host, Progress() as progress, stop_between_steps() as cancel:
        outcome = configure.resume(journal, host, progress=progress, cancel=cancel)
    say(outcome)
    return _status(done=outcome.verified, cancelled=outcome.cancelled)


@click.command()
@URL
@JOURNAL
@click.option("--hard-power-off", is_flag=True,
              help="Allow pulling the plug where the guest cannot be asked.")  # fmt: skip
def rollback(url: str, journal: Path, hard_power_off: bool) -> int:
    """Take back what a journal says was done.

    What someone else changed since is left alone and reported.
    """
    from nestkit import configure, connect

    with closing(connect(url)) as host, Progress() as progress, stop_between_steps() as cancel:
        result = configure.rollback(
            journal, host, hard_power_off=hard_power_off, progress=progress, cancel=cancel
        )
    say(result)
    return _status(done=result.complete, cancelled=result.cancelled)
