"""The checks of lesson 09. They ask the broken hosts, not the table of cases."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from nestkit.course.checks import Verdict, exercise, not_done, not_right, passed
from nestkit.course.troubleshooting import Case, practised
from nestkit.hosts import connect
from nestkit.hosts.base import Host
from nestkit.preflight import check as preflight


def _broken(host: Host, case: Case) -> set[str]:
    """Ids of the rules that fail on the case's host, for its VM."""
    return {finding.id for finding in preflight(host, vm=case.vm or None).at("fail")}


@exercise("09.causes")
def _causes(answer: Mapping[int, str]) -> Verdict:
    asked = practised()
    if not answer:
        return not_done(
            "No host is named yet.", "start with host 1: what does preflight say of its VM?"
        )
    hints = []
    for number, rule in answer.items():
        if number not in range(1, len(asked) + 1):
            hints.append(f"there is no host {number!r}; they are numbered 1 to {len(asked)}")
            continue
        case = asked[number - 1]
        with closing(connect(case.at)) as host:
            broken = _broken(host, case)
        if not broken:
            hints.append(f"host {number}: nothing blocks {case.vm} any more; reset it to try again")
        elif str(rule) not in broken:
            hints.append(
                f"host {number}: {rule} does not fail on {case.vm}; ask preflight for that VM "
                "and take an id whose level is fail"
            )
    if hints:
        return not_right(f"{len(hints)} of your {len(answer)} answers are not right.", *hints)
    if len(answer) < len(asked):
        left = ", ".join(str(n) for n in range(1, len(asked) + 1) if n not in answer)
        return not_right(
            f"{len(answer)} right; still to find: host {left}.", "go on: all are alike"
        )
    return passed(f"All {len(asked)} causes found by asking for the fact.")
