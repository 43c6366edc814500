"""``nestkit benchmark`` as a learner runs it: what was measured is kept, whatever ends the run."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nestkit.benchmark import Run
from nestkit.course.runs import find_runs

# prints what sysbench prints, after a tenth of a second; from call FAIL_AT on, half of it
TOOL = """#!{python}
import os, sys, time
count = {folder!r} + "/count"
calls = len(open(count).read()) if os.path.exists(count) else 0
open(count, "a").write(".")
events = int([a for a in sys.argv if a.startswith("--events=")][0].partition("=")[2])
elapsed = events * 0.0005
time.sleep(elapsed)
text = open({fixture!r}).read()
import re
text = re.sub(r"second: .*", f"second: {{events / elapsed:.2f}}", text)
text = re.sub(r"total time: .*", f"total time: {{elapsed:.4f}}s", text)
text = re.sub(r"sum: .*", f"sum: {{elapsed * 1000:.2f}}", text)
text = re.sub(r"number of events: .*", f"number of events: {{events}}", text)
print(text if calls < int(os.environ.get("FAIL_AT", "9999")) else text[:300])
"""


@pytest.fixture
def environment(tmp_path: Path, state_dir: Path) -> dict[str, str]:
    """A machine whose only tool is one that prints as sysbench does."""
    folder = tmp_path / "bin"
    folder.mkdir()
    fixture = Path(__file__).parent / "data" / "sysbench-cpu-1.0.20.txt"
    tool = folder / "sysbench"
    tool.write_text(TOOL.format(python=sys.executable, folder=str(folder), fixture=str(fixture)))
    tool.chmod(0o755)
    # no image in the cache, and no apt-get on the path to make one
    for program in ("cat", "env", "sh", "sha256sum", "taskset", "uname", "which"):
        (folder / program).symlink_to(str(shutil.which(program)))
    return {**os.environ, "PATH": str(folder), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def benchmark(env: dict[str, str], *more: str) -> subprocess.Popen[str]:
    words = ["benchmark", "local://", "--workload", "arithmetic", "--seed", "1", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "nestkit", *words],
        env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip


def kept(err: str) -> Run:
    """The run that the command says it keeps; the explore page finds the same."""
    (path,) = re.findall(r"^kept as (.+\.json): explore\.ipynb shows it$", err, re.MULTILINE)
    run = Run.load(path)
    labels = [label for label in find_runs().runs if label.startswith("yours")]
    assert [find_runs().runs[label] for label in labels] == [run]
    return run


def test_a_run_without_save_is_kept_where_the_explore_page_finds_it(
    environment: dict[str, str],
) -> None:
    out, err = (process := benchmark(environment, "--rounds", "2")).communicate(timeout=240)
    assert process.returncode == 0, err
    assert "s left" in err, "the estimate comes first"
    run = kept(err)
    assert run.status == "complete"
    assert str(run) in out


def test_saved_is_kept_too(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    process = benchmark(environment, "--rounds", "2", "--save", str(file))
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert kept(err) == Run.load(file)


def test_ctrl_c_keeps_a_partial_run_that_can_be_used(environment: dict[str, str]) -> None:
    process = benchmark(environment, "--suite", "full")
    count = Path(environment["PATH"].partition(":")[0]) / "count"
    deadline = time.monotonic() + 120
    while (not count.exists() or count.stat().st_size < 8) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: every process gets it
    out, err = process.communicate(timeout=240)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    run = kept(err)
    assert run.status == "cancelled"
    assert 0 < len(run.counted) < 30
    assert f"incomplete: {len(run.counted)} of 30 rounds" in out


def test_a_tool_that_breaks_in_the_middle_keeps_what_was_measured(
    environment: dict[str, str],
) -> None:
    process = benchmark(environment | {"FAIL_AT": "10"})
    _, err = process.communicate(timeout=240)
    assert process.returncode == 2
    assert "sysbench in L0: sysbench's output (sysbench 1.0.20) has" in err
    assert "→ run it by hand in that layer" in err
    run = kept(err)
    assert run.status == "failed"
    assert run.counted


def test_a_time_budget_ends_the_run_and_marks_it(environment: dict[str, str]) -> None:
    process = benchmark(environment, "--suite", "full", "--time-budget", "3")
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert kept(err).status == "out of time"
    assert "of 30 rounds" in out


def test_where_nothing_can_be_kept_the_figures_are_shown_and_the_status_says_so(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "a file"
    file.write_text("")
    process = benchmark(environment | {"NESTKIT_STATE": str(file)}, "--rounds", "2")
    out, err = process.communicate(timeout=240)
    assert process.returncode == 2
    assert "arithmetic" in out
    assert "NESTKIT_STATE" in err
    assert "kept as" not in err
