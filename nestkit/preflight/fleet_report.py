"""What was found on a fleet."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from nestkit.facts import HostFacts, Platform
from nestkit.hosts.base import Unread
from nestkit.preflight.columns import Sheet
from nestkit.preflight.findings import COLUMNS, Finding, Level
from nestkit.requirements import Rule

if TYPE_CHECKING:
    import pandas as pd

FLEET_SCHEMA: Final = 1
LEVELS: Final[tuple[Level, ...]] = ("fail", "warn", "unknown", "note", "pass")
OPEN: Final[tuple[Level, ...]] = ("fail", "warn", "unknown", "note")
IN_FULL: Final = "nestkit preflight URL --vm NAME"


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class FleetReport:
    """The findings on all hosts and VMs of a vCenter or host.

    Attributes
    ----------
    hosts
        Facts of the hosts.
    host_findings
        What the rules say of the hosts.
    sheet
        The VMs, and what the rules say of them.
    unread
        VMs that could not be read, with the reason.
    stopped
        Why not all VMs were read; empty when all were.
    notes
        What else one has to know to read this report.
    """

    name: str
    platform: Platform
    is_practice: bool
    hosts: tuple[HostFacts, ...]
    host_findings: tuple[Finding, ...]
    sheet: Sheet
    unread: tuple[Unread, ...] = ()
    stopped: str = ""
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True when nothing failed; see also :attr:`complete`."""
        return not self.counts["fail"]

    @property
    def complete(self) -> bool:
        """True when every VM was read."""
        return not self.stopped and not self.unread

    @property
    def unknown(self) -> int:
        """How many findings could not be decided."""
        return self.counts["unknown"]

    @property
    def vm_count(self) -> int:
        """How many VMs were judged."""
        return len(self.sheet.vms)

    @functools.cached_property
    def by_rule(self) -> dict[str, Counter[str]]:
        """Id of each rule for VMs and their networks → how often it has said what."""
        return self.sheet.counts()

    @functools.cached_property
    def counts(self) -> Counter[str]:
        """Level → number of findings, hosts and VMs together."""
        found = Counter(finding.level for finding in self.host_findings)
        total: Counter[str] = Counter(found)
        for counted in self.by_rule.values():
            total += counted
        return total

    @functools.cached_property
    def left_out(self) -> tuple[Rule, ...]:
        """Rules that only a look at one named VM can judge."""
        return self.sheet.left_out()

    def blocked(self, *, strict: bool = False) -> bool:
        """Whether to stop here. With ``strict`` a required unknown, or an unread VM, does too."""
        if not strict or not self.ok:
            return not self.ok
        return not self.complete or any(
            finding.strength == "required" for finding in self.findings("unknown")
        )

    def findings(self, *levels: Level) -> Iterator[Finding]:
        """The findings at these levels, all by default: the hosts first, then VM by VM."""
        wanted = frozenset(levels or LEVELS)
        yield from (finding for finding in self.host_findings if finding.level in wanted)
        yield from (finding for _, finding in self.sheet.findings(wanted))

    def to_frame(self, *levels: Level) -> pd.DataFrame:
        """One row a finding on a VM: host, vm, uuid and the columns of a report's frame.

        Without ``levels``, all but what passed.
        """
        import pandas as pd

        rows = []
        for number, finding in self.sheet.findings(frozenset(levels or OPEN)):
            vm, host = self.sheet.vms[number], self.hosts[self.sheet.where[number]]
            rows.append(
                {"host": host.name, "vm": vm.name, "uuid": vm.identity, **finding.to_json()}
            )
        return pd.DataFrame(rows, columns=["host", "vm", "uuid", *COLUMNS])

    def summary(self) -> pd.DataFrame:
        """One row a rule for VMs: id, title, strength and the number of VMs or networks a level."""
        import pandas as pd

        rows = [
            {"id": rule.id, "title": rule.title, "strength": rule.strength}
            | {level: self.by_rule[rule.id][level] for level in LEVELS}
            for rule in self.sheet.rules
            if rule.id in self.by_rule
        ]
        return pd.DataFrame(rows, columns=["id", "title", "strength", *LEVELS])

    def head(self) -> dict[str, Any]:
        """What the report says as a whole, as JSON values."""
        return {
            "schema": FLEET_SCHEMA,
            "ok": self.ok,
            "unknown": self.unknown,
            "name": self.name,
            "practice": self.is_practice,
            "hosts": len(self.hosts),
            "vms": self.vm_count,
            "complete": self.complete,
            "stopped": self.stopped,
            "unread": [{"name": each.name, "reason": each.reason} for each in self.unread],
            "notes": list(self.notes),
            "left_out": [rule.id for rule in self.left_out],
            "summary": {
                name: {level: counted[level] for level in LEVELS}
                for name, counted in self.by_rule.items()
            },
        }

    def write_json(self, file: TextIO, *levels: Level) -> None:
        """The report as one JSON document, finding by finding: there may be many thousands.

        The first fields are a report's pinned ones; without ``levels`` all findings are written.
        """
        head = json.dumps(self.head(), ensure_ascii=False)
        file.write(head[:-1] + ', "findings": [')
        for number, finding in enumerate(self.findings(*levels)):
            file.write(",\n" if number else "\n")
            file.write(json.dumps(finding.to_json(), ensure_ascii=False))
        file.write("\n]}\n")

    def save_html(self, path: str | Path) -> Path:
        """Write the report as a page of its own, which can be filtered."""
        from nestkit.preflight.fleet_html import page

        path = Path(path)
        path.write_text(page(self), encoding="utf-8")
        return path

    def __str__(self) -> str:
        from nestkit.preflight.fleet_html import as_text

        return as_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from nestkit.preflight.fleet_html import as_html

        return as_html(self)
