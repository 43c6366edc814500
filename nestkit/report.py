"""One page to show: what was found, planned, done, verified and measured, and where it is from.

The page is one HTML file that opens offline: pictures are inside it, and it runs no script.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nestkit.errors import RunError
from nestkit.wording import PRACTICE, counted, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nestkit.benchmark import Run
    from nestkit.configure import Verification
    from nestkit.plans import Plan
    from nestkit.preflight import Report

_STYLE: Final = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{line-height:1.2} h2{margin-top:2.2em;border-bottom:1px solid #8886;padding-bottom:.2em}
table{border-collapse:collapse;max-width:100%} td,th{padding:.25em .6em .25em 0}
pre,code{white-space:pre-wrap;overflow-wrap:anywhere}
img{max-width:100%;height:auto;background:#fff} figure{margin:1em 0}
.mark{border:1px dashed currentColor;padding:.3em .7em;display:inline-block}
.sum li{margin:.2em 0} footer{margin-top:3em;font-size:.9em;border-top:1px solid #8886}
@media print{details>*{display:block}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a page is made of; whatever is missing is said to be missing.

    Attributes
    ----------
    title
        The page's heading.
    findings
        What preflight said.
    plan
        What was to be changed.
    steps
        Step id → what the journal says of it, such as "done" or "undone".
    verification
        What the host says now of that plan.
    runs
        What was measured.
    conclusion
        The author's own words; blank lines make paragraphs, and line breaks are kept.
    """

    title: str = "A nested lab"
    findings: Report | None = None
    plan: Plan | None = None
    steps: tuple[tuple[str, str], ...] = ()
    verification: Verification | None = None
    runs: tuple[Run, ...] = ()
    conclusion: str = ""

    @property
    def is_practice(self) -> bool:
        """True where a practice host had a part in it."""
        return any(each is not None and each.is_practice for each in (self.findings, self.plan))


def save(evidence: Evidence, path: str | Path) -> Path:
    """Write the page to a file.

    Raises
    ------
    RunError
        If the file cannot be written.
    """
    path = Path(path)
    try:
        path.write_text(page(evidence), encoding="utf-8")
    except OSError as error:
        raise RunError(
            f"the report cannot be written to {path}: {error.strerror}",
            remedy="choose another file or folder",
        ) from error
    return path


def page(evidence: Evidence) -> str:
    """The page as HTML."""
    sections = [
        ("What it comes to", _summary(evidence)),
        ("Conclusion", _paragraphs(evidence.conclusion) or _missing("conclusion")),
        ("Can it nest? What preflight found", _findings(evidence.findings)),
        ("What was to be changed", _plan(evidence.plan)),
        ("What was done, and what the host says now", _done(evidence)),
        ("What each layer costs", "".join(map(_run, evidence.runs)) or _missing("run")),
        ("Where it is from", _provenance(evidence)),
    ]
    body = "".join(f"<section><h2>{head}</h2>{text}</section>" for head, text in sections)
    title = _safe(evidence.title)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        # what names on a host may hold is data: nothing on this page runs or is fetched
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1>"
        + (f'<p class="mark">⚑ {PRACTICE}</p>' if evidence.is_practice else "")
        + f"{body}</main></body></html>\n"
    )


def _summary(evidence: Evidence) -> str:
    lines = []
    if evidence.findings is not None:
        count = len(evidence.findings.at("fail"))
        verdict = f"blocked by {count}" if count else "nothing blocks"
        lines.append(f"Preflight: {verdict}, {evidence.findings.unknown} unknown.")
    if evidence.plan is not None:
        lines.append(f"Plan: {counted(len(evidence.plan.steps), 'step')}.")
    if evidence.verification is not None:
        off = len(evidence.verification.mismatches)
        verdict = "everything as planned" if not off else f"{counted(off, 'thing')} not as planned"
        lines.append(f"Verified on the host: {verdict}.")
    lines += [f"Measured: {_what_ran(run)}." for run in evidence.runs]
    return _items(lines) if lines else _missing("finding, plan or run")


def _what_ran(run: Run) -> str:
    layers = ", ".join(facts.layer for facts in run.layers)
    noisy = "; too noisy to conclude from" if run.too_noisy else ""
    emulated = ", emulated: no evidence for hardware" if run.emulated else ""
    return f"{counted(len(run.workloads), 'workload')} in {layers} ({run.origin}{emulated}){noisy}"


def _findings(report: Report | None) -> str:
    return _missing("finding") if report is None else report._repr_html_()


def _plan(plan: Plan | None) -> str:
    return _missing("plan") if plan is None else plan._repr_html_()


def _done(evidence: Evidence) -> str:
    parts = []
    if evidence.plan is not None and evidence.steps:
        from nestkit.planview import action

        words = {step.id: action(step) for step in evidence.plan.steps}
        parts.append(
            "<p>From the journal:</p>"
            + _items(f"{words.get(step, step)}: {state}" for step, state in evidence.steps)
        )
    if evidence.verification is not None:
        parts.append(f"<pre>{_safe(str(evidence.verification))}</pre>")
    return "".join(parts) or _missing("journal or verification")


def _run(run: Run) -> str:
    from nestkit import charts

    figures: list[Figure] = [charts.slowdown(run), charts.time_order(run)]
    return (
        "".join(map(_figure, figures))
        + "<details open><summary>Every figure</summary>"
        + run._repr_html_()
        + "</details>"
    )


def _figure(figure: Figure) -> str:
    from nestkit.charts import alt_text
    from nestkit.pictures import Picture

    data, _ = Picture(figure, alt_text(figure))._repr_mimebundle_()
    return f"<figure>{data['text/html']}</figure>"


def _provenance(evidence: Evidence) -> str:
    from nestkit import __version__

    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    python = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    lines = [f"Written by nestkit {__version__}, {python}, {now}."]
    if evidence.findings is not None:
        lines.append(f"Findings: host {plain(evidence.findings.host)}.")
    if evidence.plan is not None:
        plan = evidence.plan
        lines.append(f"Plan: host {plain(plan.host_name)} ({plan.host}), digest {plan.digest}.")
    text = _items(lines)
    for run in evidence.runs:
        facts = [f"{name}: {value}" for name, value in sorted(run.provenance.items()) if value]
        text += (
            f"<details><summary>Run {_safe(run.run_id)}: seed {run.seed}, {run.rounds} rounds, "
            f"{run.origin}</summary>{_items(facts)}</details>"
        )
    return text


def _missing(what: str) -> str:
    return f"<p><em>No {what} was given.</em></p>"


def _items(lines: Iterable[str]) -> str:
    return '<ul class="sum">' + "".join(f"<li>{_safe(line)}</li>" for line in lines) + "</ul>"


def _paragraphs(text: str) -> str:
    blocks: Sequence[str] = [each.strip() for each in re.split(r"\n\s*\n", text)]
    safe = (_safe(each).replace("\n", "<br>") for each in blocks if each)
    return "".join(f"<p>{each}</p>" for each in safe)


def _safe(text: str) -> str:
    return escape(text.encode("utf-8", "backslashreplace").decode("utf-8"))
