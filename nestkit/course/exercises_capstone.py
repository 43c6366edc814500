"""The checks of lesson 10: the host, the run, and the page that shows both."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nestkit.configure import plan as make_plan
from nestkit.course.checks import Verdict, exercise, not_done, not_right, passed
from nestkit.hosts.base import Host
from nestkit.plans import Plan
from nestkit.preflight import check as preflight

if TYPE_CHECKING:
    from nestkit.benchmark import Run

_WORDS: Final = 12  # fewer make no conclusion
_PARTS: Final = ("finding", "plan", "journal or verification", "run", "conclusion")
_OUTSIDE: Final = re.compile(r'(?:src|href)\s*=\s*"(?!data:|#)')
_CONCLUSION: Final = re.compile(r"<h2>Conclusion</h2>(.*?)</section>", re.DOTALL)


@exercise("10.prepared")
def _prepared(host: Host, vm: str, *, plan: Plan | None = None) -> Verdict:
    blocking = preflight(host, vm=vm).at("fail")
    if blocking and plan is not None and make_plan(host, vm).steps == plan.steps:
        return not_done(
            f"{vm} is as it was: all {len(plan.steps)} steps of the plan are still to do.",
            "tick the box of the form above, then press Apply",
        )
    if blocking:
        return not_right(
            f"{vm} is still blocked: {len(blocking)} of its findings fail.",
            *(f"{finding.title}: {finding.remedy}" for finding in blocking[:3]),
        )
    left = make_plan(host, vm).steps
    if left:
        return not_right(
            f"Nothing blocks {vm}, and {len(left)} steps of a plan are still to do.",
            "make a plan from what the host is now, and apply it",
        )
    facts = host.read(vm).vms[0]
    if facts.power != "on":
        return not_right(f"{vm} is not running.", "start it: nesting shows only in a VM that runs")
    return passed(f"{vm} runs, nothing blocks it, and a second plan is empty.")


@exercise("10.measured")
def _measured(run: Run | None) -> Verdict:
    if run is None:
        return not_done("Nothing is measured yet.", "press Measure in the form above")
    if getattr(run, "layers", None) is None:
        return not_right(
            f"This is {type(run).__name__}, and not a run.", "take the form's result: form.result"
        )
    guests = [facts.layer for facts in run.layers if facts.depth]
    if len(guests) < 2:
        return not_right(f"The run has {len(guests)} guest layer.", "measure a lab of depth 2 or 3")
    if run.status != "complete":
        return not_right(f"The run is {run.status}.", "measure again, and let it end")
    note = " It calls itself too noisy: say so in the conclusion." if run.too_noisy else ""
    return passed(f"{len(run.workloads)} workloads in {', '.join(guests)}, complete.{note}")


@exercise("10.report")
def _report(file: Any) -> Verdict:
    if file is None:
        return not_done("No report is written yet.", "press Write in the form above")
    path = Path(getattr(file, "path", file))
    if not path.is_file():
        return not_done(f"There is no file {path.name} yet.", "write it with the form above")
    page = path.read_text(encoding="utf-8", errors="replace")
    missing = [part for part in _PARTS if f"No {part} was given." in page]
    found = _CONCLUSION.search(page)
    if not found:
        return not_right(f"{path.name} is no report of nestkit.", "write it with the form above")
    words = len(unescape(re.sub(r"<[^>]+>", " ", found.group(1))).split())
    hints = [f"its {part} is missing" for part in missing]
    if "conclusion" not in missing and words < _WORDS:
        hints.append(
            f"the conclusion has {words} words: say what the layers cost, and what you would do"
        )
    if _OUTSIDE.search(page):
        hints.append("it refers to something outside itself, and would not open offline")
    if hints:
        return not_right(f"{path.name} is not whole.", *hints)
    return passed(f"{path.name} holds everything, and opens offline. You have made a nested lab.")
