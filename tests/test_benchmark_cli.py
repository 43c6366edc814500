"""``nestkit benchmark`` as a learner runs it: what was measured is kept, whatever ends the run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click import UsageError

from nestkit.benchmark import Run
from nestkit.cli.app import cli
from nestkit.course.runs import find_runs
from nestkit.errors import LabError

# prints what sysbench prints, after a tenth of a second; from call FAIL_AT on, half of it
TOOL = """import os, sys, time
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
    script = tmp_path / "sysbench.py"
    script.write_text(TOOL.format(folder=str(folder), fixture=str(fixture)), encoding="utf-8")
    # sh, as a path with spaces cannot stand after #!
    words = shlex.join([sys.executable, str(script)])
    tool.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
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


@pytest.mark.parametrize("depth", ["0", "4", "two", "-1", "2.0", "²", ""])
@pytest.mark.parametrize("words", [["benchmark", "lab://"], ["lab", "run", "--", "true"]])
def test_a_depth_that_no_lab_has_is_refused_with_a_remedy(depth: str, words: list[str]) -> None:
    given = [*words[:2], "--depth", depth, *words[2:]]
    with pytest.raises(LabError, match="a lab has depth 1 to 3") as caught:
        cli.main(given, standalone_mode=False)
    assert "use depth=1 for a guest" in caught.value.remedy


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["local://", "--depth", "2"], "--depth needs lab://"),
        (["local://", "--no-npt", "--wait", "3"], "--no-npt, --wait needs lab://"),
        (["local://", "--chart", "x.png"], "--chart needs lab://"),
        (["lab://", "--chart", "x"], "does not end in .png"),
        (["lab://", "--chart", "x.jpeg2000"], "does not end in .png"),
        (["lab://", "--save", "."], "is a directory"),
        (["lab://", "--save", ""], "cannot be written"),
    ],
)
def test_what_could_only_fail_at_the_end_is_refused_at_the_start(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        cli.main(["benchmark", *words], standalone_mode=False)
    assert said in caught.value.format_message()


def test_the_file_is_saved_though_the_table_cannot_be_printed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "run.json"
    words = ["benchmark", "local://", "--workload", "arithmetic", "--rounds", "2"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "nestkit", *words, "--save", str(file)],
            env=environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=240,
        )  # fmt: skip
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert Run.load(file).status == "complete"


def test_a_reader_who_leaves_does_not_change_the_status_of_the_command_in_the_lab() -> None:
    script = (
        "import os, sys\n"
        "from nestkit.cli.terminal import drop_what_cannot_be_written, pass_on\n"
        "sys.stdin.readline()\n"
        "pass_on('x' * 1_000_000)\n"
        "pass_on('bytes \\udcff', err=True)\n"
        "drop_what_cannot_be_written()\n"
        "sys.exit(7)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(b"\n", timeout=240)
    assert (process.returncode, err) == (7, b"bytes \xff")
