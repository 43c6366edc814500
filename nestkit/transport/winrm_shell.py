"""One kept remote shell, and commands in it that never outlast their caller.

Every command is signalled to end, whatever came of it; a shell whose connection broke is closed
through the next connection.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from nestkit.credentials import Secret
from nestkit.errors import ConnectionFailed, DeadlineExceeded, NestkitError
from nestkit.transport.tls import Trust
from nestkit.transport.winrm_access import Access, open_protocol
from nestkit.transport.winrm_errors import is_fault, is_timeout, translate

T = TypeVar("T")

_POLL_S: Final = 10  # how long the host may hold one request for output
_SLACK_S: Final = 15  # what a request may take beyond that
_PIECE: Final = 60_000  # bytes of standard input a request; envelopes are limited to 153,600
_MOST: Final = 64 * 2**20  # bytes of output
_IDLE: Final = "PT900S"  # a shell that nobody closes ends after a quarter of an hour


class RemoteShell:
    """A connection and a shell on the host; either may break, and be opened again."""

    def __init__(self, access: Access, trust: Trust | None, secret: Secret) -> None:
        self._access, self._trust, self._secret = access, trust, secret
        self._protocol: Any = None
        self._id = ""
        self._left_behind = ""  # a shell that could not be closed when its connection broke
        self.is_input_complete = False  # of the last command: it may have begun its work

    def attempt(self, do: Callable[[], T], doing: str) -> T | NestkitError:
        """The result, or the failure: for the caller to raise, out of reach of its cause."""
        try:
            return do()
        except Exception as error:  # noqa: BLE001  (pywinrm lets whatever it meets through)
            return translate(error, self._access.address, doing)

    def open(self, doing: str) -> None:
        """Connect, log in, open a shell, and close one that was left behind.

        Raises
        ------
        NestkitError
            It cannot be had; nothing is left open here.
        """

        def act() -> None:
            self._protocol = open_protocol(self._access, self._trust, self._secret)
            self._timeouts(_POLL_S)
            self._id = self._protocol.open_shell(codepage=65001, noprofile=True, idle_timeout=_IDLE)
            left, self._left_behind = self._left_behind, ""
            if left:
                with contextlib.suppress(Exception):  # what ran in it ends with it
                    self._protocol.close_shell(left, close_session=False)

        failure = self.attempt(act, doing)
        if failure is not None:
            self._drop()
            raise failure

    def close(self) -> None:
        """End the shell and the connection; never raises."""
        if self._left_behind and self._protocol is None:
            with contextlib.suppress(NestkitError):
                self.open("closing a shell that was left behind")
        self._drop()

    def abandon(self) -> None:
        """Give the connection up; its shell is closed through the next one."""
        self._left_behind = self._id or self._left_behind
        self._disconnect()

    def execute(
        self,
        name: str,
        line: str,
        payload: Callable[[], bytes],
        deadline: float,
        deadline_s: float,
        on_start: Callable[[str], None] | None = None,
    ) -> tuple[bytes, bytes, int]:
        """Run a command line with that standard input: output, errors, exit status.

        ``on_start`` gets the command's id once its input is there.
        """
        if self._protocol is None:
            self.open("opening another shell")
        protocol, shell = self._protocol, self._id
        self._timeouts(_POLL_S)
        self.is_input_complete = False
        command = protocol.run_command(shell, line, console_mode_stdin=False)
        try:
            self._feed(command, payload())
            if on_start is not None:
                on_start(str(command))
            return self._collect(name, command, deadline, deadline_s)
        finally:
            # in every case: a command that has ended holds a place among the user's operations
            try:
                protocol.cleanup_command(shell, command)
            except Exception:  # noqa: BLE001  (the outcome stands; the shell is closed later)
                self.abandon()

    def _feed(self, command: str, data: bytes) -> None:
        for at in range(0, len(data), _PIECE):
            end = at + _PIECE >= len(data)
            self.is_input_complete = end  # even if this fails: it may have arrived
            try:
                piece = data[at : at + _PIECE]
                self._protocol.send_command_input(self._id, command, piece, end=end)
            except Exception as error:
                if is_fault(error):
                    self.is_input_complete = False  # the host refused it
                raise

    def _collect(
        self, name: str, command: str, deadline: float, deadline_s: float
    ) -> tuple[bytes, bytes, int]:
        out, err = bytearray(), bytearray()
        for wait in self._waits(name, deadline, deadline_s):
            self._timeouts(wait)
            try:
                more, noise, code, done = self._protocol.get_command_output_raw(self._id, command)
            except Exception as error:
                if is_timeout(error):
                    continue
                raise
            out += more
            err += noise
            if len(out) + len(err) > _MOST:
                raise ConnectionFailed(
                    f"{name} on {self._access.place} writes without end; it was stopped there",
                    remedy="look at the host: something else writes to the script's output",
                )
            if done:
                return bytes(out), bytes(err), code
        raise AssertionError("unreachable")

    def _waits(self, name: str, deadline: float, deadline_s: float) -> Iterator[int]:
        """How long each request for output may wait, in whole seconds as the protocol has them."""
        while (left := deadline - time.monotonic()) > 0:
            yield max(1, min(_POLL_S, math.ceil(left)))
        raise DeadlineExceeded(
            f"{name} on {self._access.place} did not end within {deadline_s:g} s; it was stopped "
            "there",
            remedy="look what the host is doing; it may be overloaded, or a VM may hang",
        )

    def _timeouts(self, wait_s: int) -> None:
        self._protocol.operation_timeout_sec = wait_s
        self._protocol.transport.read_timeout_sec = wait_s + _SLACK_S

    def _drop(self) -> None:
        if self._protocol is not None and self._id:
            with contextlib.suppress(Exception):
                self._protocol.close_shell(self._id, close_session=False)
        self._disconnect()

    def _disconnect(self) -> None:
        protocol, self._protocol, self._id = self._protocol, None, ""
        if protocol is not None:
            with contextlib.suppress(Exception):
                protocol.transport.close_session()
