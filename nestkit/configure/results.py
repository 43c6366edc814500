"""What came of an apply, a verification, a rollback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from nestkit.htmltable import table
from nestkit.plans import POWER_OPS, Plan, Step
from nestkit.planview import action, named, shown
from nestkit.wording import PRACTICE, plain

if TYPE_CHECKING:
    import pandas as pd


def describe(step: Step) -> str:
    """One step as a sentence."""
    says_all = step.op in POWER_OPS or step.op in ("install_role", "create_vm")
    return action(step) if says_all else f"{action(step)} to {shown(step.after)}"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something that is not as it should be."""

    subject: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.subject}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Whether the host is now as a plan wants it; read anew from the host."""

    plan: Plan
    mismatches: tuple[Mismatch, ...] = ()
    guest: str = ""  # what the guest says it runs, or why that is unknown; "" if not asked

    @property
    def ok(self) -> bool:
        """True when nothing is otherwise than planned."""
        return not self.mismatches

    def __str__(self) -> str:
        if self.ok:
            lines = [f"{named(self.plan.vm)} on {plain(self.plan.host_name)} is as planned"]
        else:
            lines = [f"{named(self.plan.vm)} on {plain(self.plan.host_name)} is not as planned:"]
            lines += [f"  {mismatch}" for mismatch in self.mismatches]
        lines += [f"  {plain(self.guest)}"] if self.guest else []
        return "\n".join([*lines, *([PRACTICE] if self.plan.is_practice else [])])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an apply or a resume did.

    Attributes
    ----------
    journal
        The file that ``resume`` and ``rollback`` need.
    steps_done
        Ids of the steps that are done, in order.
    verified
        True when all was re-read from the host and is as planned.
    mismatches
        What is otherwise than planned.
    cancelled
        True when it was stopped between two steps on request.
    guest
        What the started guest says it runs, or that it is unknown.
    """

    journal: Path
    plan: Plan
    steps_done: tuple[str, ...]
    verified: bool
    mismatches: tuple[Mismatch, ...] = ()
    cancelled: bool = False
    guest: str = ""

    @property
    def ok(self) -> bool:
        """True when every step is done and verified."""
        return self.verified and not self.cancelled

    def to_frame(self) -> pd.DataFrame:
        """One row a step: step, before, after, state ("done" or "not done")."""
        rows = [
            (describe(s), shown(s.before), shown(s.after), _state(s.id in self.steps_done))
            for s in self.plan.steps
        ]
        return _frame(rows, ["step", "before", "after", "state"])

    def __str__(self) -> str:
        total = len(self.plan.steps)
        head = f"{len(self.steps_done)} of {total} steps done"
        if self.cancelled:
            head += (
                f"; stopped on request: `nestkit resume URL {self.journal}` goes on, "
                f"`nestkit rollback URL {self.journal}` takes it back"
            )
        elif self.verified:
            head += "; read again from the host and found as planned"
        lines = [head, *(f"  {mismatch}" for mismatch in self.mismatches)]
        lines += [f"  {plain(self.guest)}"] if self.guest else []
        lines.append(f"journal: {self.journal}")
        return "\n".join([*lines, *([PRACTICE] if self.plan.is_practice else [])])

    def _repr_html_(self) -> str:
        return _html(str(self), [(describe(s), _state(s.id in self.steps_done))
                                 for s in self.plan.steps])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Left:
    """A step that was not taken back, and why."""

    step: Step
    reason: str

    def __str__(self) -> str:
        return f"{describe(self.step)}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackResult:
    """What a rollback did.

    Attributes
    ----------
    undone
        Ids of the steps taken back by this call.
    skipped
        Ids of the steps that had had no effect, or were back already.
    conflicts
        Steps whose property was changed by somebody since: untouched.
    not_undone
        Steps that could not be taken back.
    """

    journal: Path
    plan: Plan
    undone: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    conflicts: tuple[Left, ...] = ()
    not_undone: tuple[Left, ...] = ()
    cancelled: bool = False

    @property
    def complete(self) -> bool:
        """True when everything the plan declares is as it was at first."""
        return not (self.conflicts or self.not_undone or self.cancelled)

    def to_frame(self) -> pd.DataFrame:
        """One row a step: step, state, reason."""
        return _frame(self._rows(), ["step", "state", "reason"])

    def _rows(self) -> list[tuple[str, str, str]]:
        left = {item.step.id: ("conflict", item.reason) for item in self.conflicts}
        left |= {item.step.id: ("not undone", item.reason) for item in self.not_undone}
        left |= dict.fromkeys(self.undone, ("undone", ""))
        left |= dict.fromkeys(self.skipped, ("nothing to undo", ""))
        return [
            (describe(step), *left.get(step.id, ("not touched by this call", "")))
            for step in self.plan.steps
        ]

    def __str__(self) -> str:
        head = f"{len(self.undone)} steps undone, {len(self.skipped)} had nothing to undo"
        lines = [head + (", all is as it was at first" if self.complete else "")]
        lines += [f"  conflict, left alone: {item}" for item in self.conflicts]
        lines += [f"  not undone: {item}" for item in self.not_undone]
        if self.cancelled:
            lines.append("  stopped on request: run rollback again to go on")
        lines.append(f"journal: {self.journal}")
        return "\n".join([*lines, *([PRACTICE] if self.plan.is_practice else [])])

    def _repr_html_(self) -> str:
        return _html(
            str(self),
            [(what, f"{state}: {why}" if why else state) for what, state, why in self._rows()],
        )


def _state(done: bool) -> str:
    return "done" if done else "not done"


def _frame(rows: Sequence[tuple[str, ...]], columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=columns)


def _html(text: str, rows: list[tuple[str, str]]) -> str:
    return f"<pre>{escape(text)}</pre>" + (
        table("Steps, in the plan's order", ("Step", "State"), rows) if rows else ""
    )
