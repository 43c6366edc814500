"""Kill -9 at every step on Hyper-V: afterwards resume and rollback each end right.

As on ESXi: each run has a VM of its own on one practice host, and a forked process kills itself
around a record of its journal. What it had sent goes on: Windows runs a script to its end.
"""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from test_kill_matrix import Helper, Point, declared

import nestkit as nk
from nestkit import configure
from nestkit.configure.engine import chains
from nestkit.resources import data_path

pytestmark = [
    pytest.mark.kill,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL, which POSIX has"),
]

STEPS = 5  # stop, extensions, spoofing, memory, start: a script each
WORKERS = 6


def points(act: str, done: str) -> list[Point]:
    found: list[Point] = [("before", act, 1), ("before", "end", 1)]
    for n in range(1, STEPS + 1):
        # right after "done" is also right before the next "intent"
        found += [("after", act, n), ("before", done, n), ("after", done, n)]
        # the script has all it needs: killing comes while it begins, and while it runs
        found += [("before", "task", n), ("after", "task", n)]
    return found


CASES = [
    (killed, point, then)
    for killed, kinds in (("apply", ("intent", "done")), ("rollback", ("undo_intent", "undone")))
    for point in points(*kinds)
    for then in ("resume", "rollback")
]


def inventory(folder: Path) -> Path:
    """A host with room for everything, and a faulty VM for each case."""
    text = data_path("practice", "hyperv.toml").read_text("utf-8").split("[[vm]]")[0]
    text = text.replace("memory_gib = 512", "memory_gib = 4096", 1)
    for n in range(len(CASES)):
        text += (
            f'\n[[vm]]\nname = "vm-{n}"\nexposes = false\nspoofing = false\nmemory_gib = 8\n'
            "dynamic_memory = true\nminimum_gib = 4\nmaximum_gib = 16\n"
        )
    path = folder / "hyperv.toml"
    path.write_text(text, "utf-8")
    return path


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
        else:
            result = configure.rollback(journal, host)
            assert result.complete, str(result)
            assert declared(host, plan) == first == [c[0].before for c in chains(plan)]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kill")
    faults = {"slow_task": 0.4, "guest_after": 0.2}
    with (
        nk.practice.start("hyperv", inventory=str(inventory(folder)), faults=faults) as practice,
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
    results[number].result(timeout=890)
