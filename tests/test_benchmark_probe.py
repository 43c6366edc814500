"""The probe itself, as the lab's image has it: it measures what it says, and refuses the rest."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from nestkit.benchmark.parsers import parse_probe
from nestkit.lab.image import build_image
from nestkit.runners.base import Runner
from nestkit.runners.lab import image_runner

pytestmark = pytest.mark.lab
COMMANDS = ("exit", "syscall", "touch first", "touch second", "memory", "wakeup same")


@pytest.fixture(scope="module")
def here() -> Iterator[Runner]:
    runner = image_runner(build_image(), cpus=1, extra={})
    yield runner
    runner.close()


def measure(here: Runner, what: str, seconds: float = 0.2) -> float:
    argv = ["nestkit-probe", *what.split(), "--seconds", f"{seconds:g}"]
    result = here.run(argv, timeout=60)
    assert (result.rc, result.stderr) == (0, "")
    return parse_probe(result.stdout).value


@pytest.mark.parametrize("what", COMMANDS)
def test_each_measurement_lasts_about_as_long_as_asked(here: Runner, what: str) -> None:
    started = time.monotonic()
    result = here.run(["nestkit-probe", *what.split(), "--seconds", "0.3"], timeout=60)
    whole = time.monotonic() - started
    reading = parse_probe(result.stdout)
    guest_s = float(result.stdout.split()[1])
    # The probe prints a value of four digits: the time worked back from it is rounded too.
    assert 0.3 * 0.999 <= reading.elapsed_s < 3
    assert reading.elapsed_s <= guest_s * 1.01
    assert guest_s <= whole


def test_what_must_be_dearer_is(here: Runner) -> None:
    assert measure(here, "touch first") > 3 * measure(here, "touch second")
    assert measure(here, "wakeup same") > measure(here, "syscall")
    assert measure(here, "memory") > 5, "a walk through 64 MiB is no walk through a cache"


def test_waking_across_cpus_is_not_measured_with_one(here: Runner) -> None:
    result = here.run(["nestkit-probe", "wakeup", "across", "--seconds", "0.1"], timeout=60)
    assert result.rc == 3
    assert result.stdout == ""
    assert "not measured" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        "", "exit", "exit --seconds", "exit --seconds 0", "exit --seconds -1", "exit --seconds x",
        "exit --seconds nan", "exit --seconds inf", "exit --seconds 1s", "exit now --seconds 1",
        "exit --seconds 1 1", "touch --seconds 1", "touch both --seconds 1", "wakeup --seconds 1",
        "leaves --seconds 1", "sleep --seconds 1", "--seconds 1", "touch first second --seconds 1",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_the_usage(here: Runner, words: str) -> None:
    result = here.run(["nestkit-probe", *words.split()], timeout=60)
    assert result.rc == 2
    assert result.stdout == ""
    assert "usage" in result.stderr
