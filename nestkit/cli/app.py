"""The command ``nestkit`` and its exit status."""

from __future__ import annotations

import io
import os
import sys

import click

from nestkit import __version__
from nestkit.cli import (
    change_verbs,
    check_verbs,
    course_verbs,
    machine_verbs,
    plan_verbs,
    report_verbs,
)
from nestkit.cli.terminal import INTERRUPTED, NOT_DONE, drop_what_cannot_be_written, say
from nestkit.errors import Interrupted, NestkitError


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


for _module, _names in (
    (check_verbs, ("preflight", "fleet")),
    (plan_verbs, ("plan", "plan_new", "kickstart")),
    (change_verbs, ("apply", "resume", "rollback")),
    (machine_verbs, ("practice", "lab", "benchmark")),
    (report_verbs, ("report",)),
    (course_verbs, ("course", "progress", "reset", "class_")),
):
    for _name in _names:
        cli.add_command(getattr(_module, _name))


def main() -> None:
    """Entry point: every error becomes its message, its remedy and an exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")  # a sign that a code page does not have
    try:
        status = cli.main(prog_name="nestkit", standalone_mode=False)
    except NestkitError as error:
        say(f"nestkit: {error}", err=True)
        status = NOT_DONE
    except click.ClickException as error:
        error.show()
        status = NOT_DONE
    except (click.Abort, KeyboardInterrupt) as error:
        cut = error.__cause__  # click makes an Abort of every Ctrl-C
        say(f"nestkit: {cut if isinstance(cut, Interrupted) else 'interrupted'}", err=True)
        status = INTERRUPTED
    except OSError as error:
        if os.environ.get("NESTKIT_DEBUG"):
            raise
        where = f" {error.filename}" if error.filename else ""
        say(
            f"nestkit: the system says of{where or ' a file'}: {error.strerror or error}\n"
            "  → free some space, or look at who may read and write there",
            err=True,
        )
        status = NOT_DONE
    except Exception as error:
        if os.environ.get("NESTKIT_DEBUG"):
            raise
        say(
            f"nestkit: a mistake in nestkit itself: {type(error).__name__}: {error}\n"
            "  → run it again with NESTKIT_DEBUG=1 and report what it prints",
            err=True,
        )
        status = NOT_DONE
    drop_what_cannot_be_written()
    sys.exit(status or 0)
