"""Many VMs against the same rules: each rule looks only at what it reads, and remembers.

VMs of a fleet are much alike. A rule is judged once for each combination of the facts it reads,
which its path and :data:`nestkit.requirements.judging.READS` name; the verdict is the same one
that :meth:`nestkit.requirements.Rule.judge` gives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from nestkit.facts import NOT_IN_FLEET, HostFacts, Unknown, VmFacts, VmNicFacts
from nestkit.preflight.findings import Finding, Level, finding_of, level_of, weaker
from nestkit.requirements import Rule
from nestkit.requirements.judging import READS, Subject, Verdict, vm_labels

Entry = tuple[Level, Verdict] | None  # None: nothing to say here
_NEW: Final = object()
_OPEN: Final = ("fail", "warn")


@dataclass(slots=True)
class Column:
    """One rule and what it says of each VM, in their order."""

    rule: Rule
    stronger: list[Column]  # of the same fact: where one is not met, this one says nothing
    read: Callable[[VmFacts], Any]
    reads_host: bool
    entries: list[Entry] = field(default_factory=list)
    left_out: bool = False  # at least one VM could not be judged in a fleet
    memo: dict[Any, Entry] = field(default_factory=dict)

    def add(self, hosts: Sequence[HostFacts], vms: list[VmFacts], where: list[int]) -> None:
        """Judge some more VMs; ``where`` holds the index of each one's host."""
        memo, first = self.memo, len(self.entries)
        keys: list[Any] = list(map(self.read, vms))
        if self.reads_host:
            keys = list(zip(where, keys, strict=True))
        found = [memo.get(key, _NEW) for key in keys]
        for number, entry in enumerate(found):
            if entry is _NEW:
                key = keys[number]
                if key not in memo:
                    memo[key] = self._judge(Subject(hosts[where[number]], vms[number]))
                found[number] = memo[key]
        if self.stronger:
            for number, entry in enumerate(found):
                above = (column.entries[first + number] for column in self.stronger)
                if entry and any(one is not None and one[0] in _OPEN for one in above):
                    found[number] = None
        self.entries += found  # type: ignore[arg-type]

    def _judge(self, subject: Subject) -> Entry:
        entry, left_out = judge(self.rule, subject)
        self.left_out = self.left_out or left_out
        return entry


def judge(rule: Rule, subject: Subject) -> tuple[Entry, bool]:
    """What a rule says, and whether it had to be left out because a fleet does not read it."""
    verdict = rule.judge(subject)
    if isinstance(verdict.passed, Unknown) and verdict.passed == NOT_IN_FLEET:
        return None, True
    level = level_of(rule, verdict)
    return (None if level is None else (level, verdict)), False


@dataclass(slots=True)
class Sheet:
    """All rules against all VMs read so far, and against their networks."""

    rules: tuple[Rule, ...]
    vms: list[VmFacts] = field(default_factory=list)
    where: list[int] = field(default_factory=list)  # index of each VM's host
    columns: list[Column] = field(init=False)
    nic_rules: tuple[Rule, ...] = field(init=False)
    _nics: dict[int, list[tuple[VmNicFacts, list[tuple[Rule, Entry]]]]] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        self.nic_rules = tuple(rule for rule in self.rules if rule.subject == "nic")
        self.columns = []
        for rule in self.rules:
            if rule.subject != "vm":
                continue
            extra = READS.get(rule.check, ())
            names = [rule.fact.partition(".")[0].removesuffix("[]")]
            names += [path.removeprefix("vm.") for path in extra if path.startswith("vm.")]
            self.columns.append(
                Column(
                    rule,
                    [c for c in self.columns if c.rule.fact == rule.fact and weaker_than(rule, c)],
                    attrgetter(*names),
                    any(path.startswith("host.") for path in extra),
                )
            )

    def add(self, hosts: Sequence[HostFacts], vms: list[VmFacts], where: list[int]) -> None:
        """Judge some more VMs."""
        for column in self.columns:
            column.add(hosts, vms, where)
        for vm, host in zip(vms, where, strict=True):
            nics = vm.nics
            # the readers of fleets share the tuples of VMs that are in the same networks
            if not isinstance(nics, Unknown) and id(nics) not in self._nics:
                self._nics[id(nics)] = [self._judge_nic(hosts[host], vm, nic) for nic in nics]
        self.vms += vms
        self.where += where

    def _judge_nic(
        self, host: HostFacts, vm: VmFacts, nic: VmNicFacts
    ) -> tuple[VmNicFacts, list[tuple[Rule, Entry]]]:
        subject = Subject(host, vm, nic)
        return nic, [(rule, judge(rule, subject)[0]) for rule in self.nic_rules]

    def counts(self) -> dict[str, Counter[str]]:
        """How often each rule, by its id, has said what."""
        found: dict[str, Counter[str]] = {
            column.rule.id: Counter([str(entry[0]) for entry in column.entries if entry])
            for column in self.columns
        }
        uses = Counter(id(vm.nics) for vm in self.vms)
        for rule in self.nic_rules:
            found[rule.id] = Counter()
        for key, judged in self._nics.items():
            for _, entries in judged:
                for rule, entry in entries:
                    if entry:
                        found[rule.id][entry[0]] += uses[key]
        return found

    def left_out(self) -> tuple[Rule, ...]:
        """The rules that only a look at one named VM can judge."""
        return tuple(column.rule for column in self.columns if column.left_out)

    def findings(self, levels: frozenset[Level]) -> Iterator[tuple[int, Finding]]:
        """The findings at these levels with the index of their VM, VM by VM."""
        labels = vm_labels(self.vms)
        for number, vm in enumerate(self.vms):
            for column in self.columns:
                entry = column.entries[number]
                if entry is not None and entry[0] in levels:
                    yield number, finding_of(column.rule, labels[number], *entry)
            for nic, entries in self._nics.get(id(vm.nics), ()):
                for rule, entry in entries:
                    if entry is not None and entry[0] in levels:
                        label = f"{labels[number]}, {nic.label}"
                        yield number, finding_of(rule, label, *entry)


def weaker_than(rule: Rule, column: Column) -> bool:
    """Whether the rule asks less firmly than the column's."""
    return weaker(rule, column.rule.strength)
