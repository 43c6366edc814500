"""A report as text for a terminal and as HTML for a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from nestkit.wording import PRACTICE, plain

if TYPE_CHECKING:
    from nestkit.preflight import Finding, Level, Report

# worst first; each level has a sign and a word, so that colour is never alone
_LEVELS: Final[tuple[tuple[Level, str, str], ...]] = (
    ("fail", "✗", "#a3201a"),
    ("warn", "!", "#7d5000"),
    ("unknown", "?", "#55595f"),
    ("note", "i", "#23548c"),
    ("pass", "✓", "#1c6439"),
)
_SIGNS: Final = {level: sign for level, sign, _ in _LEVELS}
_COLOURS: Final = {level: colour for level, _, colour in _LEVELS}
_HEADINGS: Final = {
    "fail": "Failed", "warn": "Recommended, not met", "unknown": "Unknown",
    "note": "Notes", "pass": "Passed",
}  # fmt: skip
_MANY: Final = 40  # passes that a terminal lists one by one


def headline(report: Report) -> str:
    """The verdict in one sentence."""
    counts = {level: len(report.at(level)) for level, _, _ in _LEVELS}
    words = [f"{counts[level]} {level}" for level, _, _ in _LEVELS if counts[level]]
    verdict = "nothing failed" if report.ok else f"blocked by {counts['fail']}"
    kind: str = report.platform
    if report.judged_as != report.platform:
        kind += f", judged as {report.judged_as}"
    return f"{plain(report.host)} ({kind}): {verdict} ({', '.join(words) or 'no rules'})"


def as_text(report: Report) -> str:
    """The report for a terminal: what blocks comes first, each with its remedy."""
    lines = [headline(report)]
    if report.is_practice:
        lines.append(PRACTICE)
    for level, sign, _ in _LEVELS:
        found = report.at(level)
        if not found:
            continue
        lines += ["", f"{_HEADINGS[level]}:"]
        if level == "pass" and len(found) > _MANY:
            lines += [
                f"  {sign} {plain(subject)}: {len(each)} met"
                for subject, each in _by_subject(found).items()
            ]
            continue
        for finding in found:
            lines.append(
                f"  {sign} {plain(finding.subject)}: {finding.title}: {plain(finding.measured)}"
            )
            if level in ("fail", "warn", "note"):
                lines.append(f"      needed: {finding.required}")
                lines.append(f"      → {finding.remedy}")
    return "\n".join(lines)


def _by_subject(findings: tuple[Finding, ...]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.subject, []).append(finding)
    return found


def chip(level: Level) -> str:
    """Sign and word on a ground of its own: readable on a light page and on a dark one."""
    return (
        f'<span style="background:{_COLOURS[level]};color:#fff;border-radius:3px;'
        'padding:1px 7px;white-space:nowrap;font-weight:600">'
        f'<span aria-hidden="true">{_SIGNS[level]}</span> {level}</span>'
    )


_CELL: Final = "text-align:left;vertical-align:top;padding:3px 12px 3px 0;overflow-wrap:break-word"
_LINE: Final = "border-top:1px solid rgba(128,128,128,.4)"


def _row(finding: Finding) -> str:
    return (
        f'<tr style="{_LINE}">'
        f'<td style="{_CELL}">{chip(finding.level)}</td>'
        f'<th scope="row" style="{_CELL}">{escape(finding.title)}'
        f'<div style="font-weight:400">{escape(plain(finding.subject))}</div></th>'
        f'<td style="{_CELL}">{escape(plain(finding.measured))}</td>'
        f'<td style="{_CELL}">{escape(finding.required)}</td>'
        f'<td style="{_CELL}">{escape(finding.remedy)}'
        f"<details><summary>why</summary>{escape(finding.why)}"
        f"<div><em>Source: {escape(finding.source)}</em></div>"
        f"<div><code>{escape(finding.id)}</code> ({finding.strength})</div></details></td>"
        "</tr>"
    )


def _met(subject: str, findings: list[Finding]) -> str:
    """One row for all that a subject meets: a host with many VMs passes hundreds."""
    items = "; ".join(
        f"{escape(finding.title)}: {escape(plain(finding.measured))}" for finding in findings
    )
    return (
        f'<tr style="{_LINE}"><td style="{_CELL}">{chip("pass")}</td>'
        f'<th scope="row" style="{_CELL}">{escape(plain(subject))}</th>'
        f'<td style="{_CELL}">{items}</td></tr>'
    )


def table(caption: str, heads: tuple[str, ...], rows: list[str]) -> str:
    """A table with a caption and column headings, of rows that are HTML already."""
    cells = "".join(f'<th scope="col" style="{_CELL}">{head}</th>' for head in heads)
    return (
        '<table style="border-collapse:collapse;table-layout:auto;width:100%">'
        f'<caption style="text-align:left;font-weight:600;color:inherit">{caption}</caption>'
        f"<thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def as_html(report: Report) -> str:
    """The report for a notebook: an accessible table that suits a light and a dark theme."""
    open_levels: tuple[Level, ...] = ("fail", "warn", "unknown", "note")
    todo = tuple(finding for level in open_levels for finding in report.at(level))
    passed = report.at("pass")
    parts = [f"<p><strong>{escape(headline(report))}</strong></p>"]
    if report.is_practice:
        parts.append(
            '<p style="border:1px dashed currentColor;padding:4px 8px;display:inline-block">'
            f'<span aria-hidden="true">⚑</span> {escape(PRACTICE)}</p>'
        )
    if todo:
        heads = ("Result", "Requirement", "Found", "Needed", "What to do")
        caption = "What to look at, the worst first"
        parts.append(table(caption, heads, [_row(finding) for finding in todo]))
    if passed:
        rows = [_met(subject, found) for subject, found in _by_subject(passed).items()]
        met = table("Requirements that are met", ("Result", "Of", "Found"), rows)
        parts.append(f"<details><summary>{len(passed)} passed</summary>{met}</details>")
    return f'<div style="max-width:72em">{"".join(parts)}</div>'
