"""preflight, fleet."""

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
    URL,
    Progress,
    drop_what_cannot_be_written,
    say,
    stop_between_steps,
)

if TYPE_CHECKING:
    from nestkit.hosts.base import Host


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
            return _survey(host, as_json=as_json, strict=strict, html=None, everything=True)
        report = check(host, vm=vm, as_platform=as_platform)
    say(json.dumps(report.to_json(), indent=2) if as_json else report, raw=as_json)
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
        return _survey(host, as_json=as_json, strict=strict, html=html, everything=everything)


def _survey(host: Host, *, as_json: bool, strict: bool, html: Path | None, everything: bool) -> int:
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
