"""The capstone's report: everything that was found, done and measured, on one page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nestkit import configure, preflight, report
from nestkit.configure.journal import Journal
from nestkit.course import markup
from nestkit.course.fields import Field
from nestkit.course.forms import Form, form_for
from nestkit.course.naming import name_of
from nestkit.errors import CourseError
from nestkit.hosts.base import Host

if TYPE_CHECKING:
    from nestkit.benchmark import Run
    from nestkit.configure import Outcome


@dataclass(frozen=True, slots=True)
class Written:
    """Where the report is."""

    path: Path
    size_kib: int

    def __str__(self) -> str:
        return (
            f"{self.path.name} is written ({self.size_kib} KiB); it opens in any browser, offline"
        )

    def _repr_html_(self) -> str:
        if self.path.is_absolute():  # JupyterLab serves the lessons' folder and no other
            return markup.status(str(self))
        return markup.status(str(self)) + (
            f'<a href="{quote(self.path.as_posix())}" target="_blank" rel="noopener" '
            'style="text-decoration:underline">Open it</a>'
        )


def write_report(
    host: Host,
    done: Outcome | Form,
    run: Run | Form,
    *,
    conclusion: str,
    title: str = "My nested lab",
    file: str = "my-lab.html",
) -> Written:
    """Ask the host once more, and write the report.

    Parameters
    ----------
    host
        The host that was prepared.
    done
        What apply returned, or the form that applied.
    run
        What was measured, or the form that measured.
    conclusion
        Your own words: what you would tell somebody who wants such a lab. An empty line begins
        a paragraph.
    title, file
        Heading and file name of the page.

    Raises
    ------
    CourseError
        If nothing was applied or measured yet.
    RunError
        If the file cannot be written.
    """
    from nestkit.benchmark import Run

    applied: Any = done.result if isinstance(done, Form) else done
    measured: Any = run.result if isinstance(run, Form) else run
    if not isinstance(applied, configure.Outcome):
        raise CourseError("nothing was applied yet", remedy="apply the plan first, further up")
    if not isinstance(measured, Run):
        raise CourseError("nothing was measured yet", remedy="run the measurement, further up")
    with Journal.open(applied.journal) as journal:
        plan, steps = journal.plan, tuple(journal.status.items())
    evidence = report.Evidence(
        title=title,
        findings=preflight.check(host, vm=plan.vm.id),
        plan=plan,
        steps=steps,
        verification=configure.verify(plan, host),
        runs=(measured,),
        conclusion=conclusion,
    )
    path = report.save(evidence, Path(file))
    return Written(path, max(1, path.stat().st_size // 1024))


def report_form(host: Host, apply_form: Form, measure_form: Form) -> Form:
    """Write the report of the capstone from the forms that applied and measured."""
    return form_for(
        write_report,
        bind={
            "host": (name_of(host, "host"), host),
            "done": (name_of(apply_form, "apply_form"), apply_form),
            "run": (name_of(measure_form, "measure_form"), measure_form),
        },
        fields={
            "conclusion": Field(
                "Conclusion", help="What would you tell who wants such a lab?", lines=6
            ),
            "title": Field("Title"),
            "file": Field("File"),
        },
        title="Write the report",
        run_label="Write",
    )
