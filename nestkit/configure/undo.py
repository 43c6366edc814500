"""Take back what a journal says was done."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from nestkit.configure.engine import (
    Progress,
    act,
    refuse_foreign,
    retold,
    settled,
)
from nestkit.configure.guests import let_in, why_left
from nestkit.configure.journal import Journal
from nestkit.configure.results import Left, Outcome, RollbackResult, describe
from nestkit.configure.verifying import chain_key, chains, current
from nestkit.errors import (
    ConnectionFailed,
    ConsentNeeded,
    CredentialsError,
    DeadlineExceeded,
    JournalError,
    NestkitError,
    TrustError,
)
from nestkit.hosts.base import Host, Password, refuse_other
from nestkit.plans import GUEST_PROPERTIES, POWER_OPS, Json, Step
from nestkit.planview import named, shown

# what no further step can get past either
_LOST: Final = (ConnectionFailed, TrustError, JournalError)


def rollback(
    journal: str | Path | Outcome,
    host: Host,
    *,
    hard_power_off: bool = False,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    guest_password: Password = None,
) -> RollbackResult:
    """Restore what the plan of a journal declares: power, nesting, CPU, memory, network.

    Goes through the steps backwards. Where the host still has what the step set, the step is
    undone; where it has what was there before, it is skipped; anything else is somebody's
    later change: a conflict, left alone and reported. May be run again, after a cut too.

    A VM that the plan created is removed only while it is still as it was created: its name,
    hardware, disks and networks, no snapshot, and whatever else the plan set of it. Then its plug
    is pulled first, since nothing of it is kept.

    Parameters
    ----------
    journal, host
        The file that ``apply`` wrote, or what it returned, and a connection to the host it is of.
    hard_power_off
        Allow pulling the plug on a VM that this plan started and whose guest cannot be asked
        to shut down.
    progress, cancel
        As in :func:`nestkit.configure.apply`.
    guest_password
        To take back what was set inside the guest; without it that is left.

    Raises
    ------
    JournalError
        The journal is damaged, in use, of a newer nestkit, or of another host or VM.
    ConnectionFailed
        The host was lost on the way; run rollback again.
    """
    path = journal.journal if isinstance(journal, Outcome) else journal
    if not isinstance(path, str | Path):
        raise JournalError(
            "nothing was applied yet, so there is no journal"
            if path is None
            else f"a journal belongs here, not a {type(path).__name__}",
            remedy="apply a plan, then give what apply returned, or the journal's path that it "
            "printed",
        )
    refuse_other(host)
    with Journal.open(path) as opened:
        refuse_foreign(opened, host)
        if any(s.property in GUEST_PROPERTIES and s.reversible for s in opened.plan.steps):
            with suppress(CredentialsError):  # what is inside the guest is left then, and said
                let_in(opened.plan, host, guest_password)
        return _Rollback(opened, host, hard_power_off).run(progress, cancel)


class _Rollback:
    def __init__(self, journal: Journal, host: Host, hard_power_off: bool) -> None:
        self.journal = journal
        self.host = host
        self.hard = hard_power_off
        self.undone: list[Step] = []
        self.skipped: list[str] = []
        self.conflicts: list[Left] = []
        self.not_undone: list[Left] = []
        # a property whose later step stays must keep its earlier steps too
        self.blocked: set[tuple[str, str, str]] = set()

    def run(self, progress: Progress | None, cancel: threading.Event | None) -> RollbackResult:
        tell = progress or (lambda message, done, total: None)
        steps = self.journal.plan.steps
        cancelled = False
        for number, step in enumerate(reversed(steps)):
            if self.journal.status[step.id] in ("pending", "undone"):
                continue
            if cancel is not None and cancel.is_set():
                cancelled = True
                break
            tell(f"undo: {describe(step)}", number, len(steps))
            try:
                self._take_back(step)
            except NestkitError as error:
                of_guest = step.property in GUEST_PROPERTIES and not isinstance(error, _LOST)
                if isinstance(error, (*_LOST, CredentialsError)) and not of_guest:
                    raise retold(
                        error,
                        f"undoing step {step.id} ({describe(step)}): {error.message}",
                        f"{error.remedy}; then run `nestkit rollback URL {self.journal.path}` "
                        "again",
                    ) from error
                # this step cannot be taken back; others may
                self._leave(step, f"{error.message} → {error.remedy}")
        if not cancelled:
            tell("read everything again", len(steps), len(steps))
            self._read_again()
        result = RollbackResult(
            journal=self.journal.path,
            plan=self.journal.plan,
            undone=tuple(step.id for step in self.undone),
            skipped=tuple(self.skipped),
            conflicts=tuple(self.conflicts),
            not_undone=tuple(self.not_undone),
            cancelled=cancelled,
        )
        if result.complete and self.journal.ended != "rolled back":
            self.journal.append("end", outcome="rolled back")
        return result

    def _take_back(self, step: Step) -> None:
        key = chain_key(step)
        if key in self.blocked:
            self._leave(step, f"a later change of the same {step.property} is still there")
            return
        now = settled(self.journal, self.host, step)
        if reason := why_left(self.journal, step, now):
            self._leave(step, reason)
        elif now == step.before or self._gone(step, now):
            self.journal.append("undone", step.id, found=True)
            self.skipped.append(step.id)
        elif now != step.after:
            self.blocked.add(key)
            self.conflicts.append(
                Left(step, f"it was set to {shown(step.after)}, somebody made it {shown(now)}")
            )
        elif not step.reversible:
            self._leave(step, "this cannot be undone")
        elif step.needs_off and self.host.current(step.target, "power") != "off":
            self._leave(step, f"{named(step.target)} is not off, and this needs it off")
        elif step.op == "create_vm" and self._in_use(step):
            self._leave(step, "somebody works with it: remove it by hand if nobody needs it")
        else:
            self._undo(step)

    def _undo(self, step: Step) -> None:
        doomed = step.op == "power_on" and self._to_be_removed(step)
        self.journal.append("undo_intent", step.id)
        try:
            act(self.journal, self.host, step.inverse(hard_power_off=doomed), step.id)
        except (ConsentNeeded, DeadlineExceeded):
            if step.op != "power_on" or not self.hard:
                raise
            act(self.journal, self.host, step.inverse(hard_power_off=True), step.id)
        self.journal.append("undone", step.id)
        self.undone.append(step)

    def _gone(self, step: Step, now: Json) -> bool:
        """Whether the step's VM, which the plan created, was removed: there is nothing to undo."""
        plan = self.journal.plan
        return now is None and plan.creates_vm and step.target == plan.vm

    def _in_use(self, create: Step) -> bool:
        """Whether something else of the VM was left, so that it is not what the plan made."""
        return any(left.step.target == create.target for left in self.conflicts + self.not_undone)

    def _to_be_removed(self, step: Step) -> bool:
        """Whether the step's VM is one that this rollback will remove."""
        mine = [
            each
            for each in self.journal.plan.steps
            if each.target == step.target
            and each.op not in POWER_OPS
            and self.journal.status[each.id] not in ("pending", "undone")
        ]
        return any(each.op == "create_vm" for each in mine) and all(
            current(self.journal.plan, self.host, each) in (each.before, each.after)
            for each in mine
        )

    def _leave(self, step: Step, reason: str) -> None:
        self.blocked.add(chain_key(step))
        self.not_undone.append(Left(step, reason))

    def _read_again(self) -> None:
        """What was just undone must still be so: a late task, or somebody else, may interfere."""
        touched = {chain_key(step) for step in self.undone} - self.blocked
        for chain in chains(self.journal.plan):
            first = chain[0]
            if chain_key(first) not in touched:
                continue
            if any(self.journal.status[step.id] not in ("pending", "undone") for step in chain):
                continue
            now = current(self.journal.plan, self.host, first)
            if now != first.before and not (now is None and self.journal.plan.creates_vm):
                self.conflicts.append(Left(first, f"it was undone, yet now it is {shown(now)}"))
