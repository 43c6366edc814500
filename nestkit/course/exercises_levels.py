"""The check of lesson 02's exercise on levels: the rules themselves, held against made-up facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

from nestkit.course.checks import Verdict, answers_to, exercise, not_right, passed
from nestkit.facts import CpuFacts, HostFacts, VmFacts
from nestkit.preflight import Level, evaluate
from nestkit.requirements import rules


def _esx(**facts: object) -> HostFacts:
    vm = VmFacts(identity="1", name="vm", ref="1", **facts)  # type: ignore[arg-type]
    return HostFacts(identity="1", platform="esx", name="host", is_practice=True, vms=(vm,))


def _hyperv(build: int = 20348, vendor: str = "intel", **facts: object) -> HostFacts:
    vm = VmFacts(identity="1", name="vm", ref="1", **facts)  # type: ignore[arg-type]
    return HostFacts(
        identity="1", platform="hyperv", name="host", is_practice=True, build=build,
        cpu=CpuFacts(vendor=vendor), vms=(vm,),
    )  # fmt: skip


# case → the facts it tells of, the rules that it is about, and a hint
CASES: Final = {
    "esxi 6 GiB": (_esx(memory_gib=6.0), "esx.vm.memory", "which of ESXi's two numbers is 8?"),
    "hyper-v 6 GiB": (
        _hyperv(memory_gib=6.0), "hyperv.vm.memory",
        "Hyper-V's minimum is 4 GiB, and 8 GiB is its other number",
    ),
    "version 9": (
        _esx(hardware_version=9), "esx.vm.hardware-version",
        "9 is the floor, so it does not fail; is it the newest?",
    ),
    "amd 2019": (
        _hyperv(17763, "amd"), "hyperv.host.build",
        "the row on the host's Windows names a newer one for AMD",
    ),
    "amd 9.0": (
        _hyperv(vendor="amd", configuration_version="9.0"), "hyperv.vm.configuration-version",
        "look for what the row says of AMD",
    ),
    "amd 10.0": (
        _hyperv(vendor="amd", configuration_version="10.0"), "hyperv.vm.configuration-version",
        "compare 10 and 9 as numbers, not letter by letter",
    ),
    "dynamic": (
        _hyperv(dynamic_memory=True), "hyperv.vm.static-memory",
        "look at the strength of the row on static memory",
    ),
}  # fmt: skip
_ORDER: Final = ("unknown", "pass", "note", "warn", "fail")


def level_of(case: str) -> str:
    """What preflight says of a case: the worst level of the rules that it is about."""
    facts, about, _ = CASES[case]
    asked = [rule for rule in rules(facts.platform) if rule.id.startswith(about)]
    return max((finding.level for finding in evaluate(facts, asked)), key=_ORDER.index)


@exercise("02.levels")
def _levels(levels: Mapping[str, object]) -> Verdict:
    given = answers_to(levels, '{"esxi 6 GiB": "fail", …}')
    answers = {case: str(level).strip().lower() for case, level in given.items()}
    if strange := [case for case in answers if case not in CASES]:
        return not_right(f"{', '.join(strange)}: no such case.", f"judge {', '.join(CASES)}")
    if left := [case for case in CASES if case not in answers]:
        return not_right(f"{len(left)} are not judged yet.", f"still to do: {', '.join(left)}")
    hints = []
    for case, (_, _, hint) in CASES.items():
        if answers[case] not in get_args(Level):
            hints.append(f"{case}: answer pass, note, warn or fail, not {answers[case]!r}")
        elif answers[case] != level_of(case):
            hints.append(f"{case}: {hint}")
    if hints:
        return not_right(f"{len(CASES) - len(hints)} of {len(CASES)} are right.", *hints)
    return passed(f"All {len(CASES)} judged as preflight does.")
