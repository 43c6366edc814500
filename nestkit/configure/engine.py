"""Carry out a plan, go on after a cut, and read again what came of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from nestkit.configure.guests import also_right, let_in
from nestkit.configure.journal import Journal
from nestkit.configure.results import Outcome, describe
from nestkit.configure.verifying import chains, current, verify
from nestkit.errors import HostRefused, JournalError, NestkitError, NotFound, PlanError, StalePlan
from nestkit.hosts.base import Host, Password, refuse_other
from nestkit.plans import Json, Plan, Step
from nestkit.planview import named, shown
from nestkit.wording import plain

Progress = Callable[[str, int, int], None]

SETTLE_S: Final = 5.0  # a shutdown may have been asked for an instant before its process died
_POLL_S: Final = 0.25


def apply(
    plan: Plan,
    host: Host,
    *,
    accept: str | None = None,
    journal_dir: str | Path | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    guest_password: Password = None,
) -> Outcome:
    """Carry out a plan on the host it was made for.

    Parameters
    ----------
    plan, host
        The plan, and a connection to the host it names.
    accept
        The digest that was agreed to; a plan with another one is refused.
    journal_dir
        Where to keep the journal; the user's state folder by default.
    progress
        Called with a sentence, the number of steps done, and their total.
    cancel
        Looked at between steps; once set, the outcome says it was cancelled.
    guest_password
        For a plan that works inside the guest; if left out: ``NESTKIT_GUEST_PASSWORD``, the
        keyring, or a prompt on a terminal. It is written nowhere.

    Raises
    ------
    StalePlan
        Something the plan touches is no longer as it was. Nothing was changed.
    PlanError
        The plan is for another host, or not the one agreed to. Nothing was changed.
    NestkitError
        Whatever the host says; once a step was begun, the remedy names the journal.
    """
    if not isinstance(plan, Plan):
        raise PlanError(
            f"a plan belongs here, not a {type(plan).__name__}; nothing was changed",
            remedy="make one first: plan = nk.configure.plan(host, vm)",
        )
    refuse_other(host)
    if accept is not None and accept != plan.digest:
        raise PlanError(
            f"the plan's digest is {plan.digest}, not the one accepted; nothing was changed",
            remedy="show the plan, read it, and accept the digest it shows",
        )
    if host.identity != plan.host or host.platform != plan.platform:
        raise PlanError(
            f"the plan is for {plain(plan.host_name)} ({plan.host}), "
            f"this host is {host.identity}; nothing was changed",
            remedy="connect to that host, or make a new plan for this one",
        )
    try:
        let_in(plan, host, guest_password)
        first = {c[0].id: (c[0], (c[0].before, *also_right(c[0]))) for c in chains(plan)}
        _refuse_stale(plan, host, first)
    except NestkitError as error:
        raise retold(error, f"{error.message}; nothing was changed", error.remedy) from error
    folder = Path(journal_dir) if journal_dir is not None else None
    with Journal.create(plan, folder) as journal:
        return _go_forward(journal, host, progress, cancel)


def resume(
    journal: str | Path,
    host: Host,
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    guest_password: Password = None,
) -> Outcome:
    """Finish an apply that was cut off, or that a rollback had begun to take back.

    Takes what :func:`apply` takes.

    Raises
    ------
    JournalError
        The journal is damaged, in use, of a newer nestkit, or of another host or VM.
    StalePlan
        Somebody changed what the remaining steps touch. Nothing more was changed.
    """
    with Journal.open(journal) as opened:
        refuse_foreign(opened, host)
        let_in(opened.plan, host, guest_password)
        expected: dict[str, tuple[Step, tuple[Json, ...]]] = {}
        for chain in chains(opened.plan):
            step = next((s for s in chain if opened.status[s.id] != "done"), None)
            if step is not None:
                sure = opened.status[step.id] in ("pending", "undone")
                others = also_right(step) if sure else (step.after,)
                expected[step.id] = (step, (step.before, *others))
        _refuse_stale(opened.plan, host, expected)
        return _go_forward(opened, host, progress, cancel)


def refuse_foreign(journal: Journal, host: Host) -> None:
    """Raise JournalError unless the journal's host and VM are the ones at hand."""
    plan = journal.plan
    remedy = "give the address of the host that the journal was written for"
    if host.identity != plan.host or host.platform != plan.platform:
        raise JournalError(
            f"the journal {journal.path} is of {plain(plan.host_name)} ({plan.host}), "
            f"this host is {host.identity}; nothing was changed",
            remedy=remedy,
        )
    if plan.creates_vm:
        return  # it may be absent, and its id is its own
    try:
        host.current(plan.vm, "power")
    except NotFound as error:
        raise JournalError(
            f"the journal {journal.path} is of {named(plan.vm)} ({plan.vm.id}), "
            "which this host does not have; nothing was changed",
            remedy=remedy,
        ) from error


def settled(journal: Journal, host: Host, step: Step) -> Json:
    """The property's value once whatever a dead process may have begun has ended.

    Tasks are the host's to wait for. A guest asked to shut down leaves no task behind, so
    after such a cut the power state is watched for a while; on a host that begins late what it
    is told, every property.
    """
    now = current(journal.plan, host, step)
    status = journal.status[step.id]
    begins_late = getattr(host, "begins_late", False)
    if begins_late and status in ("intended", "undoing"):
        aim = step.after if status == "intended" else step.before
    elif status == "intended" and step.op == "shutdown_guest":
        aim = step.after
    elif status == "intended" and step.op == "create_vm" and step.id not in journal.tasks:
        aim = step.after  # asked for an instant before: the host may be about to begin
    elif status == "undoing" and step.op == "power_on":
        aim = step.before
    else:
        return now
    has_begun = step.id in journal.tasks and not begins_late
    until = time.monotonic() + (step.timeout_s if has_begun else SETTLE_S)
    while now != aim and time.monotonic() < until:
        time.sleep(_POLL_S)
        now = current(journal.plan, host, step)
    return now


def retold(error: NestkitError, message: str, remedy: str) -> NestkitError:
    """The same kind of error with more to say."""
    return type(error)(message, remedy=remedy)


def _refuse_stale(
    plan: Plan, host: Host, expected: dict[str, tuple[Step, tuple[Json, ...]]]
) -> None:
    changed = []
    for step, values in expected.values():
        now = current(plan, host, step)
        if now is None and plan.creates_vm and step.target == plan.vm:
            continue  # not created yet, or removed again: each step is looked at in its turn
        if now not in values:
            was = " or ".join(shown(value) for value in values)
            changed.append(f"{step.property} of {named(step.target)} was {was}, is {shown(now)}")
    if changed:
        raise StalePlan(
            "the host changed since the plan was made: " + "; ".join(changed),
            remedy="make a new plan, read it and apply that; to go back instead, put these "
            "values back by hand and roll back",
        )


def _go_forward(
    journal: Journal, host: Host, progress: Progress | None, cancel: threading.Event | None
) -> Outcome:
    plan = journal.plan
    tell = progress or (lambda message, done, total: None)
    for number, step in enumerate(plan.steps):
        if journal.status[step.id] == "done":
            continue
        if cancel is not None and cancel.is_set():
            return Outcome(
                journal=journal.path,
                plan=plan,
                steps_done=_done(journal),
                verified=False,
                cancelled=True,
            )
        tell(describe(step), number, len(plan.steps))
        try:
            _do(journal, host, step)
        except NestkitError as error:
            told = retold(
                error,
                f"step {number + 1} of {len(plan.steps)} ({describe(step)}): {error.message}",
                f"{error.remedy}; {len(_done(journal))} steps are done and kept in the journal: "
                f"`nestkit resume URL {journal.path}` goes on, "
                f"`nestkit rollback URL {journal.path}` takes them back",
            )
            told.journal = journal.path
            raise told from error
    tell("read everything again", len(plan.steps), len(plan.steps))
    found = verify(plan, host)
    if journal.ended != "applied":
        journal.append("end", outcome="applied")
    return Outcome(
        journal=journal.path,
        plan=plan,
        steps_done=_done(journal),
        verified=found.ok,
        mismatches=found.mismatches,
        guest=found.guest,
    )


def _do(journal: Journal, host: Host, step: Step) -> None:
    now = settled(journal, host, step)
    if now == step.after:
        journal.append("done", step.id, found=True)
        return
    if now != step.before:
        raise StalePlan(
            f"{step.property} of {named(step.target)} was {shown(step.before)}, is {shown(now)}",
            remedy="somebody changed it meanwhile: settle with them who goes on",
        )
    journal.append("intent", step.id)
    act(journal, host, step, step.id)
    journal.append("done", step.id)


def act(journal: Journal, host: Host, step: Step, record_id: str) -> None:
    """Perform a step and read back what it set; the caller keeps the records around it."""
    host.perform(step, step.timeout_s, lambda task: journal.append("task", record_id, task=task))
    now = current(journal.plan, host, step)
    if now != step.after:
        raise HostRefused(
            f"the host accepted the change, but {step.property} of {named(step.target)} "
            f"is {shown(now)} instead of {shown(step.after)}",
            remedy="look at the host's own log and at its API version: "
            "an older one drops settings it does not know",
        )


def _done(journal: Journal) -> tuple[str, ...]:
    done: Iterable[Step] = journal.plan.steps
    return tuple(step.id for step in done if journal.status[step.id] == "done")
