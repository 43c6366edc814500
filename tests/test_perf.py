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

import pytest

pytestmark = pytest.mark.perf
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def test_importing_nestkit_adds_at_most_a_fifth_of_a_second() -> None:
    pairs = [(seconds("import nestkit"), seconds("pass")) for _ in range(9)]
    added = statistics.median(a - b for a, b in pairs)
    print(f"\nimport nestkit: {added:.3f} s over bare Python (median of 9 pairs)")
    assert added <= 0.2


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
        process.wait(20)
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
    pairs = [(nestkit_course(), bare_jupyterlab()) for _ in range(5)]
    ratio = statistics.median(a / b for a, b in pairs)
    bare = statistics.median(b for _, b in pairs)
    print(f"\nJupyterLab ready: {ratio:.2f} x a bare one ({bare:.1f} s; median of 5 pairs)")
    assert ratio <= 1.2
