"""The checks of lesson 01: types of hypervisors, and counting layers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from nestkit.course.checks import Verdict, answers_to, exercise, not_right, passed
from nestkit.course.layers import hypervisors

_WORDS: Final = {
    "zero": "0", "one": "1", "two": "2", "three": "3", "i": "1", "ii": "2",
    "baremetal": "1", "native": "1", "hosted": "2",
}  # fmt: skip
# what people answer wrongly, and what helps them to see it
_TYPE_HINTS: Final = {
    "Microsoft Hyper-V": "you install Hyper-V from within Windows, but at the next start, which "
    "of the two starts first, and which runs on the other?",
    "VMware ESXi": "what would you have to install on a bare server before ESXi?",
    "VMware Workstation": "can you start it without an operating system that is there already?",
    "Oracle VirtualBox": "can you start it without an operating system that is there already?",
}
# scenario → its innermost machine's layer, and a hint
SCENARIOS: Final = {
    "web server": (1, "one VM on one host: the host is L0, and the VM the next one"),
    "witness": (1, "the appliance is a VM on the server, although ESXi runs in it"),
    "lab on a laptop": (
        2,
        "Workstation and the Windows under it are both L0; count on from there, VM by VM",
    ),
    "console": (0, "the root partition is beside the VMs of Hyper-V, not in one of them"),
    "container": (1, "a container shares the kernel of its machine: it is no machine of its own"),
    "three deep": (3, "the server is 0; count the VMs you pass on the way in, each is one layer"),
}


def _number(word: object) -> str:
    """An answer as the digit that is meant: "Type-1", "bare metal", "L1", 1.0 are all "1"."""
    if isinstance(word, float) and word.is_integer():
        word = int(word)
    said = re.sub(r"[^a-z0-9]", "", re.sub(r"\(.*?\)", "", str(word).lower()))
    bare = re.sub(r"^(type|layer|l)(?=.)", "", said)
    return _WORDS.get(bare, bare)


def _name(word: object, known: Mapping[str, Any]) -> str | None:
    """The known name that is meant: in any case, and without its vendor too."""
    said = str(word).strip().lower()
    fits = [name for name in known if said and said in (name.lower(), *name.lower().split()[1:])]
    return fits[0] if len(fits) == 1 else None


@exercise("01.types")
def _types(placed: Mapping[str, object]) -> Verdict:
    right = {each.name: each.type for each in hypervisors() if each.type != "either"}
    why = {each.name: each.why for each in hypervisors()}
    given: dict[str, str] = {}
    for said, kind in answers_to(placed, '{"VMware ESXi": 1, …}').items():
        name = _name(said, right)
        if name is None:
            return not_right(
                f"{said!r} is none of the hypervisors asked for.", f"place {', '.join(right)}"
            )
        given[name] = _number(kind)
    if left := [name for name in right if name not in given]:
        return not_right(f"{len(left)} are not placed yet.", f"still to place: {', '.join(left)}")
    hints = [
        f"{name}: {_TYPE_HINTS[name] if kind in ('1', '2') else 'answer 1 or 2'}"
        for name, kind in given.items()
        if kind != right[name]
    ]
    if hints:
        return not_right(f"{len(right) - len(hints)} of {len(right)} are right.", *hints)
    return passed(f"All {len(right)} are right. Hyper-V: {why['Microsoft Hyper-V']}")


@exercise("01.layers")
def _layers(counted: Mapping[str, object]) -> Verdict:
    answers = answers_to(counted, '{"web server": 1, …}')
    if strange := [str(name) for name in answers if name not in SCENARIOS]:
        return not_right(
            f"{', '.join(strange)}: there is no such case.", f"count {', '.join(SCENARIOS)}"
        )
    if left := [name for name in SCENARIOS if name not in answers]:
        return not_right(f"{len(left)} are not counted yet.", f"still to do: {', '.join(left)}")
    hints = []
    for name, (layer, hint) in SCENARIOS.items():
        said = _number(answers[name])
        if said == str(layer):
            continue
        asked = f"answer with a number, such as 2, not {answers[name]!r}"
        hints.append(f"{name}: {hint if said.isdigit() else asked}")
    if hints:
        return not_right(f"{len(SCENARIOS) - len(hints)} of {len(SCENARIOS)} are right.", *hints)
    return passed(f"All {len(SCENARIOS)} counted rightly.")
