"""practice, lab, benchmark: what runs on this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nestkit.cli.terminal import INTERRUPTED, OUTPUT, PICTURE, Progress, pass_on, say
from nestkit.errors import NestkitError
from nestkit.practice.options import KINDS
from nestkit.wording import counted

if TYPE_CHECKING:
    from nestkit.benchmark import Run
    from nestkit.lab import Lab
    from nestkit.runners import Runner


@click.group()
def practice() -> None:
    """Run hosts to practise on.

    They speak the real protocols, and are no proof for a real host.
    """


def _practice_kind(kind: str) -> None:
    @click.option("--profile", default="default", show_default=True, help="Which inventory.")
    @click.option("--vms", type=click.IntRange(0), default=0, help="So many VMs more.")
    @click.option("--faults", default="", metavar="LIST", help="As slow_task=3,drop_after=5.")
    @click.option("--seed", type=int, help="Other faults for each learner.")
    @click.option("--json", "as_json", is_flag=True, help="One line of JSON, password included.")
    def serve(as_json: bool, **options: Any) -> None:
        from nestkit.practice import make, serve_foreground

        serve_foreground(make(kind, options), json_output=as_json)

    practice.command(kind, help=f"Run a private {kind} practice host until Ctrl-C.")(serve)


for _kind in KINDS:
    _practice_kind(_kind)


@practice.command("status")
@click.option("--json", "as_json", is_flag=True)
def practice_status(as_json: bool) -> None:
    """The shared practice hosts that run now."""
    from nestkit.practice import status
    from nestkit.practice.faults import in_words

    rows = status()
    if as_json:
        say(json.dumps(rows), raw=True)
    for row in () if as_json else rows:
        shown = row | {"faults": in_words(row["faults"]) or "none"}
        say("  ".join(f"{name} {value}" for name, value in shown.items()))
    if not rows and not as_json:
        say("no practice host runs; practice://esx starts one when it is used")


@practice.command("reset")
@click.argument("kind", required=False)
def practice_reset(kind: str | None) -> None:
    """Back to the inventory's first state, at the same address."""
    from nestkit.practice import reset

    say(f"{counted(reset(kind), 'practice host')} reset")


@practice.command("stop")
@click.argument("kind", required=False)
def practice_stop(kind: str | None) -> None:
    """End the shared practice hosts."""
    from nestkit.practice import stop

    say(f"{counted(stop(kind), 'practice host')} stopped")


@click.group()
def lab() -> None:
    """Boot a real VM in a VM on this machine."""


def _depth(_context: click.Context, _option: click.Parameter, value: str) -> int:
    """The depth, or the lab's own words on what depths there are."""
    from nestkit.lab.limits import check_depth

    return check_depth(int(value) if value.isascii() and value.isdigit() else value)


DEPTH = click.option("--depth", callback=_depth, default="2", metavar="1|2|3", show_default=True,
                     help="How many VMs, one in the other.")  # fmt: skip
NPT = click.option("--no-npt", is_flag=True,
                   help="Without nested paging (EPT or RVI).")  # fmt: skip
WAIT = click.option("--wait", type=click.FloatRange(0), metavar="S",
                    help="Deadline of waiting for labs ahead; 0: do not wait.")  # fmt: skip


@lab.command("run", context_settings={"ignore_unknown_options": True})
@DEPTH
@NPT
@WAIT
@click.option("--timeout", type=click.FloatRange(1), default=600, show_default=True, metavar="S",
              help="Deadline of the command, seconds.")  # fmt: skip
@click.option("--timings", is_flag=True, help="Say how long each phase took.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def lab_run(
    depth: int,
    no_npt: bool,
    wait: float | None,
    timeout: float,
    timings: bool,
    command: tuple[str, ...],
) -> int:
    """Run COMMAND in the innermost VM; its output and exit status are passed on."""
    from nestkit import lab as laboratory

    with Progress() as progress:
        running = laboratory.up(depth=depth, npt=not no_npt, wait=wait, progress=progress)
    with running:
        done = running.layers[-1].run(list(command), timeout=timeout)
    pass_on(done.stdout)
    pass_on(done.stderr, err=True)
    if timings:
        say(running.timings, err=True)
    return done.rc


@lab.command("build")
def lab_build() -> None:
    """Fetch and build the lab's image now, so that it is there without a network."""
    from nestkit import lab as laboratory

    with Progress() as progress:
        image = laboratory.build_image(progress=progress)
    say(image.folder)


@lab.command("queue")
def lab_queue() -> None:
    """Show the labs that run or wait on this machine."""
    from nestkit import lab as laboratory

    say("\n".join(map(str, laboratory.queue())) or "no lab runs")


@lab.command("clean")
def lab_clean() -> None:
    """Remove the lab's cached images."""
    from nestkit import lab as laboratory

    say(f"{laboratory.clean() / 2**20:.0f} MiB freed")


@click.command()
@click.argument("layers", metavar="lab://|local://")
@DEPTH
@NPT
@WAIT
@click.option("--suite", type=click.Choice(["quick", "full"]), default="quick", show_default=True)
@click.option("--workload", "workloads", multiple=True, help="Only this one; may be repeated.")
@click.option("--rounds", type=click.IntRange(2), help="Instead of the suite's number.")
@click.option("--seed", type=int, help="Order of layers and workloads.")
@click.option(
    "--time-budget",
    "time_budget_s",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    help="Start nothing after so many seconds.",
)
@click.option("--save", type=OUTPUT, metavar="FILE",
              help="Write the run here, too.")  # fmt: skip
@click.option("--chart", type=PICTURE, metavar="PNG",
              help="Draw the slowdown here; also .svg or .pdf.")  # fmt: skip
def benchmark(
    layers: str,
    depth: int,
    no_npt: bool,
    wait: float | None,
    save: Path | None,
    chart: Path | None,
    **options: Any,
) -> int:
    """Measure what each layer costs.

    In a lab, or with local:// on this machine alone. The run is kept where the explore page finds
    it, also when it was cut short by Ctrl-C.
    """
    from nestkit import charts
    from nestkit import lab as laboratory

    options["workloads"] = options["workloads"] or None
    if layers == "local://":
        _refuse_what_needs_a_lab()
    failed: Exception | None
    with Progress() as progress:
        if layers == "lab://":
            with laboratory.up(
                depth=depth, npt=not no_npt, wait=wait, progress=progress
            ) as running:
                # kept while the lab is up: a second Ctrl-C may interrupt its end
                run, kept, failed = _measured(running.layers, running, progress, options)
        elif layers == "local://":
            with laboratory.here(progress) as runner:
                run, kept, failed = _measured([runner], None, progress, options)
        else:
            raise click.UsageError("name lab:// or local://")
    done = [f"kept as {kept}: explore.ipynb shows it"] if kept else []
    # files first: whatever becomes of the output, they are there
    try:
        if save:
            done.append(f"saved as {run.save(save)}")
        if chart and not failed:
            charts.slowdown(run).savefig(chart, dpi=150)
            done.append(f"drawn in {chart}")
    except (NestkitError, OSError) as error:
        failed = failed or error
    say(run)
    for line in done:
        say(line, err=True)
    if failed:
        raise failed
    return INTERRUPTED if run.status == "cancelled" else 0


def _refuse_what_needs_a_lab() -> None:
    """Options that mean nothing for one machine alone, before it is measured."""
    context = click.get_current_context()
    given = [
        option
        for name, option in (
            ("depth", "--depth"), ("no_npt", "--no-npt"), ("wait", "--wait"), ("chart", "--chart")
        )
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]  # fmt: skip
    if given:
        raise click.UsageError(
            f"local:// is this machine alone, one layer: {', '.join(given)} needs lab://"
        )


def _measured(
    layers: Sequence[Runner], running: Lab | None, progress: Progress, options: dict[str, Any]
) -> tuple[Run, Path | None, NestkitError | None]:
    """A run, where it is kept for the explore page, and what went wrong on the way."""
    from nestkit import benchmark as bench
    from nestkit.course import keep_run

    failed: NestkitError | None = None
    try:
        run = bench.run(layers, progress=progress, **options)
    except bench.RunCutShort as error:
        run, failed = error.partial, error
    try:
        # after Ctrl-C a layer may be in the middle of an answer
        if running and run.status == "complete":
            run = bench.with_memory(run, running)
    except NestkitError as error:
        failed = error
    kept = None
    try:
        if run.counted:
            kept = keep_run(run)
    except NestkitError as error:
        failed = failed or error
    return run, kept, failed
