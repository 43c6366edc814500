"""Lesson 09: from a symptom to the fact that decides, its cause and the way out."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from nestkit.course import markup
from nestkit.course.fields import Field
from nestkit.course.forms import Form, form_for
from nestkit.course.hosts import class_seed
from nestkit.errors import CourseError
from nestkit.htmltable import Link, table
from nestkit.practice.profiles import dealt
from nestkit.practice.tables import Source
from nestkit.resources import data_path
from nestkit.tomlfile import read_rows

if TYPE_CHECKING:
    import pandas as pd

Where = Literal["any", "esx", "hyperv", "local"]
_THREAD: Final = re.compile(
    r"https://github\.com/[^/]+/(?P<repository>[^/]+)/(?:issues|pull)/(?P<number>\d+)"
)
_WORD: Final = re.compile(r"\w{3,}")
_SHORT: Final = frozenset({"and", "are", "but", "can", "for", "has", "not", "that", "the", "with"})
_PRACTISED: Final = (
    "esx-greyed-out",
    "esx-no-dhcp",
    "esx-old-key",
    "hyperv-memory",
    "hyperv-no-network",
)
# a seed of the exercise's own: on these hosts no other lesson has repaired anything
_SEED: Final = 9
_SEED_IN_CLASS: Final = 10_000  # and past those of the learners' other hosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A broken host: symptom, the fact that decides, cause, fix, and where it was met.

    Attributes
    ----------
    rule
        The preflight rule that sees it.
    at, vm
        A practice host that has it, and the VM there; empty where it is this machine's own.
    source
        The thread or vendor page it comes from.
    """

    id: str
    platform: str
    symptom: str
    fact: str
    cause: str
    fix: str
    rule: str
    at: str
    vm: str
    source: str


_FIELDS: Final = frozenset(field.name for field in fields(Case))


@lru_cache(maxsize=1)
def cases() -> tuple[Case, ...]:
    """Every case of ``data/troubleshooting.toml``.

    Raises
    ------
    DataFileError
        If the file cannot be read, or a case is not whole.
    """
    found = []
    for row in read_rows(data_path("troubleshooting.toml"), "case"):
        row.only(_FIELDS)
        row.word("platform", ("esx", "hyperv", "local"))
        texts = {name: row.text(name) for name in _FIELDS - {"at", "vm"}}
        found.append(Case(**texts, at=row.text("at", ""), vm=row.text("vm", "")))
    return tuple(found)


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """Cases that fit what was seen, the best fit first."""

    cases: tuple[Case, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a case, the columns of :class:`Case`."""
        import pandas as pd

        names = [field.name for field in fields(Case)]
        return pd.DataFrame([[getattr(c, n) for n in names] for c in self.cases], columns=names)

    def __str__(self) -> str:
        return (
            "\n\n".join(
                f"{c.symptom}\n  fact:  {c.fact} [{c.rule}]\n  cause: {c.cause}\n  fix:   {c.fix}\n"
                f"  seen:  {c.source}"
                for c in self.cases
            )
            or "no case fits; ask preflight, it looks at every fact"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [
            (c.symptom, f"{c.fact}\n({c.rule})", f"{c.cause}\n→ {c.fix}",
             Link(_short(c.source), c.source))
            for c in self.cases
        ]  # fmt: skip
        if not rows:
            return markup.status(str(self))
        heads = ("What you see", "The fact that decides", "Why, and what to do", "Met at")
        return table(f"{len(rows)} of {len(cases())} cases", heads, rows)


def symptoms(words: str = "", platform: Where = "any") -> Found:
    """Look a symptom up.

    Parameters
    ----------
    words
        What you see, in your own words; nothing gives every case.
    platform
        "esx", "hyperv", "local" or "any".
    """
    known = [each for each in cases() if platform in ("any", each.platform)]
    wanted = _words(words)
    if not wanted:
        return Found(tuple(known))
    hits = [(len(wanted & _words(f"{c.symptom} {c.fact} {c.cause}")), c) for c in known]
    most = max((count for count, _ in hits), default=0)
    best = sorted((hit for hit in hits if hit[0] and hit[0] * 2 >= most), key=lambda hit: -hit[0])
    return Found(tuple(case for _, case in best))


def _short(address: str) -> str:
    """A web address as people say it: "vmware/vic 4759", or the site's name."""
    match = _THREAD.match(address)
    return f"{match['repository']} #{match['number']}" if match else address.split("/")[2]


def _words(text: str) -> frozenset[str]:
    """The words that tell something, without their endings."""
    return frozenset(w[:6] for w in _WORD.findall(text.lower()) if w not in _SHORT)


def symptom_form() -> Form:
    """Look a symptom up by words."""
    return form_for(
        symptoms,
        fields={
            "words": Field("What you see", help="for example: greyed out, no DHCP, does not start"),
            "platform": Field("Where"),
        },
        title="Symptom finder",
        run_label="Find",
    )


@dataclass(frozen=True, slots=True)
class BrokenHost:
    """One host of the exercise: where it is, the VM, and what its owner says."""

    number: int
    address: str
    vm: str
    symptom: str


def broken_hosts() -> markup.Table:
    """The five broken hosts of the exercise: number, address, VM, and what their owner says."""
    import pandas as pd

    rows = [
        (number, case.at, case.vm, case.symptom) for number, case in enumerate(practised(), start=1)
    ]
    frame = pd.DataFrame(rows, columns=["host", "address", "VM", "what its owner says"])
    return markup.Table(frame, "Five broken hosts")


def broken_host(which: int | str) -> BrokenHost:
    """One of the five broken hosts.

    Parameters
    ----------
    which
        Its number in :func:`broken_hosts`, or the id of its case ("esx-old-key").

    Raises
    ------
    CourseError
        If there is no such host.
    """
    for number, case in enumerate(practised(), start=1):
        if which in (number, case.id):
            return BrokenHost(number, case.at, case.vm, case.symptom)
    raise CourseError(
        f"there is no broken host {which!r}", remedy=f"use a number from 1 to {len(_PRACTISED)}"
    )


def practised() -> tuple[Case, ...]:
    """The cases of the exercise, dealt out: hosts, VMs and order differ from learner to learner.

    In a class each learner has a seed; a person alone has one that stays.
    """
    of_class = class_seed()
    seed = _SEED if of_class is None else _SEED_IN_CLASS + of_class
    known = {case.id: case for case in cases()}
    missing = [name for name in _PRACTISED if name not in known]
    if missing:
        raise CourseError(
            f"the exercise's case {missing[0]!r} is not in the table of cases",
            remedy="restore data/troubleshooting.toml from the repository",
        )
    order = random.Random(seed).sample(_PRACTISED, len(_PRACTISED))  # noqa: S311  (no secret)
    names = {
        kind: dealt(Source(data_path("practice", f"{kind}.toml")), seed)
        for kind in ("esx", "hyperv")
    }
    return tuple(
        replace(case, at=f"{case.at}?seed={seed}", vm=names[case.platform][case.vm])
        for case in (known[name] for name in order)
    )
