"""The rules: ``data/requirements.toml``, read, checked and typed.

Each rule is one requirement of the guide, at the level the guide gives it, or an addition of a
vendor's document; ``source`` says which.
"""

from __future__ import annotations

import functools
import types
import typing
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from nestkit import facts
from nestkit.facts import Platform, Unknown
from nestkit.requirements.judging import (
    CHECKS,
    COMPARISONS,
    NOT_APPLICABLE,
    Subject,
    Verdict,
    version_key,
)
from nestkit.resources import data_path
from nestkit.tomlfile import Row, read_rows

Strength = Literal["required", "recommended", "note"]
SubjectKind = Literal["host", "vm", "nic"]
Component = Literal["cpu", "memory", "storage", "network", "software", "nesting", "limits"]
HARDWARE: Final = ("cpu", "memory", "storage", "network")
_ROOTS: Final = {"host": facts.HostFacts, "vm": facts.VmFacts, "nic": facts.VmNicFacts}
_FIELDS: Final = frozenset({
    "id", "platform", "subject", "component", "strength", "fact", "compare", "check", "value",
    "unit", "tolerance", "yes", "no", "required", "title", "why", "remedy", "source",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One requirement.

    Parameters
    ----------
    fact
        Path of a field of :mod:`nestkit.facts`, from the subject; ``nics[].link_mbps`` is that
        field of each.
    compare, check
        One of the two: a comparison of the fact with ``value``, or a named check.
    tolerance
        Share by which a measured number may fall short: firmware keeps some of the memory.
    yes, no
        What true and false are called.
    """

    id: str
    platform: Platform
    subject: SubjectKind
    component: Component
    strength: Strength
    fact: str
    compare: str
    check: str
    value: Any
    unit: str
    tolerance: float
    yes: str
    no: str
    required: str
    title: str
    why: str
    remedy: str
    source: str

    def judge(self, subject: Subject) -> Verdict:
        """Hold the subject's fact against the rule. Pure."""
        fact = read_fact(subject.facts, self.fact)
        if self.check:
            return CHECKS[self.check](subject, fact, self.value)
        if isinstance(fact, Unknown):
            return Verdict(fact)
        if self.fact.count("[]") and not fact:
            return NOT_APPLICABLE  # no NIC, no disk: another rule says so
        limit = self.value * (1 - self.tolerance) if self.tolerance else self.value
        return COMPARISONS[self.compare](fact, limit)

    def render(self, value: Any) -> str:
        """A measured value in words."""
        if isinstance(value, bool):
            return self.yes if value else self.no
        if isinstance(value, float):
            value = f"{value:.1f}".removesuffix(".0")
        return f"{value} {self.unit}".rstrip()


def read_fact(root: Any, path: str) -> Any:
    """The fact at a path; unknown as soon as something on the way is."""
    head, _, rest = path.partition(".")
    value = getattr(root, head.removesuffix("[]"))
    if isinstance(value, Unknown) or not rest:
        return value
    if head.endswith("[]"):
        return tuple(read_fact(item, rest) for item in value)
    return read_fact(value, rest)


@functools.cache
def rules(platform: Platform) -> tuple[Rule, ...]:
    """The shipped rules of a platform, in the file's order."""
    return tuple(rule for rule in shipped() if rule.platform == platform)


@functools.cache
def shipped() -> tuple[Rule, ...]:
    """All shipped rules."""
    return load(data_path("requirements.toml"))


def load(path: str | Path) -> tuple[Rule, ...]:
    """Read rules from a file.

    Raises
    ------
    DataFileError
        If a field is missing, misspelt, of the wrong type or not of its closed set, if a fact
        or check does not exist, or if an id is used twice; with file, line and field.
    """
    found: dict[str, Rule] = {}
    for row in read_rows(Path(path), "rule"):
        rule = _rule(row)
        if rule.id in found:
            row.fail("id", f"{rule.id!r} is used twice")
        found[rule.id] = rule
    return tuple(found.values())


def _rule(row: Row) -> Rule:
    row.only(_FIELDS)
    subject = row.word("subject", get_args(SubjectKind))
    path = row.text("fact")
    kind = _fact_type(row, subject, path)
    check = row.text("check", "")
    compare = row.text("compare", "")
    if bool(check) == bool(compare):
        row.fail("compare", "give either compare or check")
    if check and check not in CHECKS:
        row.fail("check", f"there is no check {check!r}; there are {', '.join(sorted(CHECKS))}")
    if compare:
        row.word("compare", tuple(COMPARISONS))
        _match_types(row, compare, path, kind)
    elif "value" not in row.values:
        row.fail("value", "is missing")
    tolerance = row.values.get("tolerance", 0.0)
    if not isinstance(tolerance, float) or not 0 <= tolerance < 0.5:
        row.fail("tolerance", "must be a number from 0.0 to below 0.5")
    source = row.values.get("source")
    if (
        not isinstance(source, list)
        or not source
        or not all(isinstance(item, str) and item.strip() for item in source)
    ):
        row.fail("source", "must be a list of at least one citation")
    rule = Rule(
        id=row.text("id"),
        platform=typing.cast(Platform, row.word("platform", get_args(Platform))),
        subject=typing.cast(SubjectKind, subject),
        component=typing.cast(Component, row.word("component", get_args(Component))),
        strength=typing.cast(Strength, row.word("strength", get_args(Strength))),
        fact=path, compare=compare, check=check, value=row.values.get("value"),
        unit=row.text("unit", ""), tolerance=tolerance,
        yes=row.text("yes", "yes"), no=row.text("no", "no"),
        required=row.text("required", "-"),
        title=row.text("title"), why=row.text("why"), remedy=row.text("remedy"),
        source="; ".join(source),
    )  # fmt: skip
    if rule.required != "-":
        return rule
    if check:
        row.fail("required", "is missing: a check cannot say in words what it asks for")
    return _with_required(rule)


def _with_required(rule: Rule) -> Rule:
    """Say in words what the comparison asks for."""
    value = rule.value
    words = {
        "is": rule.render(value),
        "at-most": f"at most {rule.render(value)}",
        "version-at-least": f"{value} or newer",
        "some-one-of": " or ".join(value) if isinstance(value, list) else "",
        "empty": "none",
    }
    return replace(rule, required=words.get(rule.compare, f"at least {rule.render(value)}"))


def _fact_type(row: Row, subject: str, path: str) -> type:
    """The type of the fact at a path, or a complaint that there is none."""
    kind: Any = _ROOTS[subject]
    for part in path.split("."):
        name = part.removesuffix("[]")
        if not is_dataclass(kind) or name not in {field.name for field in fields(kind)}:
            row.fail("fact", f"there is no fact {path!r} of a {subject}")
        kind = _plain(typing.get_type_hints(kind)[name])
        if part.endswith("[]"):
            if typing.get_origin(kind) is not tuple:
                row.fail("fact", f"{name!r} in {path!r} is not a list")
            kind = get_args(kind)[0]
    origin = typing.get_origin(kind)
    if origin is Literal:
        return str
    return typing.cast(type, origin or kind)


def _plain(hint: Any) -> Any:
    """``Fact[T]`` without the unknown."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next(arg for arg in get_args(hint) if arg is not Unknown)
    return hint


def _match_types(row: Row, compare: str, path: str, kind: type) -> None:
    """The fact, the comparison and the threshold must speak of the same kind of thing."""
    value = row.values.get("value")
    many = "[]" in path
    if many != compare.startswith("some-"):
        row.fail("compare", f"{compare!r} does not fit {path!r}: some-… goes with […].field")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    expects: dict[str, tuple[bool, bool, str]] = {  # fact fits, value fits, what it must be
        "is": (kind in (bool, str), type(value) is kind, kind.__name__),
        "at-least": (kind in (int, float), number, "a number"),
        "at-most": (kind in (int, float), number, "a number"),
        "version-at-least": (
            kind is str, isinstance(value, str) and bool(version_key(value)), "a version as text",
        ),
        "count-at-least": (kind is tuple, type(value) is int, "a whole number"),
        "some-at-least": (kind in (int, float), number, "a number"),
        "some-one-of": (
            kind is str,
            isinstance(value, list) and all(isinstance(item, str) for item in value),
            "a list of text",
        ),
        "empty": (kind is tuple, value is None, "absent"),
    }  # fmt: skip
    fact_fits, value_fits, wanted = expects[compare]
    if not fact_fits:
        row.fail("compare", f"{compare!r} cannot judge {path!r}, which is {kind.__name__}")
    if not value_fits:
        row.fail("value", f"must be {wanted} for {compare!r}, not {value!r}")
