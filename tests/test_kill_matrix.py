"""Kill -9 at every step: afterwards resume and rollback each end right.

Each run has a VM and a port group of its own on one practice host, so that many can wait at
once. The process that is killed is forked from a helper that has imported everything; this file
is also that helper's program. Nothing in nestkit knows about these tests: the helper puts the
killing around ``Journal.append`` in the child.
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
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

import nestkit as nk
from nestkit import configure
from nestkit.configure.verifying import chains
from nestkit.plans import Plan
from nestkit.resources import data_path

pytestmark = [
    pytest.mark.kill,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL, which POSIX has"),
]

STEPS = 6  # power off, nesting, CPU, memory, port group, power on
TASKS = 5  # of which the port group has none
WORKERS = 6
Point = tuple[str, str, int]  # before or after the n-th record of a kind


def points(act: str, done: str) -> list[Point]:
    found: list[Point] = [("before", act, 1), ("before", "end", 1)]
    for n in range(1, STEPS + 1):
        # right after "done" is also right before the next "intent"
        found += [("after", act, n), ("before", done, n), ("after", done, n)]
    for n in range(1, TASKS + 1):
        # the host is at work: its task is slow, and killing comes while it runs
        found += [("before", "task", n), ("after", "task", n)]
    return found


CASES = [
    (killed, point, then)
    for killed, kinds in (("apply", ("intent", "done")), ("rollback", ("undo_intent", "undone")))
    for point in points(*kinds)
    for then in ("resume", "rollback")
]


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
        self.process.communicate(timeout=30)


# --- the matrix ---------------------------------------------------------------------------


def inventory(folder: Path) -> Path:
    """A host with room for everything, and a faulty VM with its own port group for each case."""
    text = data_path("practice", "esx.toml").read_text("utf-8").split("[[vm]]")[0]
    text = re.sub(r"(?m)^memory_gib = \d+", "memory_gib = 16384", text, count=1)
    for n in range(len(CASES)):
        text += f'\n[[port_group]]\nname = "net-{n}"\nswitch = "vSwitch0"\nvlan = {n + 1}\n'
    for n in range(len(CASES)):
        text += (
            f'\n[[vm]]\nname = "vm-{n}"\npower = "on"\nnested = false\ncpu_count = 1\n'
            f'memory_gib = 4\nreservation_gib = 0\nnetworks = ["net-{n}"]\n'
        )
    path = folder / "esx.toml"
    path.write_text(text, "utf-8")
    return path


def declared(host: Any, plan: Plan) -> list[Any]:
    return [host.current(c[0].target, c[0].property) for c in chains(plan)]


class Matrix:
    def __init__(self, practice: Any, folder: Path) -> None:
        self.practice, self.folder = practice, folder
        self.helpers: SimpleQueue[Helper] = SimpleQueue()
        self.local = threading.local()

    def one(self, number: int) -> None:
        killed, point, then = CASES[number]
        if not hasattr(self.local, "host"):
            self.local.host = nk.connect(self.practice.url, password=self.practice.password)
        host, name = self.local.host, f"vm-{number}"
        folder = self.folder / name
        plan = configure.plan(host, name)
        assert len(plan.steps) == STEPS
        first = declared(host, plan)
        order = {"url": self.practice.url, "password": self.practice.password, "point": point}
        if killed == "apply":
            order |= {"verb": "apply", "plan": plan.to_json(), "folder": str(folder)}
        else:
            done = configure.apply(plan, host, journal_dir=folder)
            assert done.ok
            order |= {"verb": "rollback", "journal": str(done.journal)}
        helper = self.helpers.get()
        try:
            ended = helper.run(**order)
        finally:
            self.helpers.put(helper)
        assert ended == -signal.SIGKILL, f"the process was not killed there: it ended with {ended}"
        (journal,) = folder.glob("*.jsonl")
        if then == "resume":
            assert configure.resume(journal, host).verified
            assert declared(host, plan) == [c[-1].after for c in chains(plan)]
            assert configure.plan(host, name).is_empty
        else:
            result = configure.rollback(journal, host)
            assert result.complete, str(result)
            assert declared(host, plan) == first == [c[0].before for c in chains(plan)]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kill")
    faults = {"slow_task": 0.4, "tools_after": 0.2}
    with (
        nk.practice.start("esx", inventory=str(inventory(folder)), faults=faults) as practice,
        ThreadPoolExecutor(WORKERS) as pool,
    ):
        matrix = Matrix(practice, folder)
        helpers = [Helper() for _ in range(WORKERS)]
        for each in helpers:
            matrix.helpers.put(each)
        futures: list[Future[None]] = [pool.submit(matrix.one, n) for n in range(len(CASES))]
        yield futures
        pool.shutdown(cancel_futures=True)
        for each in helpers:
            each.close()


@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=[f"{k}-{'-'.join(map(str, p))}-{t}" for k, p, t in CASES]
)
def test_killed_there_both_ways_on_end_right(results, number):
    results[number].result(timeout=590)


if __name__ == "__main__":
    helper()
