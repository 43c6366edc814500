"""Can this host nest? Facts held against rules, as a report.

Evaluation is pure: the same facts give the same findings, in the same order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from nestkit.errors import PlanError
from nestkit.facts import HostFacts, Platform, Unknown
from nestkit.hosts.base import Host
from nestkit.requirements import HARDWARE, Rule, Strength, rules
from nestkit.requirements.judging import Subject

if TYPE_CHECKING:
    import pandas as pd

SCHEMA: Final = 1
Level = Literal["pass", "note", "warn", "fail", "unknown"]
_FAILED: Final[dict[Strength, Level]] = {"required": "fail", "recommended": "warn", "note": "note"}
_STRENGTHS: Final = get_args(Strength)  # the strongest first
_COLUMNS: Final = (
    "id", "strength", "level", "subject", "measured", "required",
    "measured_value", "required_value", "unit", "why", "remedy", "source",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule says of one subject.

    ``measured`` and ``required`` are words, ``measured_value`` and ``required_value`` JSON
    values in ``unit``; ``measured_value`` is None when the level is unknown. ``remedy`` is empty
    when there is nothing to do.
    """

    id: str
    strength: Strength
    level: Level
    subject: str
    measured: str
    required: str
    measured_value: Any
    required_value: Any
    unit: str
    why: str
    remedy: str
    source: str
    title: str

    def to_json(self) -> dict[str, Any]:
        """The pinned fields, as JSON values."""
        return {name: getattr(self, name) for name in _COLUMNS}


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

        return pd.DataFrame([finding.to_json() for finding in self.findings], columns=_COLUMNS)

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
    NotFound, Ambiguous
        If ``vm`` names no VM, or several.
    PlanError
        If ``as_platform`` does not fit the host.
    """
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


def evaluate(facts: HostFacts, rules: Iterable[Rule]) -> tuple[Finding, ...]:
    """Hold facts against rules: the host first, then each VM followed by its NICs. Pure."""
    rules = tuple(rules)
    return tuple(finding for subject in _subjects(facts) for finding in _judge(subject, rules))


def _subjects(facts: HostFacts) -> Iterator[Subject]:
    yield Subject(facts)
    for vm in facts.vms:
        yield Subject(facts, vm)
        if not isinstance(vm.nics, Unknown):
            yield from (Subject(facts, vm, nic) for nic in vm.nics)


def _judge(subject: Subject, rules: tuple[Rule, ...]) -> Iterator[Finding]:
    unmet: dict[str, Strength] = {}
    for rule in rules:
        if rule.subject != subject.kind:
            continue
        stronger = unmet.get(rule.fact, rule.strength)
        if _STRENGTHS.index(stronger) < _STRENGTHS.index(rule.strength):
            continue  # below the minimum: that it is below the recommendation too says nothing
        finding = _finding(rule, subject)
        if finding is None:
            continue
        if finding.level in ("fail", "warn"):
            unmet.setdefault(rule.fact, rule.strength)
        yield finding


def _finding(rule: Rule, subject: Subject) -> Finding | None:
    verdict = rule.judge(subject)
    if verdict.passed is None:
        return None
    level: Level
    value: Any = verdict.measured
    if isinstance(verdict.passed, Unknown):
        level, measured, value = "unknown", str(verdict.passed), None
    else:
        level = "pass" if verdict.passed else _FAILED[rule.strength]
        measured = verdict.text or rule.render(value)
    return Finding(
        id=rule.id,
        strength=rule.strength,
        level=level,
        subject=subject.label,
        measured=measured,
        required=rule.required,
        measured_value=value,
        required_value=rule.value,
        unit=rule.unit,
        why=rule.why,
        remedy=_remedy(rule, level),
        source=rule.source,
        title=rule.title,
    )


def _remedy(rule: Rule, level: Level) -> str:
    if level == "pass":
        return ""
    if level == "unknown":
        return f"Look for yourself. Where it is not met: {rule.remedy}"
    return rule.remedy


def dumps(report: Report) -> str:
    """The report as JSON text."""
    return json.dumps(report.to_json(), ensure_ascii=False, indent=2)
