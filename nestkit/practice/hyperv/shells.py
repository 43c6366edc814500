"""Remote shells and the commands that run in them.

Limits are the defaults of Windows: 30 shells a user, 25 processes a shell (MS-WSMV 3.1.1,
``winrm get winrm/config/winrs``), and MS-WSMV's 180 seconds of idleness.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from nestkit.practice.hyperv.envelope import (
    Fault,
    no_command,
    no_shell,
    too_many_operations,
    too_many_shells,
)

MAX_COMMANDS: Final = 25
MAX_OPERATIONS: Final = 1_500  # of one user; here of one shell, its ended commands included
MAX_STDIN: Final = 4 * 2**20
MAX_STDIN_S: Final = 300.0  # as long as a script may run
MAX_OUTPUT: Final = 32 * 2**20
# base64 of both pieces and the envelope stay under the 153,600 bytes that clients offer
_PIECE: Final = 48 * 1024
_STREAMS: Final = ("stdout", "stderr")

CTRL_C_EXIT: Final = 0xC000013A - 2**32  # STATUS_CONTROL_C_EXIT (MS-ERREF) as Int32


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a command's output. ``exit_code`` is None while more may come."""

    stdout: bytes
    stderr: bytes
    exit_code: int | None


class Command:
    """One running program: its standard streams, and its end. Safe to use from many threads."""

    def __init__(
        self, command_id: str, line: str, arguments: tuple[str, ...], *, skip_cmd: bool = False
    ) -> None:
        self.id = command_id
        self.line = line
        self.arguments = arguments
        self.skip_cmd = skip_cmd
        self.cancelled = threading.Event()
        self._changed = threading.Condition()
        self._output = {name: bytearray() for name in _STREAMS}
        self._written = 0
        self._stdin = bytearray()
        self._stdin_ended = False
        self._exit_code: int | None = None

    # -- the program's side ---------------------------------------------------------------

    def write(self, stream: str, data: bytes) -> None:
        """Append to stdout or stderr; what is over the quota is lost."""
        with self._changed:
            room = MAX_OUTPUT - self._written
            self._output[stream] += data[:room]
            self._written += min(len(data), room)
            self._changed.notify_all()

    def finish(self, exit_code: int) -> None:
        """End the program; the first end counts."""
        with self._changed:
            if self._exit_code is None:
                self._exit_code = exit_code
            self._changed.notify_all()

    def read_stdin(self, within_s: float = MAX_STDIN_S) -> bytes:
        """All of standard input, once its end was sent, the command cancelled, or time is up."""
        until = time.monotonic() + within_s
        with self._changed:
            while not (self._stdin_ended or self.cancelled.is_set() or time.monotonic() > until):
                self._changed.wait(0.5)
            return bytes(self._stdin)

    # -- the client's side ----------------------------------------------------------------

    def feed(self, data: bytes, *, end: bool) -> None:
        """Take standard input."""
        with self._changed:
            if self._stdin_ended and data:
                raise Fault("Standard input was closed already.", 232, "w:InternalError")
            if len(self._stdin) + len(data) > MAX_STDIN:
                raise Fault("Standard input is larger than the quota.", 8, "w:QuotaLimit")
            self._stdin += data
            self._stdin_ended |= end
            self._changed.notify_all()

    def receive(self, timeout_s: float) -> Piece | None:
        """The next piece of output; None if there was none in time."""
        with self._changed:
            self._changed.wait_for(self._has_news, timeout_s)
            if not self._has_news():
                return None
            out, err = (self._take(name) for name in _STREAMS)
            drained = not any(self._output.values())
            return Piece(out, err, self._exit_code if drained else None)

    def _has_news(self) -> bool:
        return self._exit_code is not None or any(self._output.values())

    def _take(self, stream: str) -> bytes:
        data = bytes(self._output[stream][:_PIECE])
        del self._output[stream][:_PIECE]
        return data

    def cancel(self) -> None:
        """Stop the program, as Ctrl+C does."""
        self.cancelled.set()
        self.finish(CTRL_C_EXIT)

    @property
    def is_running(self) -> bool:
        """Whether the program has not ended."""
        return self._exit_code is None


class Shell:
    """A remote shell of one user."""

    def __init__(
        self,
        shell_id: str,
        owner: str,
        *,
        codepage: int,
        idle_s: float,
        environment: dict[str, str],
    ) -> None:
        self.id = shell_id
        self.owner = owner
        self.codepage = codepage
        self.idle_s = idle_s
        self.environment = environment
        self.created = self.last_used = time.monotonic()
        self._busy = threading.Lock()
        self._calls = 0
        self.commands: dict[str, Command] = {}

    def command(self, command_id: str) -> Command:
        """A command by its id."""
        try:
            return self.commands[command_id.upper()]
        except KeyError:
            raise no_command(command_id) from None

    def idle_for(self) -> float:
        """Seconds since a client last spoke to this shell."""
        return 0.0 if self._calls else time.monotonic() - self.last_used

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """A call that takes long: the shell is not idle meanwhile."""
        with self._busy:
            self._calls += 1
        try:
            yield
        finally:
            with self._busy:
                self._calls -= 1
                self.last_used = time.monotonic()

    def end(self) -> None:
        """Stop everything that runs in the shell."""
        for command in list(self.commands.values()):
            command.cancel()
        self.commands.clear()


Launch = Callable[[Shell, Command], None]  # starts the program and returns at once


class Shells:
    """All shells of the host."""

    def __init__(self, launch: Launch, *, limit: int = 30, idle_s: float = 180.0) -> None:
        self._launch = launch
        self._limit = limit
        self.idle_s = idle_s
        self._lock = threading.Lock()
        self._shells: dict[str, Shell] = {}

    def open(
        self, owner: str, *, codepage: int, idle_s: float, environment: dict[str, str], wanted: str
    ) -> Shell:
        """Open a shell; the client may choose its id."""
        self.sweep()
        shell_id = (wanted or str(uuid.uuid4())).upper()
        shell = Shell(shell_id, owner, codepage=codepage, idle_s=idle_s, environment=environment)
        with self._lock:
            mine = sum(one.owner == owner for one in self._shells.values())
            if mine >= self._limit:
                raise too_many_shells(self._limit)
            if shell_id in self._shells:
                raise Fault("A shell of this id is there already.", 183, "w:AlreadyExists")
            self._shells[shell_id] = shell
        return shell

    def get(self, shell_id: str, owner: str) -> Shell:
        """A user's own shell. Others' shells are as good as absent."""
        self.sweep()
        with self._lock:
            shell = self._shells.get(shell_id.upper())
            if shell is None or shell.owner != owner:
                raise no_shell(shell_id)
            shell.last_used = time.monotonic()
            return shell

    def close(self, shell: Shell) -> None:
        """End a shell and what runs in it."""
        with self._lock:
            self._shells.pop(shell.id, None)
        shell.end()

    def close_all(self) -> None:
        """End every shell."""
        for shell in self.all():
            self.close(shell)

    def all(self) -> list[Shell]:
        """The shells there are."""
        with self._lock:
            return list(self._shells.values())

    def sweep(self) -> None:
        """End the shells that were idle for too long."""
        for shell in self.all():
            if shell.idle_for() > shell.idle_s:
                self.close(shell)

    def start(
        self,
        shell: Shell,
        line: str,
        arguments: tuple[str, ...],
        *,
        wanted: str,
        skip_cmd: bool,
    ) -> Command:
        """Run a command in a shell; the client may choose its id."""
        command_id = (wanted or str(uuid.uuid4())).upper()
        with self._lock:
            if sum(one.is_running for one in list(shell.commands.values())) >= MAX_COMMANDS:
                raise Fault("The shell runs as many commands as it may.", 8, "w:QuotaLimit")
            if len(shell.commands) >= MAX_OPERATIONS:
                raise too_many_operations(MAX_OPERATIONS)
            if command_id in shell.commands:
                raise Fault("A command of this id is there already.", 183, "w:AlreadyExists")
            command = Command(command_id, line, arguments, skip_cmd=skip_cmd)
            shell.commands[command_id] = command
        self._launch(shell, command)
        return command
