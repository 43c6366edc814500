"""The hypervisors that the course names, and a form that stacks them layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nestkit.course import markup
from nestkit.course.diagrams import boxes_in_boxes
from nestkit.course.fields import Field
from nestkit.course.forms import Form, form_for
from nestkit.errors import CourseError
from nestkit.resources import data_path
from nestkit.tomlfile import read_rows

GUEST: Final = "an ordinary guest"
NOTHING: Final = "nothing"
_TYPES: Final = ("1", "2", "either")
_FIELDS: Final = frozenset({"name", "type", "under", "why", "source"})


@dataclass(frozen=True, slots=True)
class Hypervisor:
    """A hypervisor: its type ("1", "2", "either"), what lies under it, why, and who says so."""

    name: str
    type: str
    under: str
    why: str
    source: str


def hypervisors(path: Path | None = None) -> tuple[Hypervisor, ...]:
    """What ``data/hypervisors.toml`` holds, in its order.

    Raises
    ------
    DataFileError
        If a field is missing or wrong; with file, line and field.
    """
    found = []
    for row in read_rows(path or data_path("hypervisors.toml"), "hypervisor"):
        row.only(_FIELDS)
        kind = row.word("type", _TYPES)
        found.append(
            Hypervisor(
                row.text("name"), kind, row.text("under"), row.text("why"), row.text("source")
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True, repr=False)
class Stack:
    """What runs in what: ``layers[0]`` on the machine itself, each other one in the one before."""

    layers: tuple[str, ...]
    known: tuple[Hypervisor, ...]

    @property
    def depth(self) -> int:
        """The number of the innermost layer."""
        return len(self.layers) - 1

    @property
    def nested(self) -> bool:
        """Whether a hypervisor runs inside a virtual machine."""
        return any(name != GUEST for name in self.layers[1:])

    def rows(self) -> list[tuple[str, str, str, str]]:
        """One row a layer: its name, where it runs, what it is, and what it must be given."""
        types = {each.name: each.type for each in self.known}
        made = []
        for number, name in enumerate(self.layers):
            where = "the machine itself" if number == 0 else f"a VM on L{number - 1}"
            if name == GUEST:
                made.append((f"L{number}", where, name, "nothing special"))
                continue
            kind = f"{name}, type {types[name]}"
            if number == 0:
                need = "VT-x or AMD-V of the processor, switched on in the firmware"
            else:
                need = f"hardware virtualization, exposed to this VM by L{number - 1}"
            made.append((f"L{number}", where, kind.replace("type either", "type 1 or 2"), need))
        return made

    def notes(self) -> list[str]:
        """What is worth saying about just this stack."""
        by_name = {each.name: each for each in self.known}
        said = [
            "This is nested virtualization: a hypervisor runs inside a virtual machine."
            if self.nested
            else "Nothing is nested here: no hypervisor runs inside a virtual machine."
        ]
        base = by_name[self.layers[0]]
        if base.under != NOTHING:
            said.append(
                f"{base.name} is type 2: {base.under} lies between it and the hardware, and counts "
                "as a part of L0, not as a layer."
            )
        if base.name == "Microsoft Hyper-V":
            said.append(
                "The Windows that you log on to is the root partition. It belongs to L0, beside "
                "the VMs and not beneath them."
            )
        hosts = sum(name != GUEST for name in self.layers)
        if hosts >= 3:
            said.append(f"{hosts} hypervisors, one in the other: possible, with heavy losses.")
        if self.nested:
            said.append("Whether this pair works, and who supports it, is lesson 05.")
        return said

    def __str__(self) -> str:
        lines = [" · ".join(row) for row in self.rows()]
        return "\n".join([*lines, *self.notes()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = self.rows()
        picture = boxes_in_boxes(tuple((layer, where, what) for layer, where, what, _ in rows))
        drawn = picture._repr_mimebundle_()[0]["text/html"]
        head = ("Layer", "Is", "Runs", "Must be given")
        listed = "".join(f"<li>{markup.text(note)}</li>" for note in self.notes())
        return f"{drawn}{markup.table('What runs where', head, rows)}<ul>{listed}</ul>"


def stack(
    l0: str,
    l1: str,
    l2: str,
    l3: str = NOTHING,
) -> Stack:
    """Put hypervisors one inside the other, from the machine itself inwards.

    Parameters
    ----------
    l0
        The hypervisor of the machine, by the name it has in ``data/hypervisors.toml``.
    l1, l2, l3
        What runs in the VM on the layer before: a hypervisor, "an ordinary guest" or "nothing".

    Raises
    ------
    CourseError
        If there is no such hypervisor, or something runs where nothing can.
    """
    known = hypervisors()
    names = [each.name for each in known]
    chosen = (l0, l1, l2, l3)
    for number, name in enumerate(chosen):
        allowed = [*names, *([GUEST, NOTHING] if number else [])]
        if name not in allowed:
            raise CourseError(
                f"L{number} cannot be {name!r}", remedy=f"choose one of {', '.join(allowed)}"
            )
        before = chosen[number - 1] if number else ""
        if name != NOTHING and before == NOTHING:
            raise CourseError(
                f"L{number} holds {name}, and L{number - 1} holds nothing: it has no machine to "
                "run in",
                remedy=f"choose a hypervisor for L{number - 1}, or nothing for L{number}",
            )
        if name != NOTHING and before == GUEST:
            raise CourseError(
                f"L{number} holds {name}, but an ordinary guest in L{number - 1} runs no VMs",
                remedy=f"choose a hypervisor for L{number - 1}: that is what makes it a host",
            )
    return Stack(tuple(name for name in chosen if name != NOTHING), known)


def layer_explorer() -> Form:
    """Stack hypervisors and see what becomes of the layers."""
    names = [each.name for each in hypervisors()]
    inner: Any = [*names, GUEST, NOTHING]
    return form_for(
        stack,
        fields={
            "l0": Field("L0, on the machine", choices=names, default="VMware ESXi"),
            "l1": Field("L1, in a VM on L0", choices=inner, default="Microsoft Hyper-V"),
            "l2": Field("L2, in a VM on L1", choices=inner, default=GUEST),
            "l3": Field("L3, in a VM on L2", choices=inner),
        },
        title="What runs in what?",
        run_label="Stack them",
    )
