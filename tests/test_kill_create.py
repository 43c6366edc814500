"""Kill -9 while a VM is created, booted or removed: resume and rollback each end right."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from test_kill_matrix import Helper, inventory

import nestkit as nk
from nestkit import configure

pytestmark = [
    pytest.mark.kill,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL, which POSIX has"),
]

STEPS = 3  # create, CD/DVD drive, power on: each is a task of the host
WORKERS = 4
ISO = "[datastore1] iso/debian-12-netinst.iso"


def points(act: str, done: str) -> list[tuple[str, str, int]]:
    found = [("before", act, 1)]
    for n in range(1, STEPS + 1):
        found += [
            ("after", act, n),
            ("before", "task", n),
            ("after", "task", n),
            ("before", done, n),
        ]
    return [*found, ("after", done, STEPS)]


CASES = [
    (killed, point, then)
    for killed, kinds in (("apply", ("intent", "done")), ("rollback", ("undo_intent", "undone")))
    for number, point in enumerate(points(*kinds))
    for then in ("resume", "rollback")
    # both ways on around the creation, one of them in turn later
    if point[2] == 1 or ("resume", "rollback")[number % 2] == then
]


class Matrix:
    def __init__(self, practice: Any, folder: Path) -> None:
        self.practice, self.folder = practice, folder
        self.helpers: SimpleQueue[Helper] = SimpleQueue()
        self.local = threading.local()

    def one(self, number: int) -> None:
        killed, point, then = CASES[number]
        if not hasattr(self.local, "host"):
            self.local.host = nk.connect(self.practice.url, password=self.practice.password)
        host = self.local.host
        folder = self.folder / f"new-{number}"
        goal = nk.CreateGoal(
            name=f"new-{number}", memory_gib=8, disk_gib=32, networks=("Nested Trunk",), iso=ISO
        )
        plan = configure.plan_new(host, goal)
        assert len(plan.steps) == STEPS
        order = {"url": self.practice.url, "password": self.practice.password, "point": point}
        if killed == "apply":
            order |= {"verb": "apply", "plan": plan.to_json(), "folder": str(folder)}
        else:
            done = configure.apply(plan, host, journal_dir=folder)
            assert done.ok, str(done)
            order |= {"verb": "rollback", "journal": str(done.journal)}
        helper = self.helpers.get()
        try:
            ended = helper.run(**order)
        finally:
            self.helpers.put(helper)
        assert ended == -signal.SIGKILL, f"the process was not killed there: it ended with {ended}"
        (journal,) = folder.glob("*.jsonl")
        if then == "resume":
            outcome = configure.resume(journal, host)
            assert outcome.verified, str(outcome)
            assert host.current(plan.vm, "power") == "on"
            assert host.current(plan.vm, "vm") == plan.steps[0].after
        result = configure.rollback(journal, host)
        assert result.complete, str(result)
        assert host.current(plan.vm, "vm") is None
        assert goal.name not in host.prospects(on_host="", iso="").names


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("kill")
    with (
        nk.practice.start(
            "esx", inventory=str(inventory(folder)), faults={"slow_task": 0.3}
        ) as practice,
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
def test_killed_there_both_ways_on_end_right(results: list[Future[None]], number: int) -> None:
    results[number].result(timeout=590)
