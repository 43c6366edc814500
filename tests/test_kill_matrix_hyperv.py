"""Kill -9 at every step on Hyper-V: afterwards resume and rollback each end right.

As on ESXi: each run has a VM of its own, and a forked process kills itself around a record of its
journal. What it had sent goes on: Windows runs a script to its end. A process that was killed
leaves its shell behind, and Windows allows a user 30 of them: so there are several hosts.
"""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
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
WORKERS = 4
HOSTS = 6


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
    def __init__(self, hosts: list[Any], folder: Path) -> None:
        self.hosts, self.folder = hosts, folder
        self.helpers: SimpleQueue[Helper] = SimpleQueue()
        self.local = threading.local()

    def connected(self, practice: Any) -> Any:
        """This thread's connection."""
        known = self.local.__dict__.setdefault("known", {})
        if practice.url not in known:
            known[practice.url] = nk.connect(practice.url, password=practice.password)
        return known[practice.url]

    def one(self, number: int) -> None:
        killed, point, then = CASES[number]
        practice = self.hosts[number % HOSTS]
        host, name = self.connected(practice), f"vm-{number}"
        folder = self.folder / name
        plan = configure.plan(host, name)
        assert len(plan.steps) == STEPS
        first = declared(host, plan)
        order = {"url": practice.url, "password": practice.password, "point": point}
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
def module_monkeypatch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def results(tmp_path_factory, module_monkeypatch):
    # this practice host begins at once; real PowerShell takes a second or two
    module_monkeypatch.setattr(configure.engine, "SETTLE_S", 1.5)
    folder = tmp_path_factory.mktemp("kill")
    given = {"inventory": str(inventory(folder)), "faults": {"slow_task": 0.4, "guest_after": 0.2}}
    with ExitStack() as stack:
        hosts = [stack.enter_context(nk.practice.start("hyperv", **given)) for _ in range(HOSTS)]
        pool = stack.enter_context(ThreadPoolExecutor(WORKERS))
        matrix = Matrix(hosts, folder)
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
