"""A pipeline's job in lesson 08: bring a lab up, test in it, destroy it."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from nestkit.course import markup
from nestkit.course.fields import Field
from nestkit.course.forms import Form, form_for
from nestkit.errors import CourseError


@dataclass(frozen=True, slots=True)
class Job:
    """What came of it.

    Attributes
    ----------
    command
        What was run in the innermost layer.
    layer
        Which layer that was.
    status
        Its exit status: 0 is success.
    output
        What it wrote.
    up_s
        Seconds from nothing to the first answer.
    """

    command: str
    layer: str
    status: int
    output: str
    up_s: float

    def __str__(self) -> str:
        verdict = "passed" if self.status == 0 else f"failed with status {self.status}"
        return (
            f"{self.command!r} in {self.layer} {verdict}\n{self.output.rstrip()}\n"
            f"up in {self.up_s:.1f} s, and destroyed"
        )

    def _repr_html_(self) -> str:
        return markup.code(str(self))


def job_in_lab(
    command: str = "grep -c -E 'vmx|svm' /proc/cpuinfo",
    depth: Literal[1, 2] = 1,
    *,
    progress: Callable[..., None] | None = None,
    cancel: threading.Event | None = None,
) -> Job:
    """Bring a lab up, run a command in its innermost layer, and destroy the lab.

    Parameters
    ----------
    command
        A command line; its words go to the guest as they are, no shell reads them.
    depth
        How many virtual machines stand inside each other.
    progress, cancel
        As for :func:`nestkit.lab.up`.

    Raises
    ------
    CourseError
        If there is no command, or its quotes do not match.
    LabError
        If the lab cannot be built or booted here.
    """
    from nestkit import lab

    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise CourseError(
            f"the command cannot be read: {error}", remedy="close every quote"
        ) from error
    if not argv:
        raise CourseError("there is no command to run", remedy="write one, such as: uname -r")
    with lab.up(depth, progress=progress, cancel=cancel) as running:
        up_s = sum(running.timings.values())
        done = running.run(argv)
        layer = running.layers[-1].layer
    return Job(command, layer, done.rc, done.stdout + done.stderr, up_s)


def job_form() -> Form:
    """Run one job in a lab of its own; it boots virtual machines on this machine."""
    return form_for(
        job_in_lab,
        fields={
            "command": Field("Command", help="it runs in the innermost layer"),
            "depth": Field("VMs, one in the other"),
        },
        title="A job: up, test, destroy",
        run_label="Run the job",
    )
