"""Commands on a remote Linux machine through the system's OpenSSH client.

One connection is kept for all commands of a session (where the client can: not on Windows).
Its first command waits on a pipe held by this process, as every command does: however this
process ends, the pipe closes, sshd passes that on, and the remote side ends what it started.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from nestkit.errors import AddressError, DeadlineExceeded, LabError
from nestkit.runners.sshfailures import failure

_NAME: Final = re.compile(r"(?!-)[^\s,'\"\\\0-\x1f]+")
_GRACE_S: Final = 10.0
_MULTIPLEX: Final = sys.platform != "win32"
# $1 marks where the program's own output begins, and its status at the end of its errors: a
# login shell may say something first, and status 255 could be ssh's own. Standard input is
# watched: at its end the program's whole group is killed, also one that is just being made.
_WATCHED: Final = """
mark=$1; shift
echo "$mark"
exec 3<&0 4>&2
setsid sh -c 'exec "$@"' sh "$@" </dev/null 3<&- 4>&- & program=$!
exec 2>/dev/null
{ read -r _ <&3; for whom in "-$program" "$program" "-$program"; do kill -9 "$whom"; done
} >/dev/null 4>&- & reader=$!
wait "$program"; status=$?
kill "$reader"
echo "$mark $status" >&4
"""
# the same with standard input given to the program, whose end ends it
_FED: Final = """
mark=$1; shift
echo "$mark"
"$@"; status=$?
echo "$mark $status" >&2
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a remote command ended, by this machine's monotonic clock in seconds."""

    rc: int
    stdout: bytes
    stderr: bytes
    t0: float
    t1: float


def check_name(name: str, what: str) -> str:
    """A host, or user@host, that the client cannot take for an option or a list.

    Raises
    ------
    AddressError
        If it is none.
    """
    if not _NAME.fullmatch(name):
        raise AddressError(
            f"{name!r} is no {what}", remedy="write host or user@host, for example lab@10.0.0.5"
        )
    return name


def _value(path: Path) -> str:
    """A path as a value in the client's configuration, where % and quotes have a meaning."""
    text = str(path)
    if re.search(r'["\0-\x1f\\]|\$\{', text):
        raise AddressError(f"{text!r} cannot be named to ssh", remedy="use a plain path")
    return '"' + text.replace("%", "%%") + '"'


class SshClient:
    """One connection, made when first used."""

    def __init__(
        self,
        target: str,
        *,
        port: int | None = None,
        jump: Sequence[str] = (),
        identity: Path | None = None,
        known_hosts: Path | None = None,
        connect_timeout: float = 15.0,
    ) -> None:
        self.target = check_name(target, "address for ssh")
        self._connect_timeout = connect_timeout
        lines = [
            "BatchMode yes",
            "StrictHostKeyChecking yes",
            "UpdateHostKeys no",
            "ForwardAgent no",
            "ForwardX11 no",
            "ClearAllForwardings yes",
            "PermitLocalCommand no",
            "RemoteCommand none",
            "RequestTTY no",
            "LogLevel ERROR",
            "ServerAliveInterval 15",
            f"ConnectTimeout {max(int(connect_timeout), 1)}",
        ]
        if known_hosts is not None:
            lines += [f"UserKnownHostsFile {_value(known_hosts)}", "GlobalKnownHostsFile none"]
        if identity is not None:
            lines += [f"IdentityFile {_value(identity)}", "IdentitiesOnly yes"]
        # a file, not options: the client hands it on to the hosts it jumps over. First comes
        # first, so nothing of the user's own configuration loosens these
        own = ["Host *", *lines, "Include ~/.ssh/config"]
        self._config = "\n".join([*own, "Include /etc/ssh/ssh_config", ""])
        self._options: list[str] = ["-p", str(int(port))] if port is not None else []
        if jump:
            self._options += [
                "-J",
                ",".join(check_name(name, "host to jump over") for name in jump),
            ]
        self._folder: Path | None = None
        self._master: subprocess.Popen[bytes] | None = None
        self._closed = False

    def _command(self, *more: str) -> list[str]:
        program = shutil.which("ssh")
        if program is None:
            raise LabError(
                "there is no ssh program here",
                remedy="install OpenSSH's client (Debian, Ubuntu: apt-get install openssh-client)",
            )
        if self._folder is None:
            # a socket's path may have some hundred characters: the system's own folder is short
            self._folder = Path(tempfile.mkdtemp(prefix="nestkit-ssh-"))
            atexit.register(self.close)
            (self._folder / "config").write_text(self._config, encoding="utf-8")
        socket = ["-S", str(self._folder / "s")] if _MULTIPLEX else []
        return [program, "-F", str(self._folder / "config"), "-T", *socket, *self._options, *more]

    def connect(self) -> None:
        """Connect and verify the host, unless that was done.

        Raises
        ------
        TrustError
            If the host's key is another one than expected, or not known.
        CredentialsError
            If the host does not let this user in without a password.
        ConnectionFailed
            If it cannot be reached.
        """
        if self._closed:
            raise LabError("this runner was closed", remedy="make a new one")
        if not _MULTIPLEX or (self._master is not None and self._master.poll() is None):
            return
        self._end_master()
        mark = secrets.token_hex(8)
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors:
            master = self._master = subprocess.Popen(
                self._command("-M", "--", self.target, f"echo {mark}; exec cat"),
                stdin=subprocess.PIPE, stdout=said, stderr=errors, start_new_session=True,
            )  # fmt: skip
            deadline = time.monotonic() + self._connect_timeout * (1 + len(self._options))
            while mark.encode() not in _all(said):
                if master.poll() is not None:
                    raise failure(self.target, _all(errors))
                if time.monotonic() > deadline:
                    self._end_master()
                    raise failure(self.target, b"timed out")
                time.sleep(0.01)

    def execute(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: BinaryIO | None = None,
        sink: BinaryIO | None = None,
    ) -> Ended:
        """Run a command to its end. ``stdin`` is sent to it, ``sink`` takes its output.

        Raises
        ------
        DeadlineExceeded
            If it did not end in time; it was killed.
        NestkitError
            As :meth:`connect`, and ConnectionFailed if the connection breaks.
        """
        self.connect()
        mark = secrets.token_hex(8)
        words = ["sh", "-c", _WATCHED if stdin is None else _FED, "sh", mark, *argv]
        command = self._command("--", self.target, "exec " + shlex.join(words))
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            started = time.monotonic()
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if stdin is None else stdin,
                stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip
            try:
                process.wait(timeout)
                ended = time.monotonic()
            except subprocess.TimeoutExpired:
                raise DeadlineExceeded(
                    f"{argv[0]} did not end in {timeout:g} s on {self.target} and was stopped",
                    remedy="give it more time (timeout=…), or less to do",
                ) from None
            finally:
                _end(process)
            return self._judge(mark.encode(), out, _all(err), sink, started, ended)

    def _judge(
        self,
        mark: bytes,
        out: BinaryIO,
        err: bytes,
        sink: BinaryIO | None,
        started: float,
        ended: float,
    ) -> Ended:
        errors, found, status = err.rpartition(mark + b" ")
        if not found:
            raise failure(self.target, err)
        out.seek(0)
        for line in out:
            if line.endswith(mark + b"\n"):
                break
        text = b""
        if sink is None:
            text = out.read()
        else:
            shutil.copyfileobj(out, sink)
        digits, _, rest = status.partition(b"\n")  # a child in the background may say more
        return Ended(int(digits), text, errors + rest, started, ended)

    def _end_master(self) -> None:
        if self._master is not None:
            _end(self._master)
            self._master = None

    def close(self) -> None:
        """End the connection. Safe to call twice."""
        self._closed = True
        atexit.unregister(self.close)
        self._end_master()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _all(file: BinaryIO) -> bytes:
    # by position: the child writes at the offset it shares with this descriptor
    if hasattr(os, "pread"):
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)
    file.seek(0)
    return file.read()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close its pipe, which ends the remote side, and see to it that it is gone."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    if process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
            return
        process.kill()
        process.wait()
