"""The checks of lesson 09. They ask the broken hosts, and the table only of a repaired one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from nestkit.course.checks import Verdict, exercise, ids_of, not_done, not_right, passed
from nestkit.course.troubleshooting import Case, practised
from nestkit.hosts import connect
from nestkit.hosts.base import Host
from nestkit.preflight import check as preflight
from nestkit.requirements import shipped


def _broken(host: Host, case: Case) -> set[str]:
    """Ids of the rules that fail on the case's host, for its VM."""
    return {finding.id for finding in preflight(host, vm=case.vm or None).at("fail")}


def _numbered(answer: Any, asked: tuple[Case, ...]) -> dict[Any, set[str]]:
    """Number → ids: from a mapping, or from a list in the order of the hosts."""
    items = answer.items() if isinstance(answer, Mapping) else enumerate(answer, start=1)
    return {_number(number, asked): ids_of(given) for number, given in items}


def _number(given: object, asked: tuple[Case, ...]) -> object:
    """The number that is meant by 1, "1", "host 1" or the name of the host's VM."""
    text = str(given).strip()
    vms = [case.vm for case in asked]
    if vms.count(text) == 1:
        return vms.index(text) + 1
    digits = text.lower().removeprefix("host").strip()
    return int(digits) if digits.isdecimal() else given


def _hint(number: object, given: set[str], asked: tuple[Case, ...]) -> str:
    """What is wrong with the answer for one host; "" where it is right."""
    if not isinstance(number, int) or not 1 <= number <= len(asked):
        return f"there is no host {number!r}; they are numbered 1 to {len(asked)}"
    if not given:
        return f"host {number}: no rule is named"
    case = asked[number - 1]
    if strange := sorted(given - {rule.id for rule in shipped()}):
        return (
            f"host {number}: {strange[0]!r} is no rule's id; take it from the column “id” of "
            "preflight's table"
        )
    with closing(connect(case.at)) as host:
        broken = _broken(host, case)
    if not broken and given != {case.rule}:  # repaired since: only the table still knows
        return f"host {number}: nothing blocks {case.vm} any more; nestkit reset puts it back"
    if not broken or given <= broken:
        return ""
    return (
        f"host {number}: {', '.join(sorted(given - broken))} does not fail on {case.vm}; ask "
        "preflight for that VM and take an id whose level is fail"
    )


@exercise("09.causes")
def _causes(answer: Any) -> Verdict:
    asked = practised()
    if isinstance(answer, str) or not hasattr(answer, "__iter__"):
        return not_right(
            f"The answer is {type(answer).__name__}, and not a number for each host.",
            'write it like {1: "esx.vm.memory", 2: …}',
        )
    given = _numbered(answer, asked)
    if not given:
        return not_done(
            "No host is named yet.", "start with host 1: what does preflight say of its VM?"
        )
    hints = [hint for number, ids in given.items() if (hint := _hint(number, ids, asked))]
    if hints:
        return not_right(f"Not right: {len(hints)} of your {len(given)}.", *hints)
    if len(given) < len(asked):
        left = ", ".join(str(n) for n in range(1, len(asked) + 1) if n not in given)
        return not_right(f"{len(given)} right; still to find: host {left}.", "go on: all are alike")
    return passed(f"All {len(asked)} causes found by asking for the fact.")
