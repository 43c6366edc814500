"""Kill -9 while a VM is created, booted or removed: resume and rollback each end right."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from kill_harness import RECORDS, Case, Matrix, Point, marks, roomy

import nestkit as nk
from nestkit import configure

pytestmark = marks(600)

STEPS = 3  # create, CD/DVD drive, power on: each is a task of the host
WORKERS = 4
ISO = "[datastore1] iso/debian-12-netinst.iso"


def points(act: str, done: str) -> list[Point]:
    found: list[Point] = [("before", act, 1)]
    for n in range(1, STEPS + 1):
        found += [
            ("after", act, n),
            ("before", "task", n),
            ("after", "task", n),
            ("before", done, n),
        ]
    return [*found, ("after", done, STEPS)]


CASES = [
    Case(killed, point, then)
    for killed, records in RECORDS.items()
    for number, point in enumerate(points(*records))
    for then in ("resume", "rollback")
    # both ways on around the creation, one of them in turn later
    if point[2] == 1 or ("resume", "rollback")[number % 2] == then
]


def created_and_gone(matrix: Matrix, number: int) -> None:
    host = matrix.connected(number)
    goal = nk.CreateGoal(
        name=f"new-{number}", memory_gib=8, disk_gib=32, networks=("Nested Trunk",), iso=ISO
    )
    plan = configure.plan_new(host, goal)
    assert len(plan.steps) == STEPS
    journal = matrix.killed(number, plan)
    if CASES[number].then == "resume":
        outcome = configure.resume(journal, host)
        assert outcome.verified, str(outcome)
        assert host.current(plan.vm, "power") == "on"
        assert host.current(plan.vm, "vm") == plan.steps[0].after
    result = configure.rollback(journal, host)
    assert result.complete, str(result)
    assert host.current(plan.vm, "vm") is None
    assert goal.name not in host.prospects(on_host="", iso="").names


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Future[None]]]:
    folder = tmp_path_factory.mktemp("kill")
    inventory = folder / "esx.toml"
    inventory.write_text(roomy("esx.toml"), "utf-8")
    with nk.practice.start("esx", inventory=inventory, faults={"slow_task": 0.3}) as practice:
        matrix = Matrix(CASES, [practice], folder)
        with matrix.running(lambda number: created_and_gone(matrix, number), WORKERS) as futures:
            yield futures


@pytest.mark.parametrize("number", range(len(CASES)), ids=map(str, CASES))
def test_killed_there_both_ways_on_end_right(results: list[Future[None]], number: int) -> None:
    results[number].result(timeout=590)
