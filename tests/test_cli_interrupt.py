"""Ctrl-C: once it stops after the step, twice it interrupts it; the journal is always named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nestkit import configure, connect, practice

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are Unix's")
VMS = {"esx": "nested-esxi-01", "hyperv": "nested-hv-01"}


class Bench:
    """A plan for a practice host, and commands on it, each a process."""

    def __init__(self, host: practice.PracticeHost, vm: str, folder: Path) -> None:
        self.host = host
        self.env = os.environ | {"NESTKIT_PASSWORD": host.password}
        with connect(host.url, password=host.password) as session:
            plan = configure.plan(session, vm)
        plan.save(folder / "plan.json")
        self.plan = (str(folder / "plan.json"), "--accept", plan.digest)

    def slow(self, verb: str, *args: str) -> subprocess.Popen[str]:
        """A command whose steps take so long that one meets Ctrl-C twice, on a slow machine too."""
        self.host.set_faults(slow_task=4)
        return self._command(verb, *args)

    def done(self, verb: str, *args: str) -> None:
        self.host.set_faults()
        process = self._command(verb, *args)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (out, err)

    def _command(self, verb: str, *args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "nestkit", verb, self.host.url, *args],
            env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip


@pytest.fixture(params=sorted(VMS))
def bench(request: pytest.FixtureRequest, state_dir: Path, tmp_path: Path) -> Iterator[Bench]:
    with practice.start(request.param) as host:
        yield Bench(host, VMS[request.param], tmp_path)


def interrupted(process: subprocess.Popen[str], times: int) -> tuple[str, str]:
    """Press Ctrl-C in the first step, and again as soon as the first one is answered."""
    assert process.stderr
    told = process.stderr.readline()  # the first step has begun
    for number in range(times):
        process.send_signal(signal.SIGINT)
        if number == 0:
            while "Ctrl-C again" not in (line := process.stderr.readline()):
                assert line, told
                told += line
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, told + err
    assert "Traceback" not in err
    return out, err


def test_once_stops_after_the_step_and_tells_the_journal(bench: Bench) -> None:
    out, err = interrupted(bench.slow("apply", *bench.plan), 1)
    assert "stopped on request" in err
    bench.done("resume", out.strip())
    bench.done("rollback", out.strip())


@pytest.mark.kill
def test_twice_interrupts_the_step_and_names_the_journal_all_the_same(bench: Bench) -> None:
    out, err = interrupted(bench.slow("apply", *bench.plan), 2)
    journal = out.strip()
    assert Path(journal).is_file()
    assert "interrupted in the middle of a step" in err
    for verb in ("resume", "rollback"):
        assert f"`nestkit {verb} URL {journal}`" in err
    for verb in ("resume", "rollback"):
        out, err = interrupted(bench.slow(verb, journal), 2)
        assert out == ""
        assert f"`nestkit rollback URL {journal}`" in err
        bench.done(verb, journal)
