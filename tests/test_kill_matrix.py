"""Kill -9 at every step: afterwards resume and rollback each end right.

Each run has a VM and a port group of its own on one practice host, so that many can wait at once.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from kill_harness import Matrix, everywhere, marks, roomy

import nestkit as nk

pytestmark = marks(600)

STEPS = 6  # power off, nesting, CPU, memory, port group, power on
TASKS = 5  # of which the port group has none
WORKERS = 6
CASES = everywhere(steps=STEPS, tasks=TASKS)


def inventory(folder: Path) -> Path:
    """A faulty VM with its own port group for each case."""
    text = roomy("esx.toml")
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


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kill")
    faults = {"slow_task": 0.4, "tools_after": 0.2}
    with nk.practice.start("esx", inventory=inventory(folder), faults=faults) as practice:
        matrix = Matrix(CASES, [practice], folder)
        with matrix.running(lambda number: matrix.ends_right(number, STEPS), WORKERS) as futures:
            yield futures


@pytest.mark.parametrize("number", range(len(CASES)), ids=map(str, CASES))
def test_killed_there_both_ways_on_end_right(results, number):
    results[number].result(timeout=590)
