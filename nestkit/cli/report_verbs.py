"""report: everything on one page."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from nestkit.cli.terminal import OUTPUT, say

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("page", metavar="PAGE.html", type=OUTPUT)
@click.option("--host", "url", metavar="URL", help="Check this host now, and verify on it.")
@click.option("--vm", metavar="NAME", help="Only this VM, by name or UUID.")
@click.option("--journal", type=FILE, metavar="FILE", help="The journal that apply printed.")
@click.option("--plan", "plan_file", type=FILE, metavar="FILE",
              help="A saved plan; a journal holds its own.")  # fmt: skip
@click.option("--run", "runs", type=FILE, metavar="FILE", multiple=True,
              help="A saved run; may be given several times.")  # fmt: skip
@click.option("--title", default="A nested lab", show_default=True)
@click.option("--conclusion", default="", metavar="TEXT", help="What you make of it.")
def report(
    page: Path,
    url: str | None,
    vm: str | None,
    journal: Path | None,
    plan_file: Path | None,
    runs: tuple[Path, ...],
    title: str,
    conclusion: str,
) -> None:
    """Write findings, plan and charts on one page.

    Verification and provenance too. It opens offline. What is not given is said to be missing.
    """
    from nestkit import configure, connect, preflight
    from nestkit import report as pages
    from nestkit.benchmark import Run
    from nestkit.configure.journal import Journal
    from nestkit.plans import Plan

    if journal and plan_file:
        raise click.UsageError("give a journal or a plan: a journal holds its plan")
    made = Plan.load(plan_file) if plan_file else None
    steps: tuple[tuple[str, str], ...] = ()
    if journal:
        with Journal.open(journal) as held:
            made, steps = held.plan, tuple(held.status.items())
    findings = verification = None
    if url:
        with closing(connect(url)) as host:
            findings = preflight.check(host, vm=vm)
            if made is not None:
                verification = configure.verify(made, host)
    evidence = pages.Evidence(
        title=title,
        findings=findings,
        plan=made,
        steps=steps,
        verification=verification,
        runs=tuple(Run.load(file) for file in runs),
        conclusion=conclusion,
    )
    say(pages.save(evidence, page), raw=True)
