"""The matrix explorer of lesson 05: what runs in what, who supports it, and what is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nestkit.course import markup
from nestkit.course.fields import Field
from nestkit.course.forms import Form, form_for
from nestkit.errors import CourseError
from nestkit.requirements.matrix import Limit, Support, limits, support

if TYPE_CHECKING:
    import pandas as pd

ANY: Final = "any"
BINDS: Final = {
    "l1": "L1: the nested host, as a VM of its outer host",
    "l2": "L2: the VMs inside the nested host",
}
_MATRIX: Final = ("outside (L0)", "inside (L1)", "works", "supported", "condition", "source")
_LIMITS: Final = ("what is lost", "binds", "note", "source")
_PLATFORMS: Final = {"ESXi": "esx", "Hyper-V": "hyperv", "Azure": "hyperv"}


def platform_of(host: str) -> str:
    """Whose limits hold on this outer host: "esx", "hyperv", or "any" for those of no vendor."""
    found = (platform for name, platform in _PLATFORMS.items() if name in host)
    return next(found, "any")


@dataclass(frozen=True, slots=True, repr=False)
class Nesting:
    """Cells of the support matrix, and the limits that hold on their outer hosts."""

    cells: tuple[Support, ...]
    limits: tuple[Limit, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a cell: l0, l1, works, supported, condition, source."""
        import pandas as pd

        return pd.DataFrame(self._cells(), columns=["l0", "l1", *_MATRIX[2:]])

    def limits_frame(self) -> pd.DataFrame:
        """One row a limit: id, what, binds ("l1" or "l2"), note, source."""
        import pandas as pd

        columns = ["id", "what", "binds", "note", "source"]
        rows = [[getattr(limit, name) for name in columns] for limit in self.limits]
        return pd.DataFrame(rows, columns=columns)

    def _cells(self) -> list[tuple[str, ...]]:
        return [(c.l0, c.l1, c.works, c.supported, c.condition, c.source) for c in self.cells]

    def __str__(self) -> str:
        lines = [
            f"{cell.l1} in {cell.l0}: works: {cell.works}; supported: {cell.supported}; "
            f"{cell.condition} [{cell.source}]"
            for cell in self.cells
        ]
        return "\n".join(
            lines + [f"lost in {limit.binds.upper()}: {limit.what}" for limit in self.limits]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        lost = [(x.what, x.binds.upper(), x.note, x.source) for x in self.limits]
        count = len(self.cells)
        found = markup.table(
            f"{count} {'row' if count == 1 else 'rows'} of the matrix", _MATRIX, self._cells()
        )
        table = markup.table("What is lost there, and in which layer", _LIMITS, lost)
        return f"{found}{table}<p>{markup.text('; '.join(BINDS.values()))}</p>"


def nesting(
    *, outer: str = ANY, inner: str = ANY, works: str = ANY, supported: str = ANY
) -> Nesting:
    """Look up which hypervisor runs in which, and what is lost.

    Parameters
    ----------
    outer, inner
        The hypervisor of L0 and that of L1, as ``data/support.csv`` names them. A name without
        version or processor stands for all that begin with it: a row on "Hyper-V" holds for
        "Hyper-V on Windows Server 2022 or later, AMD" too.
    works, supported
        Only rows that say so; "any" for all.

    Raises
    ------
    CourseError
        If the matrix has no such word, or no such row: nothing is known is not "no".
    """
    cells = support()
    for field, column, wanted in (
        ("outer", "l0", outer),
        ("inner", "l1", inner),
        ("works", "works", works),
        ("supported", "supported", supported),
    ):
        known = _words(column)
        if wanted not in known:
            raise CourseError(
                f"the matrix has no {field} {wanted!r}", remedy=f"use one of {'; '.join(known)}"
            )
        cells = tuple(c for c in cells if wanted == ANY or _same(getattr(c, column), wanted))
    if not cells:
        raise CourseError(
            "the matrix has no such row: nothing is known of it, which is not the same as “no”",
            remedy="set one of the fields back to any",
        )
    platforms = {"any", *(platform_of(cell.l0) for cell in cells)}
    return Nesting(cells, tuple(limit for limit in limits() if limit.platform in platforms))


def _same(said: str, wanted: str) -> bool:
    """Whether two names are one, or one of them is the other with more said of it."""
    short, long = sorted((said, wanted), key=len)
    return long == short or long.startswith(f"{short} ")


def _words(column: str) -> list[str]:
    return [ANY, *dict.fromkeys(getattr(cell, column) for cell in support())]


def matrix_explorer() -> Form:
    """Look up what runs in what: works, supported, source, and which layer a limit binds."""
    return form_for(
        nesting,
        fields={
            "outer": Field("Outside (L0)", choices=_words("l0")),
            "inner": Field("Inside (L1)", choices=_words("l1")),
            "works": Field("Works", choices=_words("works")),
            "supported": Field("Supported by its vendor", choices=_words("supported")),
        },
        title="What runs in what, and who stands by it?",
        run_label="Look it up",
    )
