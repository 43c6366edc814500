"""Ratios of time. Each pair is measured interleaved, on this machine, in this run."""

from __future__ import annotations

import os
import re
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from ratios import is_reached

import nestkit as nk

pytestmark = pytest.mark.perf
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def test_importing_nestkit_adds_at_most_a_fifth_of_a_second() -> None:
    def measure() -> float:
        pairs = [(seconds("import nestkit"), seconds("pass")) for _ in range(9)]
        added = statistics.median(a - b for a, b in pairs)
        print(f"\nimport nestkit: {added:.3f} s over bare Python (median of 9 pairs)")
        return added

    assert is_reached(measure, lambda added: added <= 0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_it_answers(url: str, deadline_s: float = 90) -> None:
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.02)
    raise AssertionError(f"{url} did not answer")


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(120)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def bare_jupyterlab() -> float:
    port = free_port()
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
         f"--ServerApp.root_dir={NOTEBOOKS}", "--ServerApp.log_level=WARN"],
        env=os.environ | {"JUPYTER_TOKEN": "bare"}, text=True,
    )  # fmt: skip
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}/lab?token=bare")
        return time.perf_counter() - start
    finally:
        stop(process)


def nestkit_course() -> float:
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "nestkit", "course", "--no-browser"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout
        for line in process.stdout:
            found = re.search(r"http\S+token=\S+", line)
            if found:
                wait_until_it_answers(found[0])
                return time.perf_counter() - start
        raise AssertionError("nestkit course printed no address")
    finally:
        stop(process)


def test_jupyterlab_is_ready_about_as_soon_as_without_nestkit() -> None:
    def measure() -> float:
        pairs = [(nestkit_course(), bare_jupyterlab()) for _ in range(5)]
        ratio = statistics.median(a / b for a, b in pairs)
        bare = statistics.median(b for _, b in pairs)
        print(f"\nJupyterLab ready: {ratio:.2f} x a bare one ({bare:.1f} s; median of 5 pairs)")
        return ratio

    assert is_reached(measure, lambda ratio: ratio <= 1.2)


VMS = 10_000


@pytest.mark.timeout(900)
def test_a_fleet_costs_little_more_than_one_bare_retrieval() -> None:
    """The bare one asks the same properties in one call, with pyVmomi alone, and keeps nothing."""
    from nestkit.hosts.esx_fleet import FLEET_PATHS

    with nk.practice.start("vpx", vms=VMS) as practice:
        host = nk.connect(practice.url, password=practice.password)
        try:
            content = host._session.content  # type: ignore[attr-defined]
            nk.preflight.fleet(host)  # both once, so that neither pays for what is built on demand
            _ = bare_retrieval(content, FLEET_PATHS)

            def measure() -> tuple[float, float]:
                pairs = [
                    (timed(nk.preflight.fleet, host), timed(bare_retrieval, content, FLEET_PATHS))
                    for _ in range(5)
                ]
                attributes = timed(attribute_access, content, 200) * VMS / 200
                ratio = statistics.median(a / b for a, b in pairs)
                whole = statistics.median(a for a, _ in pairs)
                print(
                    f"\nfleet of {VMS}: {whole:.1f} s, {ratio:.2f} x one bare retrieval (median "
                    f"of 5), {attributes / whole:.0f} x faster than attribute access (from 200 VMs)"
                )
                return ratio, attributes / whole

            assert is_reached(measure, lambda found: found[0] <= 1.3 and found[1] >= 20)
        finally:
            host.close()


def test_a_fleet_takes_little_memory() -> None:
    code = (
        "import sys, nestkit as nk\n"
        "host = nk.connect(sys.argv[1], password=sys.stdin.readline().strip())\n"
        "report = nk.preflight.fleet(host)\n"
        "assert report.vm_count > 9000\n"
        # not getrusage: what it calls the peak is handed on from the process that started it
        "peak = [line for line in open('/proc/self/status') if line.startswith('VmHWM')]\n"
        "print(int(peak[0].split()[1]) * 1024)\n"
    )
    with nk.practice.start("vpx", vms=VMS) as practice:
        ran = subprocess.run(
            [sys.executable, "-c", code, practice.url], input=practice.password + "\n",
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    peak_mb = int(ran.stdout) / 1e6
    print(f"\nfleet of {VMS}: at most {peak_mb:.0f} MB in the client")
    assert peak_mb <= 300


def timed(do: Any, *arguments: Any) -> float:
    start = time.perf_counter()
    do(*arguments)
    return time.perf_counter() - start


def bare_retrieval(content: Any, paths: tuple[str, ...]) -> int:
    """Every VM's properties in one unpaged call."""
    from pyVmomi import vim, vmodl

    query = vmodl.query.PropertyCollector
    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
    follow = query.TraversalSpec(name="v", path="view", skip=False, type=vim.view.ContainerView)
    spec = query.FilterSpec(
        objectSet=[query.ObjectSpec(obj=view, skip=True, selectSet=[follow])],
        propSet=[query.PropertySpec(type=vim.VirtualMachine, all=False, pathSet=list(paths))],
    )
    answer = content.propertyCollector.RetrievePropertiesEx([spec], query.RetrieveOptions())
    view.DestroyView()
    assert not answer.token and len(answer.objects) >= VMS
    return len(answer.objects)


def attribute_access(content: Any, count: int) -> int:
    """What pyVmomi makes natural: one call for each attribute on the way."""
    from pyVmomi import vim

    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
    read = 0
    for vm in view.view[:count]:
        read += len(str((
            vm.name, vm.config.version, vm.config.nestedHVEnabled, vm.config.hardware.numCPU,
            vm.config.hardware.memoryMB, vm.runtime.powerState,
        )))  # fmt: skip
    view.DestroyView()
    return read
