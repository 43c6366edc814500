"""Kill -9 at every step on Hyper-V: afterwards resume and rollback each end right.

As on ESXi: each run has a VM of its own, and a forked process kills itself around a record of its
journal. What it had sent goes on: Windows runs a script to its end. A process that was killed
leaves its shell behind, and Windows allows a user 30 of them: so there are several hosts.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from kill_harness import Matrix, everywhere, marks, roomy

import nestkit as nk

pytestmark = marks(900)

STEPS = 5  # stop, extensions, spoofing, memory, start: a script each
WORKERS = 4
HOSTS = 6
CASES = everywhere(steps=STEPS, tasks=STEPS)


def inventory(folder: Path) -> Path:
    """A faulty VM for each case."""
    text = roomy("hyperv.toml")
    for n in range(len(CASES)):
        text += (
            f'\n[[vm]]\nname = "vm-{n}"\nexposes = false\nspoofing = false\nmemory_gib = 8\n'
            "dynamic_memory = true\nminimum_gib = 4\nmaximum_gib = 16\n"
        )
    path = folder / "hyperv.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kill")
    given = {"inventory": inventory(folder), "faults": {"slow_task": 0.4, "guest_after": 0.2}}
    with ExitStack() as stack:
        hosts = [stack.enter_context(nk.practice.start("hyperv", **given)) for _ in range(HOSTS)]
        matrix = Matrix(CASES, hosts, folder)
        with matrix.running(lambda number: matrix.ends_right(number, STEPS), WORKERS) as futures:
            yield futures


@pytest.mark.parametrize("number", range(len(CASES)), ids=map(str, CASES))
def test_killed_there_both_ways_on_end_right(results, number):
    results[number].result(timeout=890)
