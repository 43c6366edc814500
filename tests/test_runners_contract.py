"""What every runner does, whatever layer it reaches."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ssh_server import ssh_server

from nestkit import lab
from nestkit.errors import DeadlineExceeded, LabError, NestkitError, NotFound
from nestkit.runners import LocalRunner, Runner
from nestkit.runners.linuxfacts import has_flag, hypervisor_leaves, linux_facts

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the commands are Unix ones")


@pytest.fixture(scope="module")
def running():
    with lab.up(depth=1) as lab_of_one:
        yield lab_of_one


@pytest.fixture(scope="module")
def over_ssh(tmp_path_factory):
    with ssh_server(tmp_path_factory.mktemp("ssh")) as server:
        runner = server.runner()
        yield runner
        runner.close()


@pytest.fixture(
    params=[
        "local",
        pytest.param("ssh", marks=pytest.mark.peer),
        pytest.param("lab L0", marks=[pytest.mark.lab, pytest.mark.timeout(600)]),
        pytest.param("lab L1", marks=[pytest.mark.lab, pytest.mark.timeout(600)]),
    ]
)
def runner(request):
    if request.param == "local":
        yield LocalRunner()
    elif request.param == "ssh":
        yield request.getfixturevalue("over_ssh")
    else:
        yield request.getfixturevalue("running").runner(int(request.param[-1]))


def test_it_is_a_runner(runner):
    assert isinstance(runner, Runner)
    assert runner.layer == f"L{runner.facts().depth}"
    assert runner.os == "linux"


def test_status_output_and_errors_come_apart(runner):
    done = runner.run(["sh", "-c", "echo out; echo err >&2; exit 7"], timeout=30)
    assert (done.rc, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_times_enclose_the_program(runner):
    before = time.monotonic()
    done = runner.run(["sleep", "0.3"], timeout=30)
    after = time.monotonic()
    assert before <= done.host_t0 < done.host_t1 <= after
    assert done.host_t1 - done.host_t0 >= 0.3
    assert 0 < done.rtt_s < 60


def test_a_program_that_is_not_there_gives_127(runner):
    done = runner.run(["no-such-program-here"], timeout=30)
    assert done.rc == 127
    assert "no-such-program-here" in done.stderr


def test_a_file_that_is_no_program_gives_126(runner):
    assert runner.run(["/etc"], timeout=30).rc == 126


def test_a_signal_counts_as_128_and_its_number(runner):
    assert runner.run(["sh", "-c", "kill -9 $$"], timeout=30).rc == 137


@pytest.mark.parametrize(
    "word", ["", " ", "'; rm -rf *; '", "$(x)", "`x`", "%2f", "a\nb", "Müller 日本", "-n", "\\"]
)
def test_arguments_arrive_as_they_are(runner, word):
    done = runner.run(["sh", "-c", 'printf "%s|" "$@"', "sh", word, "end"], timeout=30)
    assert done.stdout == f"{word}|end|"


@settings(max_examples=15)
@given(word=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_is_an_argument(runner, word):
    assert runner.run(["printf", "%s", word], timeout=30).stdout == word


def test_bytes_that_are_no_text_are_kept(runner):
    done = runner.run(["printf", r"\377\000\200\n"], timeout=30)
    assert done.stdout.encode("utf-8", "surrogateescape") == b"\xff\x00\x80\n"


def test_environment_is_added_to_the_layer_s_own(runner):
    script = 'printf "%s|%s" "$NESTKIT_A" "${PATH:+path}"'
    done = runner.run(["sh", "-c", script], timeout=30, env={"NESTKIT_A": "ü $(x) '\n"})
    assert done.stdout == "ü $(x) '\n|path"


def test_standard_input_is_empty(runner):
    assert runner.run(["cat"], timeout=30).stdout == ""


def test_a_missed_deadline_is_an_error_and_ends_all_it_started(runner):
    started = time.monotonic()
    mark = f"47.{os.getpid()}"
    with pytest.raises(DeadlineExceeded) as caught:
        runner.run(["sh", "-c", f"sleep {mark} & sleep {mark}"], timeout=0.5)
    assert time.monotonic() - started < 40
    assert "timeout" in caught.value.remedy
    script = "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f; echo; done 2>/dev/null"

    def running() -> str:
        return runner.run(["sh", "-c", script], timeout=30).stdout

    assert "tr" in running() or "sh" in running()  # the list is one
    while f"sleep {mark}" in running():  # killed, it may take an instant to be gone
        assert time.monotonic() - started < 40


def test_a_background_child_does_not_hold_the_command_up(runner):
    started = time.monotonic()
    done = runner.run(["sh", "-c", "sleep 40 >/dev/null 2>&1 & echo done"], timeout=30)
    assert done.stdout == "done\n"
    assert time.monotonic() - started < 35


def test_large_output_is_whole(runner):
    done = runner.run(["sh", "-c", "yes 0123456789abcde | head -n 200000"], timeout=120)
    assert done.stdout == "0123456789abcde\n" * 200000


def test_errors_and_output_at_once_do_not_block_each_other(runner):
    script = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; echo $i$i$i >&2; done"
    done = runner.run(["sh", "-c", script], timeout=120)
    assert done.stdout.count("\n") == done.stderr.count("\n") == 3000


@pytest.mark.parametrize("size", [0, 1, 5000, 3_000_000])
def test_files_go_in_and_out_unchanged(runner, tmp_path, size):
    content = os.urandom(size)
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(content)
    inside = f"/tmp/nestkit 'test' $(x) {os.getpid()}"
    try:
        runner.put(source, inside)
        runner.get(inside, back)
        assert back.read_bytes() == content
    finally:
        runner.run(["rm", "-f", inside], timeout=30)


def test_files_that_are_not_there_are_told(runner, tmp_path):
    with pytest.raises(NotFound):
        runner.put(tmp_path / "none", "/tmp/nestkit-none")
    with pytest.raises(NotFound):
        runner.get("/nonexistent/file", tmp_path / "back")
    assert list(tmp_path.iterdir()) == []
    source = tmp_path / "source"
    source.write_bytes(b"x")
    with pytest.raises(NestkitError):
        runner.put(source, "/nonexistent/folder/file")


@pytest.mark.parametrize("argv", [[], [""], ["a\0b"]])
def test_no_command_is_refused(runner, argv):
    with pytest.raises(LabError):
        runner.run(argv, timeout=5)


def test_facts_are_those_of_the_layer(runner):
    facts = runner.facts()
    assert facts.kernel == runner.run(["uname", "-r"], timeout=30).stdout.strip()
    assert facts.layer == runner.layer
    assert isinstance(facts.memory_mib, int)
    assert facts.memory_mib > 100


def test_a_closed_local_runner_says_so():
    local = LocalRunner()
    local.close()
    local.close()
    with pytest.raises(LabError, match="closed"):
        local.run(["true"], timeout=5)


def test_programs_are_searched_in_the_given_folders_first(tmp_path):
    tool = tmp_path / "uname"
    tool.write_text("#!/bin/sh\necho mine\n")
    tool.chmod(0o755)
    assert LocalRunner(path=[tmp_path]).run(["uname"], timeout=30).stdout == "mine\n"


@pytest.mark.skipif(sys.platform != "linux", reason="pinning is Linux's")
def test_a_pinned_runner_uses_as_many_cpus():
    script = "grep Cpus_allowed_list /proc/self/status"
    said = LocalRunner(cpus=1).run(["sh", "-c", script], timeout=30).stdout
    assert said.split()[1].isdigit()


# facts from texts


def test_facts_are_read_from_proc_and_sys():
    cpu = "/sys/devices/system/cpu"
    facts = linux_facts(
        {
            "/proc/cpuinfo": "processor\t: 0\nmodel name\t: A CPU\nmicrocode\t: 0x1\n"
            "flags\t\t: fpu svm\n\nprocessor\t: 1\nmodel name\t: A CPU\n",
            "/proc/meminfo": "MemTotal:       2048000 kB\nMemFree: 1 kB\n",
            "/proc/sys/kernel/osrelease": "6.1.0\n",
            "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
            f"{cpu}/vulnerabilities/meltdown": "Not affected\n",
            f"{cpu}/vulnerabilities/retbleed": "Vulnerable\n",
        }
    )
    assert (facts["cpu_model"], facts["cpu_count"], facts["microcode"]) == ("A CPU", 2, "0x1")
    assert (facts["memory_mib"], facts["kernel"], facts["huge_pages"]) == (2000, "6.1.0", "madvise")
    assert facts["mitigations"] == "meltdown: Not affected; retbleed: Vulnerable"


def test_what_no_file_says_is_unknown_with_the_reason():
    for name, value in linux_facts({}).items():
        assert value.reason, name


def test_flags_are_whole_words():
    assert has_flag("svm", "flags\t: fpu svm vmx\n")
    assert not has_flag("sv", "flags\t: fpu svm vmx\n")
    assert not has_flag("svm", "")


def test_leaves_are_read_from_the_probe():
    said = "hypervisor_bit 1\nleaf 0x40000000 Microsoft Hv\nleaf 0x40000100 KVMKVMKVM\n"
    assert hypervisor_leaves(said) == ("Microsoft Hv", "KVMKVMKVM")
    assert hypervisor_leaves("hypervisor_bit 0\n") == ()


def test_copying_here_is_copying(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"x")
    LocalRunner().put(tmp_path / "a", str(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == b"x"
