"""Starting, joining and ending practice hosts in processes of their own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import filelock

from nestkit import errors
from nestkit.errors import PracticeError
from nestkit.practice.client import PracticeHost
from nestkit.practice.options import Options, check_kind, make
from nestkit.state import state_dir

READY_S: Final = 120.0
_CHILDREN: Final[list[subprocess.Popen[bytes]]] = []  # they live on; held so that they are reaped
_REMEDY: Final = "try again; if it stays so, restart the machine's Python environment"


def start(
    kind: str,
    *,
    profile: str = "default",
    vms: int = 0,
    faults: Mapping[str, Any] | str | None = None,
    inventory: str | Path | None = None,
    seed: int | None = None,
    session_s: float = 1800,
) -> PracticeHost:
    """Start a practice host of your own; it ends with the ``with`` block or with this process.

    Parameters
    ----------
    kind
        "esx", "vpx" or "hyperv".
    profile
        A profile of the inventory, such as "readonly", "old-api", "no-vt", "unreadable" (vSphere),
        "maintenance", "full-datastore" (ESXi), "no-hosts" (vCenter) or "amd-ws2019",
        "saved-state", "no-role" (Hyper-V).
    vms
        How many further VMs.
    faults
        What goes wrong, see :class:`nestkit.practice.faults.Faults`.
    inventory
        Another inventory than the one that comes with nestkit.
    seed
        Decides which VM has which fault, and which further VMs there are.
    session_s
        Sessions end after so many idle seconds.

    Raises
    ------
    PracticeError
        No such kind, profile or fault, or it did not start.
    DataFileError
        The inventory is malformed.
    """
    options = make(
        kind,
        {
            "profile": profile,
            "vms": vms,
            "faults": faults,
            "inventory": inventory,
            "seed": seed,
            "session_s": session_s,
        },
    )
    process = subprocess.Popen(
        _command(options.kind, "--private", options.to_json()),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
    )
    if process.stdout is None:
        raise PracticeError("the practice host has no output to read", remedy=_REMEDY)
    late = threading.Timer(READY_S, process.kill)  # ends the read below
    late.start()
    line = process.stdout.readline()
    late.cancel()
    try:
        return PracticeHost(_facts(line), process)
    except BaseException:
        process.kill()
        process.wait()
        raise


def _command(kind: str, *arguments: str) -> list[str]:
    # -P: a learner's folder may hold a json.py of its own
    return [sys.executable, "-P", "-m", "nestkit.practice", kind, *arguments]


def _environment() -> dict[str, str]:
    """The environment, without the password of a real host: a shared host lives for hours."""
    return {name: value for name, value in os.environ.items() if name != "NESTKIT_PASSWORD"}


def _facts(line: bytes) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads(line)
    except ValueError:
        raise PracticeError("the practice host did not start", remedy=_REMEDY) from None
    if "error" in facts:
        kind = getattr(errors, facts["error"], PracticeError)
        raise kind(facts["message"], remedy=facts["remedy"])
    return facts


def join(
    kind: str, options: Mapping[str, Any] | None = None, *, idle_s: float | None = None
) -> PracticeHost:
    """The user's shared practice host for these options; started if it does not run.

    It outlives this process and ends after two hours without a request.

    Raises
    ------
    PracticeError, DataFileError
        As :func:`start`.
    """
    wanted = make(kind, options or {})
    folder = state_dir("practice")
    state = folder / f"{wanted.key}.json"
    lock = filelock.FileLock(folder / f"{wanted.key}.lock")
    try:
        with lock.acquire(timeout=READY_S):
            return _running(state) or _start_shared(wanted, state, idle_s)
    except filelock.Timeout as error:
        raise PracticeError(
            "another process has been starting this practice host for two minutes",
            remedy="end that process, then try again",
        ) from error


def _running(state: Path) -> PracticeHost | None:
    """The host a state file tells of, if it answers; a stale file is removed."""
    try:
        host = PracticeHost(_told(state))
        # proves the token and the certificate: a process id alone may have been used again
        host.status()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, PracticeError):
        with contextlib.suppress(OSError):
            state.unlink(missing_ok=True)
        return None
    return host


def _told(state: Path) -> dict[str, Any]:
    """What a state file says. Raises ValueError if that cannot be."""
    try:
        facts = json.loads(state.read_text(encoding="utf-8"))
    except RecursionError:
        facts = None
    if not isinstance(facts, dict):
        raise ValueError(f"{state} tells of no host")
    return facts


def _start_shared(options: Options, state: Path, idle_s: float | None) -> PracticeHost:
    arguments = ["--shared", options.to_json(), "--state", str(state)]
    if idle_s is not None:
        arguments += ["--idle", str(idle_s)]
    flags: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    process = subprocess.Popen(
        _command(options.kind, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        cwd=state.parent,  # it outlives this process and must not hold its folder
        **flags,
    )
    _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None] + [process]
    deadline = time.monotonic() + READY_S
    try:
        while time.monotonic() < deadline:
            if state.exists():
                with contextlib.suppress(ValueError, OSError):
                    return PracticeHost(_told(state))
            if process.poll() is not None:
                output = process.stdout.read() if process.stdout else b""
                _facts(output)
                break
            time.sleep(0.02)
    finally:
        if process.stdout:
            process.stdout.close()
    process.kill()
    raise PracticeError("the practice host did not start", remedy=_REMEDY)


def _shared(kind: str | None) -> list[PracticeHost]:
    if kind is not None:
        check_kind(kind)
    files = sorted(state_dir("practice").glob("*.json"))
    hosts = [host for host in map(_running, files) if host is not None]
    return [host for host in hosts if kind in (None, host.kind)]


def status() -> list[dict[str, Any]]:
    """The user's shared practice hosts: kind, url, pid, idle seconds, faults."""
    return [
        {"kind": host.kind, "url": host.url, "pid": host.pid, **host.status()}
        for host in _shared(None)
    ]


def reset(kind: str | None = None) -> int:
    """Put shared practice hosts back to their first state; how many there were."""
    hosts = _shared(kind)
    for host in hosts:
        host.reset()
    return len(hosts)


def stop(kind: str | None = None) -> int:
    """End shared practice hosts; how many there were."""
    hosts = _shared(kind)
    for host in hosts:
        with contextlib.suppress(PracticeError):
            host.stop()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any(map(_answers, hosts)):
        time.sleep(0.02)
    return len(hosts)


def _answers(host: PracticeHost) -> bool:
    try:
        host.status()
    except (PracticeError, OSError, http.client.HTTPException):
        return False
    return True
