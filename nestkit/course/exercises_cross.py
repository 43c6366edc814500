"""The checks of lesson 05: what works, what is supported, and which layer a limit binds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from nestkit.course.checks import Verdict, answers_to, exercise, not_right, passed
from nestkit.requirements.matrix import Support, limits, support

# case → the row that answers it (outside, inside), and what helps to see it
PAIRS: Final = {
    "class room": (
        "VMware ESXi 8.0",
        "VMware ESXi 8.0",
        "many labs run so; look at what its vendor says of it",
    ),
    "witness": (
        "VMware ESXi 8.0",
        "vSAN Witness Appliance",
        "it is nested ESXi too, and the one exception",
    ),
    "windows lab": (
        "VMware ESXi 8.0",
        "Hyper-V on Windows Server",
        "the vendor of the inner hypervisor answers for it: whose is the outer one?",
    ),
    "old server": (
        "Hyper-V on Windows Server 2019 or earlier, AMD",
        "Hyper-V",
        "which processor, and which version of Windows Server does that one need?",
    ),
    "new server": (
        "Hyper-V on Windows Server 2022 or later, AMD",
        "Hyper-V",
        "the processor is AMD, and the host is new enough for that",
    ),
    "esxi on hyper-v": (
        "Hyper-V",
        "VMware ESXi",
        "it may start; would you plan a class on it?",
    ),
    "cloud": ("Azure VM", "Hyper-V", "inside and outside are of one vendor; see the condition"),
}
_WORKS: Final = {"yes", "slow"}  # "unreliable" is not to be counted on
_ANSWERS: Final = {
    "supported": "supported", "worksandsupported": "supported", "both": "supported",
    "works": "works", "worksnotsupported": "works", "unsupported": "works", "notsupported": "works",
    "neither": "neither", "no": "neither", "none": "neither", "nothing": "neither",
}  # fmt: skip
_LEAST: Final = 5  # letters of a source that name it
# loss → the limit that answers it; None: nothing is lost
LOSSES: Final = {
    "graphics card": "esx.directpath-io",
    "fault tolerance": "esx.fault-tolerance",
    "moving the nested host": "esx.live-migration",
    "moving a VM between nested hosts": None,
    "saving the nested host": "hyperv.save-restore",
    "more memory while it runs": "hyperv.memory-resize",
    "slow disk": "any.layer-overhead",
}
_LOSS_HINTS: Final = {
    "l1": "what is it that cannot: the nested host as a VM (L1), or the VMs inside it (L2)?",
    "l2": "who waits here: the nested host as a whole (L1), or the VMs inside it (L2)?",
    "none": "the guide names just this among what nested clusters are good for",
}


def _bare(text: object) -> str:
    return re.sub(r"[^a-z0-9]", "", str(text).lower())


def _right(cell: Support) -> str:
    if cell.works not in _WORKS:
        return "neither"
    return "supported" if cell.supported == "yes" else "works"


def _names_source(said: object, cell: Support) -> bool:
    """Whether a text names one of the cell's sources, in any spelling, or holds one whole."""
    given = _bare(said)
    if len(given) < _LEAST:
        return False
    cited = [_bare(part) for part in cell.source.split(";")]
    return any(given in part or part in given for part in cited) or given in _bare(cell.source)


def _parts(answer: Any) -> tuple[object, object]:
    """The verdict and the source of an answer; a bare verdict has no source."""
    if isinstance(answer, Mapping):
        return answer.get("verdict", ""), answer.get("source", "")
    if isinstance(answer, str) or not isinstance(answer, (tuple, list)) or not answer:
        return answer, ""
    return answer[0], "; ".join(map(str, answer[1:]))


@exercise("05.pairs")
def _pairs(answers: Mapping[str, Any]) -> Verdict:
    cells = {(cell.l0, cell.l1): cell for cell in support()}
    given = answers_to(answers, '{"witness": ("works", "who says so"), …}')
    if strange := [str(name) for name in given if name not in PAIRS]:
        return not_right(
            f"{', '.join(strange)}: there is no such case.", f"judge {', '.join(PAIRS)}"
        )
    if left := [name for name in PAIRS if name not in given]:
        return not_right(f"{len(left)} are not judged yet.", f"still to do: {', '.join(left)}")
    hints = []
    for name, (outer, inner, hint) in PAIRS.items():
        cell = cells[outer, inner]
        verdict, source = _parts(given[name])
        said = _ANSWERS.get(_bare(verdict))
        if said is None:
            hints.append(f"{name}: answer supported, works or neither, not {verdict!r}")
        elif said != _right(cell):
            hints.append(f"{name}: {hint}")
        elif not _names_source(source, cell):
            hints.append(
                f"{name}: right, but who says so? Copy a source from that row of the matrix"
            )
    if hints:
        return not_right(f"{len(PAIRS) - len(hints)} of {len(PAIRS)} are right.", *hints)
    return passed(f"All {len(PAIRS)} are right, each with its source.")


@exercise("05.binds")
def _binds(answers: Mapping[str, Any]) -> Verdict:
    known = {limit.id: limit.binds for limit in limits()}
    given = answers_to(answers, '{"slow disk": "L1", …}')
    if strange := [str(name) for name in given if name not in LOSSES]:
        return not_right(
            f"{', '.join(strange)}: there is no such case.", f"judge {', '.join(LOSSES)}"
        )
    if left := [name for name in LOSSES if name not in given]:
        return not_right(f"{len(left)} are not judged yet.", f"still to do: {', '.join(left)}")
    hints = []
    for name, limit in LOSSES.items():
        right = "none" if limit is None else known[limit]
        said = _bare(given[name]).removeprefix("layer")
        said = {"nothing": "none", "no": "none", "1": "l1", "2": "l2"}.get(said, said)
        if said == right:
            continue
        usable = said in ("l1", "l2", "none")
        hints.append(
            f"{name}: {_LOSS_HINTS[right]}"
            if usable
            else f"{name}: answer L1, L2 or none, not {given[name]!r}"
        )
    if hints:
        return not_right(f"{len(LOSSES) - len(hints)} of {len(LOSSES)} are right.", *hints)
    return passed(f"All {len(LOSSES)} are right: most limits bind the nested host, not its VMs.")
