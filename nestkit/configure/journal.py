"""The journal of one apply: what was meant, what was done, what was taken back.

JSON lines, one file a run. The intent to act is on disk before the act, so that whatever
happens to this process, another one can tell what may have been done. A torn last line is
the mark of a process that died while writing; any other damage is an error.
"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from filelock import FileLock, Timeout

from nestkit.errors import Interrupted, JournalError, PlanError
from nestkit.plans import Json, Plan
from nestkit.state import state_dir

JOURNAL_SCHEMA: Final = 1
MAX_BYTES: Final = 64 * 2**20  # a journal that was rolled back and resumed for years is smaller
Status = Literal["pending", "intended", "done", "undoing", "undone"]
_AFTER: Final[dict[str, Status]] = {
    "intent": "intended",
    "done": "done",
    "undo_intent": "undoing",
    "undone": "undone",
}
_KINDS: Final = frozenset({*_AFTER, "header", "task", "end"})


class Journal:
    """An open, locked journal. Use it as a context manager.

    Attributes
    ----------
    path
        The file.
    plan
        The plan it carries out.
    status
        Step id → "pending", "intended" (may have been done), "done", "undoing" (may have been
        undone) or "undone".
    tasks
        Step id → id of the host's latest task for it, where one was recorded.
    """

    def __init__(self, path: Path, plan: Plan, records: list[dict[str, Any]], lock: FileLock):
        self.path = path
        self.plan = plan
        self.status: dict[str, Status] = {step.id: "pending" for step in plan.steps}
        self.tasks: dict[str, str] = {}
        self.ended = ""
        self._lock = lock
        self._count = 0
        for record in records:
            self._note(record)

    @classmethod
    def create(cls, plan: Plan, folder: Path | None = None) -> Self:
        """Start a journal for the plan, in the user's state folder or the one given."""
        folder = state_dir("journals") if folder is None else folder
        slug = re.sub(r"[^A-Za-z0-9]+", "-", plan.vm.name).strip("-")[:40] or "vm"
        moment = datetime.now(UTC)
        stem = f"{moment:%Y%m%dT%H%M%S}-{moment.microsecond:06d}-{slug}"
        header = {
            "record": "header",
            "n": 0,
            "at": moment.isoformat(),
            "schema": JOURNAL_SCHEMA,
            "plan": plan.to_json() | {"digest": plan.digest},
        }
        lock = None
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder.resolve() / f"{stem}.jsonl"
            lock = _locked(path)
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                _write(handle, header)
            finally:
                os.close(handle)
            _sync_folder(folder)
        except OSError as error:
            if lock is not None:
                lock.release()
            raise JournalError(
                f"no journal can be written in {folder}: {error.strerror}; nothing was changed",
                remedy="free some space or choose another folder, then apply again",
            ) from error
        return cls(path, plan, [header], lock)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open and lock an existing journal.

        Raises
        ------
        JournalError
            If it is missing, held by another process, damaged, or of a newer nestkit.
        """
        path = Path(path).resolve()  # one file has one lock, by whatever name it is reached
        if not path.is_file():
            raise JournalError(
                f"there is no journal {path}", remedy="check the path that apply printed"
            )
        lock = _locked(path)
        try:
            records, whole = _read(path)
            plan = _plan_of(records, path)
            _check_steps(records, plan, path)
            if whole < path.stat().st_size:
                with path.open("r+b") as file:  # drop the torn line, so that the next one is whole
                    file.truncate(whole)
                    os.fsync(file.fileno())
            return cls(path, plan, records, lock)
        except BaseException:
            lock.release()
            raise

    def append(self, record: str, step: str = "", **fields: Json) -> None:
        """Add a record; it is on disk when this returns.

        Raises
        ------
        JournalError
            If it cannot be written (a full disk, say). What was to follow must not be done.
        """
        entry: dict[str, Any] = {
            "record": record,
            "n": self._count,
            "at": datetime.now(UTC).isoformat(),
        }
        if step:
            entry["step"] = step
        entry |= fields
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                _write(handle, entry)
            finally:
                os.close(handle)
        except OSError as error:
            raise JournalError(
                f"the journal {self.path} cannot be written: {error.strerror}",
                remedy=f"free some space, then `nestkit resume URL {self.path}` "
                f"or `nestkit rollback URL {self.path}`",
            ) from error
        self._note(entry)

    def close(self) -> None:
        """Let go of the lock. Safe to call twice."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if kind is KeyboardInterrupt:
            raise Interrupted(self.path) from error

    def _note(self, record: dict[str, Any]) -> None:
        self._count += 1
        kind, step = record["record"], record.get("step", "")
        if kind in _AFTER:
            self.status[step] = _AFTER[kind]
            if kind in ("intent", "undo_intent"):
                self.tasks.pop(step, None)
        elif kind == "task":
            self.tasks[step] = record["task"]
        self.ended = record["outcome"] if kind == "end" else ""


def read_plan(path: str | Path) -> Plan:
    """The plan that a journal carries out, without locking the journal."""
    records, _ = _read(Path(path))
    return _plan_of(records, Path(path))


def _locked(path: Path) -> FileLock:
    lock = FileLock(f"{path}.lock", timeout=0, mode=0o600)
    try:
        lock.acquire()
    except Timeout as error:
        raise JournalError(
            f"the journal {path} is in use by another process",
            remedy="wait until it has finished, or end it, then try again",
        ) from error
    except OSError as error:
        raise JournalError(
            f"the journal {path} cannot be locked: {error.strerror}; nothing was changed",
            remedy="look at who may write in its folder, or copy the journal to a folder of yours",
        ) from error
    return lock


def _write(handle: int, entry: dict[str, Any]) -> None:
    # ASCII only: no character of a hostile name can end the line or mislead a terminal
    data = (json.dumps(entry, ensure_ascii=True) + "\n").encode("ascii")
    size = os.fstat(handle).st_size
    try:
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, size)  # a full disk leaves no half line behind
        raise


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # folders cannot be opened, nor need they be, on Windows
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _damaged(path: Path, line: int, what: str) -> JournalError:
    return JournalError(
        f"{path}:{line}: the journal is damaged: {what}",
        remedy="compare the VM with the plan in the journal's first line and set it by hand, "
        "or restore the file from a copy",
    )


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """All whole records, and the length in bytes of what is whole."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise JournalError(
            f"the journal {path} cannot be read: {error.strerror}", remedy="check the path"
        ) from error
    if len(data) > MAX_BYTES:
        raise JournalError(
            f"{path} is too large for a journal", remedy="check the path that apply printed"
        )
    whole = data.rfind(b"\n") + 1
    records: list[dict[str, Any]] = []
    for number, line in enumerate(data[:whole].splitlines(), start=1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _damaged(path, number, "this line is not JSON") from error
        if not isinstance(record, dict) or not isinstance(record.get("record"), str):
            raise _damaged(path, number, "this line is no record")
        if number == 1:
            schema = record.get("schema")
            if isinstance(schema, int) and schema > JOURNAL_SCHEMA:
                raise JournalError(
                    f"the journal {path} has schema {schema}, this nestkit reads {JOURNAL_SCHEMA}",
                    remedy="use the nestkit that wrote it, or a newer one",
                )
        if record["record"] not in _KINDS:
            raise _damaged(path, number, f"{record['record']!r} is no kind of record")
        if record.get("n") != number - 1:
            raise _damaged(path, number, "a line before this one is missing")
        if record["record"] == "task" and not isinstance(record.get("task"), str):
            raise _damaged(path, number, "a task without its id")
        if record["record"] == "end" and not isinstance(record.get("outcome"), str):
            raise _damaged(path, number, "an end without its outcome")
        if record["record"] not in ("header", "end") and not isinstance(record.get("step"), str):
            raise _damaged(path, number, "a record without its step")
        records.append(record)
    return records, whole


def _plan_of(records: list[dict[str, Any]], path: Path) -> Plan:
    if not records:
        raise JournalError(
            f"the journal {path} ends before its first line is whole; nothing was changed by it",
            remedy="delete it and apply the plan again",
        )
    header = records[0]
    schema = header.get("schema")
    if header["record"] != "header" or type(schema) is not int or schema != JOURNAL_SCHEMA:
        raise _damaged(path, 1, "it does not begin with a header")
    plan = header.get("plan")
    if not isinstance(plan, dict) or "digest" not in plan:
        raise _damaged(path, 1, "its plan has no digest")
    try:
        return Plan.from_json(plan, source=f"the plan in {path}")
    except PlanError as error:
        raise _damaged(path, 1, error.message) from error


def _check_steps(records: list[dict[str, Any]], plan: Plan, path: Path) -> None:
    known = {step.id for step in plan.steps}
    for number, record in enumerate(records[1:], start=2):
        if record["record"] == "header":
            raise _damaged(path, number, "a second header")
        if record["record"] != "end" and record.get("step") not in known:
            raise _damaged(path, number, f"step {record.get('step')!r} is not in its plan")
