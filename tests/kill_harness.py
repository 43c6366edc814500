"""What the kill matrices share: processes that are killed -9 at one record of their journal.

The process that is killed is forked from a helper that has imported everything; this file is also
that helper's program. Nothing in nestkit knows about these tests: the helper puts the killing
around ``Journal.append`` in the child.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, NamedTuple

import pytest

import nestkit as nk
from nestkit import configure
from nestkit.configure.verifying import chains
from nestkit.plans import Plan
from nestkit.resources import data_path

Point = tuple[str, str, int]  # before or after the n-th record of a kind
RECORDS: Final = {"apply": ("intent", "done"), "rollback": ("undo_intent", "undone")}


class Case(NamedTuple):
    """What is killed, where, and what is done afterwards."""

    killed: str
    point: Point
    then: str

    def __str__(self) -> str:
        return f"{self.killed}-{'-'.join(map(str, self.point))}-{self.then}"


def marks(timeout_s: int) -> list[pytest.MarkDecorator]:
    return [
        pytest.mark.kill,
        pytest.mark.timeout(timeout_s),
        pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL: POSIX"),
    ]


def points(act: str, done: str, *, steps: int, tasks: int) -> list[Point]:
    """Every point of a run of so many steps, of which so many are tasks of the host."""
    found: list[Point] = [("before", act, 1), ("before", "end", 1)]
    for n in range(1, steps + 1):
        # right after "done" is also right before the next "intent"
        found += [("after", act, n), ("before", done, n), ("after", done, n)]
    for n in range(1, tasks + 1):
        # the host is at work: its task is slow, and killing comes while it begins or runs
        found += [("before", "task", n), ("after", "task", n)]
    return found


def everywhere(*, steps: int, tasks: int) -> list[Case]:
    """Both ways on after every point."""
    return [
        Case(killed, point, then)
        for killed, records in RECORDS.items()
        for point in points(*records, steps=steps, tasks=tasks)
        for then in ("resume", "rollback")
    ]


def roomy(inventory: str) -> str:
    """A practice inventory without its VMs, and with memory for any number of them."""
    text = data_path("practice", inventory).read_text("utf-8").split("[[vm]]")[0]
    return re.sub(r"(?m)^memory_gib = \d+", "memory_gib = 16384", text, count=1)


# --- the helper: forks, and the fork kills itself -----------------------------------------


def die_at(point: Point) -> None:
    from nestkit.configure.journal import Journal

    when, kind, left = point
    plain = Journal.append

    def append(self: Journal, record: str, step: str = "", **fields: Any) -> None:
        nonlocal left
        if record == kind:
            left -= 1
            if left == 0 and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
        plain(self, record, step, **fields)
        if record == kind and left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    Journal.append = append  # type: ignore[method-assign]


def job(order: dict[str, Any]) -> None:
    host = nk.connect(order["url"], password=order["password"])
    die_at(tuple(order["point"]))
    if order["verb"] == "apply":
        plan = Plan.from_json(order["plan"])
        configure.apply(plan, host, journal_dir=order["folder"])
    else:
        configure.rollback(order["journal"], host)


def helper() -> None:
    importlib.import_module("pyVmomi.SoapAdapter")  # once, for all forks

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                job(json.loads(line))
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(3)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


class Helper:
    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, **order: Any) -> int:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate(timeout=120)


# --- the matrix ---------------------------------------------------------------------------


def declared(host: Any, plan: Plan) -> list[Any]:
    return [host.current(c[0].target, c[0].property) for c in chains(plan)]


class Matrix:
    """Cases, the practice hosts they are dealt out to, and a folder for their journals."""

    def __init__(self, cases: Sequence[Case], hosts: Sequence[Any], folder: Path) -> None:
        self.cases, self.hosts, self.folder = cases, hosts, folder
        self.helpers: SimpleQueue[Helper] = SimpleQueue()
        self.local = threading.local()

    @contextmanager
    def running(self, one: Callable[[int], None], workers: int) -> Iterator[list[Future[None]]]:
        """``one`` for each case, so many at once: a future for each."""
        importlib.import_module("pyVmomi.SoapAdapter")  # threads that import it at once may fail
        helpers = [Helper() for _ in range(workers)]
        for each in helpers:
            self.helpers.put(each)
        with ThreadPoolExecutor(workers) as pool:
            yield [pool.submit(one, number) for number in range(len(self.cases))]
            pool.shutdown(cancel_futures=True)
            for each in helpers:
                each.close()

    def connected(self, number: int) -> Any:
        """This thread's connection to the case's practice host."""
        practice = self.hosts[number % len(self.hosts)]
        known = self.local.__dict__.setdefault("known", {})
        if practice.url not in known:
            known[practice.url] = nk.connect(practice.url, password=practice.password)
        return known[practice.url]

    def killed(self, number: int, plan: Plan) -> Path:
        """The journal of a process that applied the plan, or took it back, until it was killed."""
        case, practice = self.cases[number], self.hosts[number % len(self.hosts)]
        folder = self.folder / str(number)
        order = {"url": practice.url, "password": practice.password, "point": case.point}
        if case.killed == "apply":
            order |= {"verb": "apply", "plan": plan.to_json(), "folder": str(folder)}
        else:
            done = configure.apply(plan, self.connected(number), journal_dir=folder)
            assert done.ok, str(done)
            order |= {"verb": "rollback", "journal": str(done.journal)}
        helper = self.helpers.get()
        try:
            ended = helper.run(**order)
        finally:
            self.helpers.put(helper)
        assert ended == -signal.SIGKILL, f"the process was not killed there: it ended with {ended}"
        (journal,) = folder.glob("*.jsonl")
        return journal

    def ends_right(self, number: int, steps: int) -> None:
        """The case's own VM, whose plan has so many steps, is as it should be in the end."""
        host, name = self.connected(number), f"vm-{number}"
        plan = configure.plan(host, name)
        assert len(plan.steps) == steps, str(plan)
        first = declared(host, plan)
        journal = self.killed(number, plan)
        if self.cases[number].then == "resume":
            outcome = configure.resume(journal, host)
            assert outcome.verified, str(outcome)
            assert declared(host, plan) == [c[-1].after for c in chains(plan)]
            assert configure.plan(host, name).is_empty
        else:
            result = configure.rollback(journal, host)
            assert result.complete, str(result)
            assert declared(host, plan) == first == [c[0].before for c in chains(plan)]


if __name__ == "__main__":
    helper()
