"""The pyVmomi script, run as a program of its own against a practice host."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nestkit as nk
from nestkit.practice import PracticeHost


@pytest.fixture
def practice() -> Iterator[PracticeHost]:
    with nk.practice.start("esx") as host:
        yield host


def run(
    script: str, folder: Path, practice: PracticeHost, **environment: str
) -> subprocess.CompletedProcess[str]:
    path = folder / "script.py"
    path.write_text(script, encoding="ascii")
    known = {
        "ESX_HOST": f"{practice.host}:{practice.port}",
        "ESX_USER": practice.user,
        "ESX_PASSWORD": practice.password,
        "ESX_SHA256": practice.fingerprint.removeprefix("sha256:"),
    }
    return subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=120, check=False,
        stdin=subprocess.DEVNULL, env={**os.environ, **known, **environment},
    )  # fmt: skip


@pytest.mark.parametrize(
    "vm", ["nested-esxi-01", "nested-esxi-04", "nested-esxi-06", "nested-esxi-11"]
)
def test_the_script_does_what_the_plan_says(
    practice: PracticeHost, tmp_path: Path, vm: str
) -> None:
    host = nk.connect(practice.url, password=practice.password)
    plan = nk.configure.plan(host, vm)
    assert plan.steps
    done = run(plan.script("pyvmomi"), tmp_path, practice)
    assert (done.returncode, done.stderr) == (0, "")
    assert "done" in done.stdout
    assert nk.configure.plan(host, vm).is_empty
    assert nk.preflight.check(host, vm).ok
    host.close()


def test_the_script_takes_back_what_it_did(practice: PracticeHost, tmp_path: Path) -> None:
    host = nk.connect(practice.url, password=practice.password)
    before = nk.preflight.check(host).findings
    plan = nk.configure.plan(host, "nested-esxi-11")
    assert run(plan.script("pyvmomi"), tmp_path, practice).returncode == 0
    assert nk.preflight.check(host).findings != before
    undo = dataclasses.replace(plan, steps=tuple(step.inverse() for step in plan.steps[::-1]))
    done = run(undo.script("pyvmomi"), tmp_path, practice)
    assert (done.returncode, done.stderr) == (0, "")
    assert nk.preflight.check(host).findings == before
    host.close()


def test_the_script_trusts_no_other_certificate(practice: PracticeHost, tmp_path: Path) -> None:
    host = nk.connect(practice.url, password=practice.password)
    plan = nk.configure.plan(host, "nested-esxi-01")
    wrong = run(plan.script("pyvmomi"), tmp_path, practice, ESX_SHA256="00" * 32)
    assert wrong.returncode == 1
    assert "not the one in ESX_SHA256" in wrong.stderr
    unpinned = run(plan.script("pyvmomi"), tmp_path, practice, ESX_SHA256="")
    assert unpinned.returncode == 1
    assert "CERTIFICATE_VERIFY_FAILED" in unpinned.stderr
    assert nk.configure.plan(host, "nested-esxi-01").digest == plan.digest
    host.close()


def test_the_script_stops_where_the_vm_is_not(practice: PracticeHost, tmp_path: Path) -> None:
    host = nk.connect(practice.url, password=practice.password)
    plan = nk.configure.plan(host, "nested-esxi-01")
    gone = dataclasses.replace(plan, vm=dataclasses.replace(plan.vm, id="0" * 36))
    done = run(gone.script("pyvmomi"), tmp_path, practice)
    assert done.returncode == 1
    assert "there is no VM with the instance UUID" in done.stderr
    assert practice.password not in done.stderr
    host.close()
