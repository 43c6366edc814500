"""Can this host nest? Facts held against rules, as a report.

>>> nk.preflight.check(host, vm="nested-esxi-01")  # one VM, in full
>>> nk.preflight.fleet(host)  # all VMs of a vCenter or host, in bulk
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from nestkit.errors import PlanError
from nestkit.facts import HostFacts, Platform
from nestkit.hosts.base import Host, refuse_other
from nestkit.preflight.findings import COLUMNS, Finding, Level, evaluate
from nestkit.preflight.fleet_report import FleetReport
from nestkit.preflight.survey import fleet
from nestkit.requirements import HARDWARE, Rule, rules

if TYPE_CHECKING:
    import pandas as pd

SCHEMA: Final = 1

__all__ = [
    "SCHEMA",
    "Finding",
    "FleetReport",
    "Level",
    "Report",
    "check",
    "dumps",
    "evaluate",
    "fleet",
]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Report:
    """The findings on a host and its VMs.

    ``judged_as`` is the platform whose rules were used; it differs from ``platform`` where the
    local machine is judged as a future host.
    """

    host: str
    platform: Platform
    judged_as: Platform
    is_practice: bool
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """True when nothing failed. Unknowns do not count against it: see :attr:`unknown`."""
        return not any(finding.level == "fail" for finding in self.findings)

    @property
    def unknown(self) -> int:
        """How many findings could not be decided."""
        return sum(finding.level == "unknown" for finding in self.findings)

    def blocked(self, *, strict: bool = False) -> bool:
        """Whether to stop here. With ``strict`` a required unknown stops as well."""
        return not self.ok or (
            strict and any(f.level == "unknown" and f.strength == "required" for f in self.findings)
        )

    def at(self, *levels: Level) -> tuple[Finding, ...]:
        """The findings at these levels."""
        return tuple(finding for finding in self.findings if finding.level in levels)

    def to_json(self) -> dict[str, Any]:
        """The report in its pinned shape, schema 1."""
        return {
            "schema": SCHEMA,
            "ok": self.ok,
            "unknown": self.unknown,
            "findings": [finding.to_json() for finding in self.findings],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a finding, the columns of :meth:`to_json`."""
        import pandas as pd

        return pd.DataFrame([finding.to_json() for finding in self.findings], columns=COLUMNS)

    def __str__(self) -> str:
        from nestkit.preflight.reporting import as_text

        return as_text(self)

    __repr__ = __str__  # what a terminal shows for the value of an expression

    def _repr_html_(self) -> str:
        from nestkit.preflight.reporting import as_html

        return as_html(self)


def check(host: Host, vm: str | None = None, *, as_platform: Platform | None = None) -> Report:
    """Judge a host and its VMs by the rules of its platform.

    Parameters
    ----------
    host
        A connected host.
    vm
        Name or UUID of the one VM to judge; without it, every VM that is not a template.
    as_platform
        For the local machine: judge its hardware by the guide's rows for "esx" or "hyperv".

    Raises
    ------
    AddressError
        If ``host`` is no connected host.
    NotFound, Ambiguous
        If ``vm`` names no VM, or several.
    PlanError
        If ``as_platform`` does not fit the host, or ``vm`` is left out for a vCenter.
    """
    refuse_other(host)
    facts = host.read(vm)
    if vm is None:
        # a template hosts nothing until it is deployed; named, it is judged and says so
        facts = replace(
            facts, vms=tuple(each for each in facts.vms if each.is_template is not True)
        )
    return Report(
        host=facts.name,
        platform=facts.platform,
        judged_as=as_platform or facts.platform,
        is_practice=facts.is_practice,
        findings=evaluate(facts, _applicable(facts, as_platform)),
    )


def _applicable(facts: HostFacts, as_platform: Platform | None) -> tuple[Rule, ...]:
    if as_platform is None or as_platform == facts.platform:
        return rules(facts.platform)
    if facts.platform != "local" or as_platform not in ("esx", "hyperv"):
        raise PlanError(
            f"{facts.name} is {facts.platform}: it cannot be judged as {as_platform!r}",
            remedy="leave as_platform out, or use it with local:// and 'esx' or 'hyperv'",
        )
    return tuple(
        rule for rule in rules(as_platform) if rule.subject == "host" and rule.component in HARDWARE
    )


def dumps(report: Report) -> str:
    """The report as JSON text."""
    return json.dumps(report.to_json(), ensure_ascii=False, indent=2)
