"""What only the ssh runner has to get right: trust, jumps, and nothing left over there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest
from ssh_server import make_key, ssh_server

from nestkit.errors import (
    AddressError,
    ConnectionFailed,
    CredentialsError,
    DeadlineExceeded,
    LabError,
    TrustError,
)
from nestkit.runners import LocalRunner, SshRunner

unix = pytest.mark.skipif(sys.platform == "win32", reason="the commands are Unix ones")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ssh_server(tmp_path_factory.mktemp("ssh")) as running:
        yield running


@pytest.fixture
def short_folder():
    """Not pytest's: the path of a socket in it would be too long."""
    with tempfile.TemporaryDirectory(prefix="nk-") as name:
        yield Path(name)


@pytest.fixture
def runner(server):
    made = server.runner()
    yield made
    made.close()


def _running(mark: str) -> bool:
    script = "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f; echo; done 2>/dev/null"
    return f"sleep {mark}" in LocalRunner().run(["sh", "-c", script], timeout=30).stdout


def _gone(mark: str, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while _running(mark) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not _running(mark)


@pytest.mark.peer
def test_a_changed_host_key_is_refused_before_anything_is_sent(server, tmp_path):
    make_key(tmp_path / "other")
    words = (tmp_path / "other.pub").read_text().split()
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{server.port} {words[0]} {words[1]}\n")
    touched = tmp_path / "touched"
    changed = server.runner(known_hosts=known)
    with pytest.raises(TrustError, match="has changed") as caught:
        changed.run(["touch", str(touched)], timeout=30)
    assert "ssh-keygen -R" in caught.value.remedy
    assert not touched.exists()
    changed.close()


@pytest.mark.peer
def test_an_unknown_host_key_is_refused_and_not_learned(server, tmp_path):
    known = tmp_path / "known_hosts"
    known.write_text("")
    stranger = server.runner(known_hosts=known)
    with pytest.raises(TrustError, match="is not known") as caught:
        stranger.run(["true"], timeout=30)
    assert "fingerprint" in caught.value.remedy
    assert known.read_text() == ""
    stranger.close()


@pytest.mark.peer
def test_a_key_the_host_does_not_take_is_an_error_without_a_question(server, tmp_path):
    make_key(tmp_path / "other")
    other = server.runner(identity=tmp_path / "other")
    with pytest.raises(CredentialsError) as caught:
        other.run(["true"], timeout=30)
    assert "ssh-copy-id" in caught.value.remedy
    other.close()


@pytest.mark.peer
def test_a_machine_that_does_not_answer_is_told(server):
    nobody = server.runner(port=1)
    with pytest.raises(ConnectionFailed, match="refused"):
        nobody.run(["true"], timeout=30)
    nobody.close()


@pytest.mark.peer
def test_an_inner_guest_is_reached_through_the_outer(server, runner, tmp_path):
    with ssh_server(tmp_path) as inner:
        both = tmp_path / "both"
        both.write_text(server.known_hosts.read_text() + inner.known_hosts.read_text())
        # one user key for both, as the jump uses the same identity
        (inner.folder / "authorized_keys").write_text((server.folder / "user.pub").read_text())
        through = server.runner(
            port=inner.port,
            known_hosts=both,
            jump=f"{server.target}:{server.port}",
            depth=2,
            acceleration="kvm",
            stack="ESXi > KVM",
        )
        assert through.layer == "L2"
        script = 'echo "$SSH_CONNECTION"'
        said = through.run(["sh", "-c", script], timeout=30).stdout.split()
        assert said[3] == str(inner.port)
        assert "direct-tcpip" in (server.folder / "log").read_text() or said[0] == "127.0.0.1"
        through.close()
        # the host that is jumped over is verified too
        both.write_text(inner.known_hosts.read_text())
        untrusted = server.runner(
            port=inner.port, known_hosts=both, jump=f"{server.target}:{server.port}"
        )
        with pytest.raises(TrustError):
            untrusted.run(["true"], timeout=30)
        untrusted.close()


@pytest.mark.peer
def test_status_255_of_a_program_is_not_taken_for_ssh_s_own(runner):
    assert runner.run(["sh", "-c", "exit 255"], timeout=30).rc == 255


@pytest.mark.peer
def test_closing_ends_what_runs_there(server):
    mark = f"61.{os.getpid()}"
    one = server.runner()
    with pytest.raises(DeadlineExceeded):
        one.run(["sh", "-c", f"sleep {mark} & sleep {mark}"], timeout=1)
    assert _gone(mark)
    one.close()
    one.close()
    with pytest.raises(LabError, match="closed"):
        one.run(["true"], timeout=5)


_CHILD = """
    import sys
    from pathlib import Path
    from nestkit.runners import SshRunner
    runner = SshRunner(sys.argv[1], depth=0, acceleration="none", port=int(sys.argv[2]),
                       identity=Path(sys.argv[3]), known_hosts=Path(sys.argv[4]))
    runner.run(["true"], timeout=30)
    print("up", flush=True)
    runner.run(["sleep", sys.argv[5]], timeout=300)
"""


@pytest.mark.peer
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_however_python_ends_no_process_is_left_there_or_here(server, how, short_folder):
    mark = f"62.{os.getpid()}{int(how)}"
    words = [server.target, str(server.port), str(server.folder / "user"), str(server.known_hosts)]
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_CHILD), *words, mark],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "TMPDIR": str(short_folder)},
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    deadline = time.monotonic() + 60
    while not _running(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _running(mark)
    child.send_signal(how)
    child.wait(120)
    child.stdout.close()
    assert _gone(mark)
    script = "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f; echo; done 2>/dev/null"
    deadline = time.monotonic() + 60
    while str(server.folder / "user") in (
        said := LocalRunner().run(["sh", "-c", script], timeout=30).stdout
    ):
        assert time.monotonic() < deadline, said
        time.sleep(0.2)
    if how == signal.SIGINT:  # the others end Python before it could tidy up
        assert list(short_folder.iterdir()) == []


@pytest.mark.peer
def test_a_lost_connection_is_an_error_and_the_next_command_connects_anew(server, runner):
    mark = f"63.{os.getpid()}"
    runner.run(["true"], timeout=30)

    def cut() -> None:
        deadline = time.monotonic() + 60
        while not _running(mark) and time.monotonic() < deadline:
            time.sleep(0.05)
        for session in psutil.Process(server.process.pid).children():
            session.kill()

    cutter = threading.Thread(target=cut)
    cutter.start()
    with pytest.raises(ConnectionFailed):
        runner.run(["sleep", mark], timeout=60)
    cutter.join()
    assert runner.run(["echo", "on"], timeout=30).stdout == "on\n"
    assert _gone(mark)


@pytest.mark.peer
def test_programs_are_searched_in_the_given_folders_first(server, tmp_path):
    tool = tmp_path / "my tools" / "sysbench"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho mine $A\n")
    tool.chmod(0o755)
    one = server.runner(path=[str(tool.parent)])
    assert one.run(["sysbench"], timeout=30, env={"A": "it's"}).stdout == "mine it's\n"
    assert one.facts().extra["path:sysbench"] == str(tool)
    one.close()


@unix
@pytest.mark.parametrize("target", ["", "-oProxyCommand=x", "a b", "a\nb", "a,b", "a'b", 'a"b'])
def test_an_address_that_could_be_an_option_is_refused(target):
    with pytest.raises(AddressError) as caught:
        SshRunner(target, depth=1, acceleration="esxi")
    assert "user@host" in caught.value.remedy
    with pytest.raises(AddressError):
        SshRunner("host", depth=1, acceleration="esxi", jump=target or "-x")


@pytest.mark.parametrize("depth", [-1, "1", True, None, 1.5])
def test_a_depth_that_is_none_is_refused(depth):
    with pytest.raises(AddressError, match="no depth"):
        SshRunner("host", depth=depth, acceleration="esxi")


@pytest.mark.parametrize(
    "odd",
    [{"acceleration": "KVM"}, {"acceleration": None}, {"port": "22"}, {"port": 0}, {"port": True}],
)
def test_what_is_no_acceleration_or_port_is_refused(odd):
    with pytest.raises(AddressError, match=r"is no (acceleration|port)") as caught:
        SshRunner("host", **{"depth": 1, "acceleration": "kvm", **odd})
    assert "use " in caught.value.remedy


@pytest.mark.parametrize("path", ['a"b', "a\nb", "${HOME}/x", "a\\b"])
def test_a_path_the_client_would_read_otherwise_is_refused(path):
    with pytest.raises(AddressError, match="cannot be named"):
        SshRunner("host", depth=1, acceleration="esxi", identity=Path(path))


@unix
@pytest.mark.parametrize("env", [{"a b": "x"}, {"a=b": "x"}, {"": "x"}, {"x;y": "z"}])
def test_a_variable_s_name_is_no_script(env):
    with pytest.raises(LabError, match="no name for a variable"):
        SshRunner("host", depth=1, acceleration="esxi").run(["true"], timeout=5, env=env)


@unix
def test_without_the_client_the_remedy_names_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="no ssh program") as caught:
        SshRunner("host", depth=1, acceleration="esxi").run(["true"], timeout=5)
    assert "openssh-client" in caught.value.remedy
