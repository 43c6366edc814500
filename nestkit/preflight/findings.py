"""Facts held against rules: what each rule says of each subject. Pure.

The same facts give the same findings, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from nestkit.facts import HostFacts, Unknown
from nestkit.requirements import Rule, Strength
from nestkit.requirements.judging import Subject, Verdict, vm_labels

Level = Literal["pass", "note", "warn", "fail", "unknown"]
_FAILED: Final[dict[Strength, Level]] = {"required": "fail", "recommended": "warn", "note": "note"}
STRENGTHS: Final = get_args(Strength)  # the strongest first
COLUMNS: Final = (
    "id", "strength", "level", "subject", "measured", "required",
    "measured_value", "required_value", "unit", "why", "remedy", "source",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule says of one subject.

    ``measured`` and ``required`` are words, ``measured_value`` and ``required_value`` JSON
    values in ``unit``; ``measured_value`` is None when the level is unknown. ``remedy`` is empty
    when there is nothing to do. ``subject`` holds a VM's Id where several have its name.
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
        return {name: getattr(self, name) for name in COLUMNS}


def evaluate(facts: HostFacts, rules: Iterable[Rule]) -> tuple[Finding, ...]:
    """Hold facts against rules: the host first, then each VM followed by its NICs. Pure."""
    rules = tuple(rules)
    return tuple(finding for subject in _subjects(facts) for finding in _judge(subject, rules))


def _subjects(facts: HostFacts) -> Iterator[Subject]:
    yield Subject(facts)
    for vm, label in zip(facts.vms, vm_labels(facts.vms), strict=True):
        yield Subject(facts, vm, vm_label=label)
        if not isinstance(vm.nics, Unknown):
            yield from (Subject(facts, vm, nic, label) for nic in vm.nics)


def _judge(subject: Subject, rules: tuple[Rule, ...]) -> Iterator[Finding]:
    unmet: dict[str, Strength] = {}
    for rule in rules:
        if rule.subject != subject.kind:
            continue
        stronger = unmet.get(rule.fact, rule.strength)
        if weaker(rule, stronger):
            continue  # below the minimum: that it is below the recommendation too says nothing
        finding = _finding(rule, subject)
        if finding is None:
            continue
        if finding.level in ("fail", "warn"):
            unmet.setdefault(rule.fact, rule.strength)
        yield finding


def level_of(rule: Rule, verdict: Verdict) -> Level | None:
    """The level of a verdict; None where the rule does not apply."""
    if verdict.passed is None:
        return None
    if isinstance(verdict.passed, Unknown):
        return "unknown"
    return "pass" if verdict.passed else _FAILED[rule.strength]


def weaker(rule: Rule, strength: Strength) -> bool:
    """Whether the rule asks less firmly than that."""
    return STRENGTHS.index(strength) < STRENGTHS.index(rule.strength)


def _finding(rule: Rule, subject: Subject) -> Finding | None:
    verdict = rule.judge(subject)
    level = level_of(rule, verdict)
    return None if level is None else finding_of(rule, subject.label, level, verdict)


def finding_of(rule: Rule, subject: str, level: Level, verdict: Verdict) -> Finding:
    """A verdict in full words; ``subject`` is how it is named."""
    value: Any = verdict.measured
    if level == "unknown":
        measured, value = str(verdict.passed), None
    else:
        measured = verdict.text or rule.render(value)
    return Finding(
        id=rule.id,
        strength=rule.strength,
        level=level,
        subject=subject,
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
