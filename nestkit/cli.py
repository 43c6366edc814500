"""The same verbs for a terminal.

Exit status: 0 ok, 1 findings that block, 2 could not be done, 130 interrupted.
What a script reads goes to standard output, what a person follows to standard error.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nestkit import __version__
from nestkit.errors import NestkitError

if TYPE_CHECKING:
    from nestkit.plans import NestedGoal

FINDINGS_BLOCK = 1
NOT_DONE = 2
INTERRUPTED = 130


class Progress:
    """One line a person can follow on standard error; a few plain lines where it is a file."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.last = ""
        self.shown_at = 0.0

    def __call__(
        self, message: str, done: float = 0, total: float = 0, eta_s: float | None = None
    ) -> None:
        text = message + (f"  {done:g}/{total:g}" if total else "")
        text += f"  about {eta_s:.0f} s left" if eta_s is not None else ""
        now = time.monotonic()
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            click.echo(f"\r\x1b[K{text[:width]}", err=True, nl=False)
        elif message != self.last or now - self.shown_at > 10:
            click.echo(text, err=True)
            self.shown_at = now
        self.last = message

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.live and self.last:
            click.echo("\r\x1b[K", err=True, nl=False)


URL = click.argument("url", metavar="URL")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Nested virtualization on ESXi 8 and Hyper-V: preflight, configure, benchmark.

    URL is esx://root@esxi01.lab, local://, or practice://esx for a practice host. A password
    comes from NESTKIT_PASSWORD, the keyring, or a prompt; never from the address.

    \b
    Shell completion, for bash (zsh and fish alike):
      eval "$(_NESTKIT_COMPLETE=bash_source nestkit)"
    """


@cli.command()
@URL
@click.option("--vm", metavar="NAME", help="Only this VM, by name or UUID.")
@click.option("--as", "as_platform", type=click.Choice(["esx", "hyperv"]),
              help="Judge local:// by the hardware rows of this platform.")  # fmt: skip
@click.option("--strict", is_flag=True, help="A required fact that is unknown blocks too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def preflight(url: str, vm: str | None, as_platform: Any, strict: bool, as_json: bool) -> int:
    """Can this host and its VMs nest, and if not, why and what to do?"""
    from nestkit import connect
    from nestkit.preflight import check

    with closing(connect(url)) as host:
        report = check(host, vm=vm, as_platform=as_platform)
    click.echo(json.dumps(report.to_json(), indent=2, ensure_ascii=False) if as_json else report)
    return FINDINGS_BLOCK if report.blocked(strict=strict) else 0


@cli.command()
@URL
@click.option("--vm", metavar="NAME", required=True, help="The VM, by name or UUID.")
@click.option("--cpu", "cpu_count", type=click.IntRange(1, 768), default=0, metavar="N",
              help="Virtual CPUs to give  [default: keep, at least 2]")  # fmt: skip
@click.option("--memory", "memory_gib", type=click.IntRange(1, 24 * 1024), default=0,
              metavar="GIB", help="Memory to give, GiB  [default: keep, at least 8]")  # fmt: skip
@click.option("--no-reserve", is_flag=True, help="Do not reserve the VM's memory.")
@click.option("--network", type=click.Choice(["promiscuous", "leave"]), default="promiscuous",
              show_default=True, help="What to do with the VM's own port groups.")  # fmt: skip
@click.option("--no-start", is_flag=True, help="Do not start the VM at the end.")
@click.option("--hard-power-off", is_flag=True,
              help="Allow pulling the plug where the guest cannot be asked.")  # fmt: skip
@click.option("--script", metavar="KIND",
              help="Print the plan as powercli, govc, pyvmomi or gui steps.")  # fmt: skip
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the plan here, for `nestkit apply`.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON.")
def plan(
    url: str, vm: str, script: str | None, save: Path | None, as_json: bool, **goal: Any
) -> None:
    """What would be changed so that the VM can host a hypervisor. Changes nothing."""
    from nestkit import configure, connect

    with closing(connect(url)) as host:
        made = configure.plan(host, vm, _goal(**goal))
    if save:
        made.save(save)
        click.echo(f"saved as {save}", err=True)
    if script:
        click.echo(made.script(script))
    elif as_json:
        click.echo(json.dumps(made.to_json() | {"digest": made.digest}, indent=2))
    else:
        click.echo(made)


def _goal(*, no_reserve: bool, no_start: bool, **rest: Any) -> NestedGoal:
    from nestkit.plans import NestedGoal

    return NestedGoal(reserve_memory=not no_reserve, start=not no_start, **rest)


@cli.command()
@URL
@click.argument("plan_file", metavar="PLAN", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--accept", metavar="DIGEST", required=True,
              help="The plan's digest, as `nestkit plan` showed it.")  # fmt: skip
def apply(url: str, plan_file: Path, accept: str) -> int:
    """Carry out a saved plan, verify it, and print the journal's path."""
    from nestkit import configure, connect
    from nestkit.plans import Plan

    made = Plan.load(plan_file)
    with closing(connect(url)) as host, Progress() as progress:
        outcome = configure.apply(made, host, accept=accept, progress=progress)
    click.echo(outcome.journal)
    click.echo(outcome, err=True)
    return 0 if outcome.verified else NOT_DONE


JOURNAL = click.argument("journal", type=click.Path(dir_okay=False, path_type=Path))


@cli.command()
@URL
@JOURNAL
def resume(url: str, journal: Path) -> int:
    """Finish an apply that was cut off."""
    from nestkit import configure, connect

    with closing(connect(url)) as host, Progress() as progress:
        outcome = configure.resume(journal, host, progress=progress)
    click.echo(outcome)
    return 0 if outcome.verified else NOT_DONE


@cli.command()
@URL
@JOURNAL
@click.option("--hard-power-off", is_flag=True,
              help="Allow pulling the plug where the guest cannot be asked.")  # fmt: skip
def rollback(url: str, journal: Path, hard_power_off: bool) -> int:
    """Take back what a journal says was done; what someone else changed is left and said."""
    from nestkit import configure, connect

    with closing(connect(url)) as host, Progress() as progress:
        result = configure.rollback(journal, host, hard_power_off=hard_power_off, progress=progress)
    click.echo(result)
    return 0 if result.complete else NOT_DONE


@cli.group()
def practice() -> None:
    """Practice hosts: they speak the real protocols, and are no proof for a real host."""


def _practice_kind(kind: str) -> None:
    @click.option("--profile", default="default", show_default=True, help="Which inventory.")
    @click.option("--vms", type=click.IntRange(0), default=0, help="So many VMs more.")
    @click.option("--faults", default="", metavar="LIST", help="As slow_task=3,drop_after=5.")
    @click.option("--seed", type=int, help="Other faults for each learner.")
    @click.option("--json", "as_json", is_flag=True, help="One line of JSON, password included.")
    def serve(as_json: bool, **options: Any) -> None:
        from nestkit.practice import serve_foreground

        serve_foreground(kind, json_output=as_json, **options)

    practice.command(kind, help=f"Run a private {kind} practice host until Ctrl-C.")(serve)


for _kind in ("esx", "vpx", "hyperv"):
    _practice_kind(_kind)


@practice.command("status")
@click.option("--json", "as_json", is_flag=True)
def practice_status(as_json: bool) -> None:
    """The shared practice hosts that run now."""
    from nestkit.practice import status

    rows = status()
    if as_json:
        click.echo(json.dumps(rows))
    for row in () if as_json else rows:
        click.echo("  ".join(f"{name} {value}" for name, value in row.items()))
    if not rows and not as_json:
        click.echo("no practice host runs; practice://esx starts one when it is used")


@practice.command("reset")
@click.argument("kind", required=False)
def practice_reset(kind: str | None) -> None:
    """Back to the inventory's first state, at the same address."""
    from nestkit.practice import reset

    click.echo(f"{reset(kind)} practice hosts reset")


@practice.command("stop")
@click.argument("kind", required=False)
def practice_stop(kind: str | None) -> None:
    """End the shared practice hosts."""
    from nestkit.practice import stop

    click.echo(f"{stop(kind)} practice hosts stopped")


@cli.group()
def lab() -> None:
    """A real VM in a VM (in a VM), on this machine."""


DEPTH = click.option("--depth", type=int, default=2, show_default=True,
                     help="How many VMs, one in the other.")  # fmt: skip


@lab.command("run", context_settings={"ignore_unknown_options": True})
@DEPTH
@click.option("--timeout", type=click.FloatRange(1), default=600, show_default=True, metavar="S",
              help="Deadline of the command, seconds.")  # fmt: skip
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def lab_run(depth: int, timeout: float, command: tuple[str, ...]) -> int:
    """Run COMMAND in the innermost VM; its output and exit status are passed on."""
    from nestkit import lab as laboratory

    with Progress() as progress:
        running = laboratory.up(depth=depth, progress=progress)
    with running:
        done = running.layers[-1].run(list(command), timeout=timeout)
    click.echo(done.stdout, nl=False)
    click.echo(done.stderr, nl=False, err=True)
    return done.rc


@lab.command("build")
def lab_build() -> None:
    """Fetch and build the lab's image now, so that it is there without a network."""
    from nestkit import lab as laboratory

    with Progress() as progress:
        image = laboratory.build_image(progress=progress)
    click.echo(image)


@lab.command("clean")
def lab_clean() -> None:
    """Remove the lab's cached images."""
    from nestkit import lab as laboratory

    laboratory.clean()


@cli.command()
@click.argument("layers", metavar="lab://|local://")
@DEPTH
@click.option("--suite", type=click.Choice(["quick", "full"]), default="quick", show_default=True)
@click.option("--workload", "workloads", multiple=True, help="Only this one; may be repeated.")
@click.option("--rounds", type=click.IntRange(2), help="Instead of the suite's number.")
@click.option("--seed", type=int, help="Order of layers and workloads.")
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the run here.")  # fmt: skip
@click.option("--chart", type=click.Path(dir_okay=False, path_type=Path), metavar="PNG",
              help="Draw the slowdown here.")  # fmt: skip
def benchmark(
    layers: str, depth: int, save: Path | None, chart: Path | None, **options: Any
) -> None:
    """What each layer costs, measured."""
    from nestkit import benchmark as bench
    from nestkit import charts, runners
    from nestkit import lab as laboratory

    options["workloads"] = options["workloads"] or None
    with Progress() as progress:
        if layers == "lab://":
            with laboratory.up(depth=depth, progress=progress) as running:
                run = bench.run(running.layers, progress=progress, **options)
        elif layers == "local://":
            run = bench.run([runners.LocalRunner()], progress=progress, **options)
        else:
            raise click.UsageError("name lab:// or local://")
    if save:
        run.save(save)
        click.echo(f"saved as {save}", err=True)
    if chart:
        charts.slowdown(run).savefig(chart, dpi=150)
        click.echo(f"drawn in {chart}", err=True)
    click.echo(run)


@cli.command()
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.argument("lesson", default="00")
def course(lesson: str, no_browser: bool) -> int:
    """Open JupyterLab at LESSON (00, 02, …)."""
    from nestkit.course.launch import open_lesson

    return open_lesson(lesson, browser=False if no_browser else None)


@cli.command()
@click.option("--json", "as_json", is_flag=True)
def progress(as_json: bool) -> None:
    """What has been done of the course so far."""
    from nestkit.course import progress as record

    summary = record.summary()
    click.echo(json.dumps(summary.to_json(), indent=2) if as_json else summary)


def main() -> None:
    """Entry point: every error becomes its message, its remedy and an exit status."""
    try:
        status = cli.main(standalone_mode=False)
    except NestkitError as error:
        click.echo(f"nestkit: {error}", err=True)
        status = NOT_DONE
    except click.ClickException as error:
        error.show()
        status = NOT_DONE
    except (click.Abort, KeyboardInterrupt):
        click.echo("nestkit: interrupted", err=True)
        status = INTERRUPTED
    except BrokenPipeError:  # the reader had enough, as with `nestkit … | head`
        sys.stderr.close()
        status = 0
    sys.exit(status or 0)
