"""A fleet report as text and as HTML that can be filtered."""

from __future__ import annotations

import itertools
import secrets
from html import escape
from typing import TYPE_CHECKING, Final

from nestkit.preflight.fleet_report import IN_FULL, LEVELS, OPEN
from nestkit.preflight.reporting import chip, table
from nestkit.wording import PRACTICE, plain

if TYPE_CHECKING:
    from nestkit.preflight.findings import Finding
    from nestkit.preflight.fleet_report import FleetReport

_SHOWN: Final = 10  # lines of one kind on a terminal
_IN_NOTEBOOK: Final = 200  # rows; a page of its own holds more
_IN_PAGE: Final = 20_000
_CELL: Final = "text-align:left;vertical-align:top;overflow-wrap:break-word"


def headline(report: FleetReport) -> str:
    """The verdict in one sentence."""
    counts = ", ".join(f"{report.counts[level]} {level}" for level in LEVELS)
    verdict = "nothing failed" if report.ok else f"{report.counts['fail']} requirements not met"
    return (
        f"{plain(report.name)}: {report.vm_count} VMs on {len(report.hosts)} hosts: "
        f"{verdict} ({counts})"
    )


def _remarks(report: FleetReport) -> list[str]:
    remarks = list(report.notes)
    if report.stopped:
        remarks.insert(0, f"not all VMs were read: {report.stopped}")
    if report.left_out:
        titles = ", ".join(rule.title for rule in report.left_out)
        remarks.append(
            f"not judged here, for it takes the devices of each VM ({IN_FULL}): {titles}; "
            "networks are judged one by one, not adapter by adapter"
        )
    return remarks


def as_text(report: FleetReport) -> str:
    """The report for a terminal: by rule, then the first VMs of each kind."""
    lines = [headline(report), *([PRACTICE] if report.is_practice else [])]
    lines += [f"  note: {plain(remark)}" for remark in _remarks(report)]
    rows = [row for row in report.summary().to_dict("records") if any(row[e] for e in OPEN)]
    if rows:
        lines += ["", f"  {'fail':>6} {'warn':>6} {'unknwn':>6} {'note':>6}  requirement"]
        lines += [
            f"  {row['fail']:>6} {row['warn']:>6} {row['unknown']:>6} {row['note']:>6}  "
            f"{row['title']} ({row['id']})"
            for row in rows
        ]
    for level in ("fail", "warn"):
        found = report.findings(level)
        first = list(itertools.islice(found, _SHOWN))
        if first:
            lines += ["", f"{level}, the first {len(first)} of {report.counts[level]}:"]
            lines += [
                f"  {plain(each.subject)}: {each.title}: {plain(each.measured)}" for each in first
            ]
    if report.unread:
        lines += ["", f"{len(report.unread)} VMs could not be read:"]
        lines += [f"  {plain(e.name)}: {plain(e.reason)}" for e in report.unread[:_SHOWN]]
    return "\n".join(lines)


def _row(finding: Finding) -> str:
    return (
        f'<tr data-level="{finding.level}">'
        f'<td style="{_CELL}">{chip(finding.level)}</td>'
        f'<th scope="row" style="{_CELL};font-weight:400">{escape(plain(finding.subject))}</th>'
        f'<td style="{_CELL}">{escape(finding.title)}</td>'
        f'<td style="{_CELL}">{escape(plain(finding.measured))}</td>'
        f'<td style="{_CELL}">{escape(finding.required)}</td>'
        f'<td style="{_CELL}">{escape(finding.remedy)}</td></tr>'
    )


def _filter(name: str, rows: int) -> str:
    """Fields to filter by, and the few lines that do it; without scripts all rows show."""
    options = "".join(f"<option>{level}</option>" for level in OPEN)
    return (
        f'<p id="{name}-filter">'
        f'<label>Contains <input type="search" id="{name}-text" size="24"></label> '
        f'<label>Result <select id="{name}-level"><option value="">all</option>{options}</select>'
        f'</label> <output id="{name}-count" aria-live="polite">{rows} rows</output></p>'
        "<script>(function(){"
        f'const id="{name}",get=part=>document.getElementById(id+part);'
        "function show(){const words=get('-text').value.toLowerCase(),"
        "level=get('-level').value;let left=0;"
        "for(const row of get('').querySelectorAll('tbody tr')){"
        "const fits=(!level||row.dataset.level===level)"
        "&&row.textContent.toLowerCase().includes(words);"
        "row.hidden=!fits;left+=fits;}"
        "get('-count').textContent=left+' rows';}"
        "get('-text').addEventListener('input',show);"
        "get('-level').addEventListener('change',show);"
        "})();</script>"
    )


def _summary(report: FleetReport) -> str:
    rows = []
    for row in report.summary().to_dict("records"):
        counts = "".join(f'<td style="{_CELL}">{row[level]}</td>' for level in LEVELS)
        rows.append(
            f'<tr><th scope="row" style="{_CELL};font-weight:400">{escape(row["title"])} '
            f"<code>{escape(row['id'])}</code></th>{counts}</tr>"
        )
    return table("By requirement: VMs or their networks", ("Requirement", *LEVELS), rows)


def as_html(report: FleetReport, limit: int = _IN_NOTEBOOK) -> str:
    """The report for a notebook: the summary, then the worst findings with a filter."""
    name = f"fleet-{secrets.token_hex(4)}"
    parts = [f"<p><strong>{escape(headline(report))}</strong></p>"]
    if report.is_practice:
        parts.append(f"<p>{escape(PRACTICE)}</p>")
    parts.append("".join(f"<p>{escape(plain(remark))}</p>" for remark in _remarks(report)))
    parts.append(_summary(report))
    worst = itertools.chain.from_iterable(report.findings(level) for level in OPEN)
    rows = [_row(finding) for finding in itertools.islice(worst, limit)]
    if rows:
        total = sum(report.counts[level] for level in OPEN)
        caption = f"What to look at, the worst first: {len(rows)} of {total}"
        if total > len(rows):
            caption += "; all of them: report.to_frame()"
        heads = ("Result", "Of", "Requirement", "Found", "Needed", "What to do")
        parts.append(f"{table(caption, heads, rows, name=name)}{_filter(name, len(rows))}")
    if report.unread:
        items = [
            f'<tr><th scope="row" style="{_CELL};font-weight:400">{escape(plain(each.name))}</th>'
            f'<td style="{_CELL}">{escape(plain(each.reason))}</td></tr>'
            for each in report.unread[:limit]
        ]
        caption = f"{len(report.unread)} VMs could not be read"
        parts.append(table(caption, ("VM", "Why"), items))
    return f'<div style="max-width:72em">{"".join(parts)}</div>'


def page(report: FleetReport) -> str:
    """The report as a page of its own."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Fleet: {escape(plain(report.name))}</title></head>"
        '<body style="font-family:system-ui,sans-serif;line-height:1.4">'
        f"<main><h1>Can they nest?</h1>{as_html(report, _IN_PAGE)}</main></body></html>\n"
    )
