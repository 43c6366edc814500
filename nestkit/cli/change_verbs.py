"""apply, resume, rollback."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from nestkit.cli.terminal import INTERRUPTED, NOT_DONE, URL, Progress, say, stop_between_steps
from nestkit.errors import Interrupted, NestkitError


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
