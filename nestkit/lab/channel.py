"""The command channel into a guest: framed, binary-safe, one command at a time.

``guest/agent.c`` is the other end and describes the frames.
"""

from __future__ import annotations

import contextlib
import io
import socket
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from nestkit.errors import DeadlineExceeded, LabError

_PIECE: Final = 32 * 1024
_MAX_FRAME: Final = 1 << 20
_MAX_ARGUMENTS: Final = 512 * 1024
_WANTS_INPUT: Final = b"\x01"
_KILL_DEADLINE_S: Final = 20.0
_REMEDY: Final = "close this lab and start a new one"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended; signals count as 128 + number, as shells have it."""

    rc: int
    stdout: bytes
    stderr: bytes
    t0: float  # monotonic, seconds
    t1: float


class ChannelClosed(LabError):
    """The guest is gone."""


class Channel:
    """Talks to the agent of one guest."""

    def __init__(self, sock: socket.socket, layer: str) -> None:
        self._sock = sock
        self._layer = layer
        self._buffer = bytearray()
        self._lock = threading.Lock()
        self._broken = ""

    def close(self) -> None:
        """Let go of the guest: its agent ends, and the guest with it."""
        self._broken = self._broken or "was closed"
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _receive(self, deadline: float) -> tuple[bytes, bytes]:
        """The next frame.

        Raises
        ------
        TimeoutError
            If none is whole before the deadline; what came stays in the buffer.
        ChannelClosed
            If the guest is gone.
        """
        while True:
            if len(self._buffer) >= 5:
                (size,) = struct.unpack_from("<I", self._buffer, 1)
                if size > _MAX_FRAME or self._buffer[0] not in b"HAOEX":
                    self._broken = "sent what no agent sends"
                    raise ChannelClosed(f"{self._layer} {self._broken}", remedy=_REMEDY)
                if len(self._buffer) >= 5 + size:
                    kind = bytes(self._buffer[:1])
                    payload = bytes(self._buffer[5 : 5 + size])
                    del self._buffer[: 5 + size]
                    return kind, payload
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            try:
                self._sock.settimeout(remaining)
                piece = self._sock.recv(1 << 16)
            except TimeoutError:
                raise
            except OSError:
                piece = b""
            if not piece:
                self._broken = self._broken or "is gone: its machine ended"
                raise ChannelClosed(f"{self._layer} {self._broken}", remedy=_REMEDY)
            self._buffer += piece

    def _send(self, kind: bytes, payload: bytes, deadline: float) -> None:
        try:
            self._sock.settimeout(max(deadline - time.monotonic(), 0.001))
            self._sock.sendall(kind + struct.pack("<I", len(payload)) + payload)
        except TimeoutError:
            # a frame may be cut in two now: nothing after it could be understood
            self._broken = "does not take commands any more"
            raise ChannelClosed(f"{self._layer} {self._broken}", remedy=_REMEDY) from None
        except OSError as error:
            self._broken = self._broken or "is gone: its machine ended"
            raise ChannelClosed(f"{self._layer} {self._broken}", remedy=_REMEDY) from error

    def wait_hello(self, timeout: float) -> bool:
        """Wait for the agent; False if it is not up in time (ask again)."""
        try:
            kind, _ = self._receive(time.monotonic() + timeout)
        except TimeoutError:
            return False
        if kind != b"H":
            raise ChannelClosed(f"{self._layer} did not greet", remedy=_REMEDY)
        return True

    def execute(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        stdin: BinaryIO | None = None,
        sink: BinaryIO | None = None,
    ) -> Outcome:
        """Run a command to its end. ``sink`` takes its output instead of memory.

        Raises
        ------
        DeadlineExceeded
            If it did not end in time; it was killed and the layer can be used on.
        ChannelClosed
            If the guest is gone, or does not answer even to the kill.
        """
        request = _request(argv, env or {}, stdin is not None)
        with self._lock:
            if self._broken:
                raise ChannelClosed(f"{self._layer} {self._broken}", remedy=_REMEDY)
            started = time.monotonic()
            deadline = started + timeout
            running = False
            try:
                self._send(b"R", request, deadline)
                running = True
                outcome = self._converse(stdin, sink, started, deadline)
                running = False
                return outcome
            except TimeoutError:
                self._kill()
                running = False
                raise DeadlineExceeded(
                    f"{argv[0]} did not end in {timeout:g} s in {self._layer} and was stopped",
                    remedy="give it more time (timeout=…), or less to do",
                ) from None
            finally:
                if running and not self._broken:  # interrupted from outside, say by Ctrl-C
                    with contextlib.suppress(LabError):
                        self._kill()

    def _converse(
        self, stdin: BinaryIO | None, sink: BinaryIO | None, started: float, deadline: float
    ) -> Outcome:
        out: BinaryIO = sink if sink is not None else io.BytesIO()
        err = io.BytesIO()
        fed = stdin is None
        if stdin is not None:
            piece = stdin.read(_PIECE)
            self._send(b"I", piece, deadline)
            fed = not piece
        while True:
            kind, payload = self._receive(deadline)
            if kind == b"O":
                out.write(payload)
            elif kind == b"E":
                err.write(payload)
            elif kind == b"A" and stdin is not None and not fed:
                piece = stdin.read(_PIECE)
                self._send(b"I", piece, deadline)
                fed = not piece
            elif kind == b"X":
                ended = time.monotonic()
                (rc,) = struct.unpack("<i", payload)
                text = out.getvalue() if isinstance(out, io.BytesIO) and sink is None else b""
                return Outcome(rc, text, err.getvalue(), started, ended)

    def _kill(self) -> None:
        deadline = time.monotonic() + _KILL_DEADLINE_S
        self._send(b"K", b"", deadline)
        try:
            while self._receive(deadline)[0] != b"X":
                pass
        except TimeoutError:
            self._broken = "does not answer any more"
            raise ChannelClosed(f"{self._layer} {self._broken}", remedy=_REMEDY) from None


def _request(argv: Sequence[str], env: Mapping[str, str], wants_input: bool) -> bytes:
    words = [*argv, *(f"{key}={value}" for key, value in env.items())]
    if not argv or not argv[0]:
        raise LabError("there is no command to run", remedy="name a program, for example uname -a")
    if any("\0" in word for word in words) or any("=" in key or not key for key in env):
        raise LabError(
            "a command, its arguments and its environment hold no NUL byte, and names no '='",
            remedy="put such bytes in a file and copy it with put()",
        )
    encoded = b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in words)
    if len(encoded) > _MAX_ARGUMENTS:
        raise LabError(
            f"the arguments are {len(encoded)} bytes long, more than {_MAX_ARGUMENTS}",
            remedy="put them in a file and copy it with put()",
        )
    return (_WANTS_INPUT if wants_input else b"\0") + struct.pack("<I", len(argv)) + encoded
