"""A report as text for a terminal and as HTML for a notebook."""

from __future__ import annotations

import unicodedata
from html import escape
from typing import TYPE_CHECKING, Final

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
PRACTICE: Final = "Practice host: a model, no proof for a real one."


def plain(text: str) -> str:
    """Text on one line, with control characters made visible: names are not trusted."""
    return "".join(
        char if unicodedata.category(char)[0] != "C" else char.encode("unicode_escape").decode()
        for char in text.encode("utf-8", "replace").decode("utf-8")
    )


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
        for finding in found:
            lines.append(
                f"  {sign} {plain(finding.subject)}: {finding.title}: {plain(finding.measured)}"
            )
            if level in ("fail", "warn", "note"):
                lines.append(f"      needed: {finding.required}")
                lines.append(f"      → {finding.remedy}")
    return "\n".join(lines)


def _chip(level: Level) -> str:
    """Sign and word on a ground of its own: readable on a light page and on a dark one."""
    return (
        f'<span style="background:{_COLOURS[level]};color:#fff;border-radius:3px;'
        'padding:1px 7px;white-space:nowrap;font-weight:600">'
        f'<span aria-hidden="true">{_SIGNS[level]}</span> {level}</span>'
    )


_CELL: Final = (
    "text-align:left;vertical-align:top;padding:4px 10px 4px 0;white-space:normal;"
    "border-top:1px solid rgba(128,128,128,.35);overflow-wrap:anywhere"
)


def _row(finding: Finding) -> str:
    act = f"<div>{escape(finding.remedy)}</div>" if finding.remedy else "<div>nothing to do</div>"
    return (
        "<tr>"
        f'<td style="{_CELL}">{_chip(finding.level)}</td>'
        f'<th scope="row" style="{_CELL};font-weight:600">{escape(finding.title)}'
        f'<div style="font-weight:400">{escape(plain(finding.subject))}</div></th>'
        f'<td style="{_CELL}">{escape(plain(finding.measured))}</td>'
        f'<td style="{_CELL}">{escape(finding.required)}</td>'
        f'<td style="{_CELL}">{act}'
        f"<details><summary>why</summary>{escape(finding.why)}"
        f"<div><em>Source: {escape(finding.source)}</em></div>"
        f"<div><code>{escape(finding.id)}</code> ({finding.strength})</div></details></td>"
        "</tr>"
    )


def _table(caption: str, findings: tuple[Finding, ...]) -> str:
    heads = "".join(
        f'<th scope="col" style="{_CELL};border-top:0">{head}</th>'
        for head in ("Result", "Requirement", "Found", "Needed", "What to do")
    )
    return (
        '<table style="border-collapse:collapse;width:100%;font-size:inherit">'
        f'<caption style="text-align:left;font-weight:600;color:inherit;padding:6px 0">{caption}'
        f"</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{''.join(_row(finding) for finding in findings)}</tbody></table>"
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
        parts.append(_table("What to look at, the worst first", todo))
    if passed:
        parts.append(
            f"<details><summary>{len(passed)} passed</summary>"
            f"{_table('Requirements that are met', passed)}</details>"
        )
    return f'<div style="max-width:72em">{"".join(parts)}</div>'
