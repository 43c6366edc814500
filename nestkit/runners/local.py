"""Programs on the machine nestkit runs on."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from nestkit.errors import DeadlineExceeded, LabError, NotFound
from nestkit.facts import Unknown
from nestkit.runners.base import ExecResult, LayerFacts
from nestkit.runners.linuxfacts import FILES, hypervisor_leaves, linux_extra, linux_facts
from nestkit.runners.topology import cross_checked

_EMPTY: Final = (sys.executable, "-S", "-E", "-c", "")
_ROUND_TRIPS: Final = 5


class LocalRunner:
    """Runs programs here: layer L0.

    Parameters
    ----------
    path
        Folders searched for programs before those of ``PATH``.
    cpus
        Pin programs to as many CPUs (Linux); 0 leaves them where they are.
    empty
        The command whose round trip is taken off, as ``rtt_s``.
    probe
        A command that prints the hypervisors CPUID names, where there is one.
    extra
        Facts to add.
    """

    def __init__(
        self,
        *,
        path: Sequence[Path] = (),
        cpus: int = 0,
        empty: Sequence[str] = _EMPTY,
        probe: Sequence[str] = (),
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self._path = [str(folder) for folder in path]
        self._cpus = cpus
        self._empty = tuple(empty)
        self._probe = tuple(probe)
        self._extra = dict(extra or {})
        self._rtt_s = -1.0
        self._closed = False

    @property
    def layer(self) -> str:
        """Always L0."""
        return "L0"

    @property
    def os(self) -> Literal["linux", "windows"]:
        """Windows, or a Unix that is used like Linux (macOS)."""
        return "windows" if sys.platform == "win32" else "linux"

    def run(
        self, argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None
    ) -> ExecResult:
        """Run a program to its end.

        Bytes that are not UTF-8 come as surrogates (``surrogateescape``); a program that cannot
        be started gives 127 (not found) or 126, one ended by a signal 128 + its number.

        Raises
        ------
        DeadlineExceeded
            If it did not end in time; it and what it started were killed.
        LabError
            If there is no command, or the runner was closed.
        """
        if self._closed:
            raise LabError("this runner was closed", remedy="make a new one")
        if self._rtt_s < 0:
            self._rtt_s = 0.0
            trips = [self._once(self._empty, 30.0, {}) for _ in range(_ROUND_TRIPS)]
            self._rtt_s = statistics.median(trip.host_t1 - trip.host_t0 for trip in trips)
        return self._once(argv, timeout, env or {})

    def _environment(self, env: Mapping[str, str]) -> dict[str, str]:
        # an LD_… of the caller's would reach the image's loader
        inherited = {
            k: v for k, v in os.environ.items() if not (self._path and k.startswith("LD_"))
        }
        inherited["PATH"] = os.pathsep.join([*self._path, inherited.get("PATH", os.defpath)])
        return inherited | dict(env)

    def _once(self, argv: Sequence[str], timeout: float, env: Mapping[str, str]) -> ExecResult:
        if not argv or not argv[0]:
            raise LabError("there is no command to run", remedy="name a program, say uname -a")
        words = self._environment(env)
        # found by hand: Popen would search the caller's PATH, not the command's
        program = shutil.which(argv[0], path=words["PATH"]) or argv[0]
        started = time.monotonic()
        try:
            process = subprocess.Popen(
                [*self._pinned(), program, *argv[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=words,
                start_new_session=True,  # so that a deadline reaches all it started
            )
        except (OSError, ValueError) as error:
            if isinstance(error, ValueError):
                raise LabError(
                    f"{argv[0]!r} cannot be run: {error}", remedy="arguments hold no NUL byte"
                ) from error
            rc = 127 if isinstance(error, FileNotFoundError) else 126
            return self._result(rc, b"", f"{argv[0]}: {error.strerror}\n".encode(), started)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise DeadlineExceeded(
                f"{argv[0]} did not end in {timeout:g} s in {self.layer} and was stopped",
                remedy="give it more time (timeout=…), or less to do",
            ) from None
        finally:
            if process.poll() is None:
                _kill(process)
        rc = process.returncode
        return self._result(128 - rc if rc < 0 else rc, out, err, started)

    def _result(self, rc: int, out: bytes, err: bytes, started: float) -> ExecResult:
        return ExecResult(
            rc=rc,
            stdout=out.decode("utf-8", "surrogateescape"),
            stderr=err.decode("utf-8", "surrogateescape"),
            host_t0=started,
            host_t1=time.monotonic(),
            rtt_s=self._rtt_s,
        )

    def _pinned(self) -> list[str]:
        if not self._cpus or not hasattr(os, "sched_getaffinity"):
            return []
        taskset = shutil.which("taskset", path=self._environment({})["PATH"])
        if taskset is None:
            return []
        allowed = sorted(os.sched_getaffinity(0))[-self._cpus :]
        return [taskset, f"{sum(1 << cpu for cpu in allowed):x}"]

    def put(self, src: Path, dst: str) -> None:
        """Copy a file."""
        _copy(Path(src), Path(dst))

    def get(self, src: str, dst: Path) -> None:
        """Copy a file."""
        _copy(Path(src), Path(dst))

    def facts(self) -> LayerFacts:
        """Facts of this machine."""
        extra: dict[str, str] = dict(self._extra)
        known: dict[str, Any] = {}
        if sys.platform.startswith("linux"):
            texts = {path: _text(path) for path in FILES}
            known = linux_facts(texts)
            extra = linux_extra(texts) | extra
            extra.setdefault("base_is_virtual", extra.get("hypervisor_flag", "no"))
        else:
            known["cpu_model"] = platform.processor() or Unknown("this Python does not say")
            known["cpu_count"] = os.cpu_count() or Unknown("this Python does not say")
            known["kernel"] = platform.release()
        if self._cpus:
            extra["cpus_used"] = str(self._cpus)
        leaves: tuple[str, ...] | Unknown = Unknown("no probe here to execute CPUID")
        if self._probe:
            leaves = hypervisor_leaves(self.run(self._probe, timeout=30).stdout)
        facts = LayerFacts(
            layer=self.layer,
            depth=0,
            stack="this machine",
            acceleration="none",
            emulated=False,
            hypervisor_leaves=leaves,
            extra=extra,
            **known,
        )
        return cross_checked(facts)

    def close(self) -> None:
        """Nothing is left to let go of. Safe to call twice."""
        self._closed = True


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    # not communicate(): a grandchild in a session of its own may hold the pipes open
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


def _copy(src: Path, dst: Path) -> None:
    try:
        shutil.copyfile(src, dst)
    except OSError as error:
        kind = NotFound if isinstance(error, FileNotFoundError) else LabError
        raise kind(
            f"{src} cannot be copied to {dst}: {error.strerror or error}",
            remedy="check both paths",
        ) from error
