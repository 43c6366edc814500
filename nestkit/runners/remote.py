"""What runners over a connection share: decoding, the round trip, files in and out."""

from __future__ import annotations

import statistics
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final, Literal, Protocol

from nestkit.errors import LabError, NotFound
from nestkit.runners.base import ExecResult

EMPTY: Final = ("true",)
_ROUND_TRIPS: Final = 5
_COPY_TIMEOUT_S: Final = 600.0


class Ended(Protocol):
    """How a command at the other end ended, by this machine's monotonic clock in seconds."""

    @property
    def rc(self) -> int:
        """Its status; signals count as 128 + number."""

    @property
    def stdout(self) -> bytes:
        """Its output, unless a sink took it."""

    @property
    def stderr(self) -> bytes:
        """Its errors."""

    @property
    def t0(self) -> float:
        """Before it was asked for."""

    @property
    def t1(self) -> float:
        """When its end was known."""


class RemoteRunner(ABC):
    """Runs programs in a Linux layer at the other end of a connection."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._rtt_s = -1.0

    @property
    def layer(self) -> str:
        """L0, L1, …, as the depth says."""
        return f"L{self._depth}"

    @property
    def os(self) -> Literal["linux", "windows"]:
        """Always linux."""
        return "linux"

    @abstractmethod
    def _execute(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        stdin: BinaryIO | None = None,
        sink: BinaryIO | None = None,
    ) -> Ended:
        """Run a command to its end; ``stdin`` is sent to it, ``sink`` takes its output."""

    def _prepare(self) -> None:  # noqa: B027  (most have nothing to do)
        """What is to be done once, before the first command."""

    def run(
        self, argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None
    ) -> ExecResult:
        """Run a program to its end; as :meth:`LocalRunner.run` has it.

        Raises
        ------
        DeadlineExceeded
            If it did not end in time; it and what it started were killed.
        LabError
            If there is no command, or a lab's guest is gone or does not answer.
        TrustError, CredentialsError, ConnectionFailed
            If a machine is not the one expected, does not let us in, or cannot be reached.
        """
        if self._rtt_s < 0:
            self._prepare()
            trips = [self._execute(EMPTY, timeout=60.0) for _ in range(_ROUND_TRIPS)]
            self._rtt_s = statistics.median(trip.t1 - trip.t0 for trip in trips)
        done = self._execute(argv, timeout=timeout, env=env)
        return ExecResult(
            rc=done.rc,
            stdout=done.stdout.decode("utf-8", "surrogateescape"),
            stderr=done.stderr.decode("utf-8", "surrogateescape"),
            host_t0=done.t0,
            host_t1=done.t1,
            rtt_s=self._rtt_s,
        )

    def put(self, src: Path, dst: str) -> None:
        """Copy a file into the layer."""
        try:
            with Path(src).open("rb") as file:
                command = ["sh", "-c", 'exec cat > "$0"', dst]
                done = self._execute(command, timeout=_COPY_TIMEOUT_S, stdin=file)
        except OSError as error:
            raise NotFound(
                f"{src} cannot be read: {error.strerror}", remedy="check the path"
            ) from error
        self._copied(done, dst)

    def get(self, src: str, dst: Path) -> None:
        """Copy a file out of the layer."""
        target = Path(dst)
        partial = target.with_name(target.name + ".part")
        try:
            with partial.open("wb") as file:
                command = ["sh", "-c", 'exec cat < "$0"', src]
                done = self._execute(command, timeout=_COPY_TIMEOUT_S, sink=file)
            self._copied(done, src)
            partial.replace(target)
        except OSError as error:
            raise LabError(
                f"{dst} cannot be written: {error.strerror}", remedy="check the path"
            ) from error
        finally:
            partial.unlink(missing_ok=True)

    def _copied(self, done: Ended, path: str) -> None:
        if done.rc != 0:
            said = done.stderr.decode("utf-8", "replace").strip()
            kind = NotFound if "No such file" in said or "nonexistent" in said else LabError
            raise kind(f"{path} of {self.layer} cannot be copied: {said}", remedy="check the path")
