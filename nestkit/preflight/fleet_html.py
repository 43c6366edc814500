"""A fleet report as text and as HTML that can be filtered."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Final

from nestkit.preflight.fleet_report import IN_FULL, LEVELS, OPEN
from nestkit.preflight.reporting import chip, table
from nestkit.wording import PRACTICE, counted, plain

if TYPE_CHECKING:
    from nestkit.preflight.findings import Finding
    from nestkit.preflight.fleet_report import FleetReport

_SHOWN: Final = 10  # lines of one kind on a terminal
_IN_NOTEBOOK: Final = 200  # rows; a page of its own holds more
_IN_PAGE: Final = 20_000
_AT_ONCE: Final = 250  # rows that a browser lays out in an instant
_FRAME: Final = "report.to_frame()"
_COMMAND: Final = "nestkit fleet URL --json"
_UNREAD: Final = "unread"  # a kind of row, beside the levels of findings
_CELL: Final = "text-align:left;vertical-align:top;padding:3px 12px 3px 0;overflow-wrap:break-word"
_LINE: Final = "border-top:1px solid rgba(128,128,128,.4)"


def headline(report: FleetReport) -> str:
    """The verdict in one sentence."""
    counts = ", ".join(f"{report.counts[level]} {level}" for level in LEVELS)
    verdict = "nothing failed" if report.ok else f"{report.counts['fail']} requirements not met"
    if not report.complete:
        verdict += " among what was read"
    return (
        f"{plain(report.name)}: {counted(report.vm_count, 'VM')} on "
        f"{counted(len(report.hosts), 'host')}: {verdict} ({counts})"
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
        lines += ["", f"{_count_unread(report, _SHOWN)}:"]
        lines += [f"  {plain(e.name)}: {plain(e.reason)}" for e in report.unread[:_SHOWN]]
    return "\n".join(lines)


def _worst(report: FleetReport) -> Iterator[tuple[str, Finding]]:
    """What to look at, the worst first, each with the host it is on."""
    for level in OPEN:
        yield from (("", each) for each in report.host_findings if each.level == level)
        for number, each in report.sheet.findings(frozenset({level})):
            yield report.hosts[report.sheet.where[number]].name, each


def _row(host: str, finding: Finding) -> str:
    place = f"<div>on {escape(plain(host))}</div>" if host else ""
    return (
        f'<tr data-level="{finding.level}" style="{_LINE}">'
        f'<td style="{_CELL}">{chip(finding.level)}</td>'
        f'<th scope="row" style="{_CELL};font-weight:400">{escape(plain(finding.subject))}{place}'
        f'</th><td style="{_CELL}">{escape(finding.title)}</td>'
        f'<td style="{_CELL}">{escape(plain(finding.measured))}</td>'
        f'<td style="{_CELL}">{escape(finding.required)}</td>'
        f'<td style="{_CELL}">{escape(finding.remedy)}</td></tr>'
    )


def _unread(report: FleetReport, limit: int) -> str:
    rows = [
        f'<tr data-level="{_UNREAD}" style="{_LINE}">'
        f'<th scope="row" style="{_CELL};font-weight:400">{escape(plain(each.name))}</th>'
        f'<td style="{_CELL}">{escape(plain(each.reason))}</td></tr>'
        for each in report.unread[:limit]
    ]
    return table(_count_unread(report, limit), ("VM", "Why"), rows)


def _count_unread(report: FleetReport, limit: int) -> str:
    count = len(report.unread)
    what = f"{count} VM{'s' if count > 1 else ''} could not be read"
    return what if count <= limit else f"{what}, the first {limit}"


def _filter(name: str, kinds: list[str]) -> str:
    """Fields to filter by. They show once the script runs: without it all rows do."""
    options = "".join(f"<option>{kind}</option>" for kind in kinds)
    return (
        f'<p id="{name}-filter" hidden><label>Show only rows with '
        f'<input type="search" id="{name}-text" size="24" autocomplete="off"></label> '
        f'<label>Result <select id="{name}-level" autocomplete="off"><option value="">all</option>'
        f'{options}</select></label> <output id="{name}-count" aria-live="polite"></output></p>'
    )


def _more(name: str) -> str:
    return f'<p><button type="button" id="{name}-more" hidden>Show more rows</button></p>'


def _script(name: str) -> str:
    """Hides the rows that lack one of the words, and those past the first; it stands after them.

    A row has to be marked as seen as well: a page of its own shows no others from the start.
    """
    return (
        "<script>(function(){"
        f'const id="{name}",get=part=>document.getElementById(id+part);'
        "const rows=[...get('').querySelectorAll('tr[data-level]')].map(row=>[row,"
        "[...row.cells].map(cell=>cell.textContent).join(' ').toLowerCase()]);"
        f"let most={_AT_ONCE};"
        "function show(){const words=get('-text').value.toLowerCase().split(/\\s+/),"
        "level=get('-level').value;let left=0;"
        "for(const [row,text] of rows){"
        "const fits=(!level||row.dataset.level===level)&&words.every(word=>text.includes(word));"
        "left+=fits;const seen=fits&&left<=most;"
        "row.hidden=!seen;row.toggleAttribute('data-seen',seen);}"
        "get('-count').textContent=`${left} of ${rows.length} rows`"
        "+(left>most?`, the first ${most} shown`:left?''"
        ":': nothing to look at there, or no such name');"
        "get('-more').hidden=left<=most;}"
        f"function anew(){{most={_AT_ONCE};show();}}"
        "get('-text').addEventListener('input',anew);"
        "get('-level').addEventListener('change',anew);"
        f"get('-more').addEventListener('click',()=>{{most+={_AT_ONCE};show();}});"
        "get('-filter').hidden=false;show();"
        "})();</script>"
    )


def _summary(report: FleetReport) -> str:
    rows = []
    for row in report.summary().to_dict("records"):
        if not any(row[level] for level in LEVELS):
            continue  # left to a look at one VM, or there is no VM it applies to
        counts = "".join(f'<td style="{_CELL}">{row[level]}</td>' for level in LEVELS)
        rows.append(
            f'<tr><th scope="row" style="{_CELL};font-weight:400">{escape(row["title"])} '
            f"<code>{escape(row['id'])}</code></th>{counts}</tr>"
        )
    return table("By requirement: VMs or their networks", ("Requirement", *LEVELS), rows)


def as_html(report: FleetReport, limit: int = _IN_NOTEBOOK, rest: str = _FRAME) -> str:
    """The report for a notebook: the summary, then the worst findings with a filter.

    ``rest`` says where to see what ``limit`` leaves out.
    """
    name = f"fleet-{secrets.token_hex(4)}"
    parts = [f"<p><strong>{escape(headline(report))}</strong></p>"]
    if report.is_practice:
        parts.append(f"<p>{escape(PRACTICE)}</p>")
    parts.append("".join(f"<p>{escape(plain(remark))}</p>" for remark in _remarks(report)))
    parts.append(_summary(report))
    shown = list(itertools.islice(_worst(report), limit))
    kinds: list[str] = list(dict.fromkeys(finding.level for _, finding in shown))
    tables = ""
    if shown:
        total = sum(report.counts[level] for level in OPEN)
        caption = f"What to look at, the worst first: {len(shown)} of {total}"
        if total > len(shown):
            caption += f"; all of them: {rest}"
        heads = ("Result", "Of", "Requirement", "Found", "Needed", "What to do")
        tables += table(caption, heads, [_row(*each) for each in shown])
    if report.unread:
        tables += _unread(report, limit)
        kinds.append(_UNREAD)
    if tables:
        parts.append(_filter(name, kinds))
        parts.append(f'<div id="{name}">{tables}</div>{_more(name)}{_script(name)}')
    return f'<div style="max-width:72em">{"".join(parts)}</div>'


# a row past the first ones is never laid out; on a phone the cells of a row stand one below the
# other; without scripts all rows show
_STYLE: Final = (
    "body{font-family:system-ui,sans-serif;line-height:1.4;overflow-wrap:anywhere}"
    ".filtered tr[data-level]:not([data-seen]){display:none}"
    "@media(max-width:48em){table{display:block;overflow-x:auto;font-size:.85em}"
    "td,th{padding-right:6px!important}code{overflow-wrap:anywhere}"
    "caption,tr[data-level]:not([hidden]),tr[data-level]>*{display:block}"
    "table:has([data-level]) thead{display:none}"
    'tr[data-level]>:nth-child(4)::before{content:"found: "}'
    'tr[data-level]>:nth-child(5)::before{content:"needed: "}}'
)


def page(report: FleetReport) -> str:
    """The report as a page of its own."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Fleet: {escape(plain(report.name))}</title><style>{_STYLE}</style>"
        '<script>document.documentElement.className="filtered"</script></head><body>'
        f"<main><h1>Can they nest?</h1>{as_html(report, _IN_PAGE, _COMMAND)}</main></body></html>\n"
    )
