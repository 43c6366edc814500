"""The process a practice host runs in."""

from __future__ import annotations

import importlib
import json
import os
import secrets
import stat
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from nestkit.practice.faults import Switchboard
from nestkit.practice.options import KINDS, Options

IDLE_END_S: Final = 2 * 60 * 60.0
LOOPBACK: Final = "127.0.0.1"


class Running:
    """A practice host that listens in this process."""

    def __init__(self, options: Options) -> None:
        from nestkit.practice.certificates import server_context
        from nestkit.practice.http import PracticeServer

        module, _, name = KINDS[options.kind].partition(":")
        self.ended = threading.Event()
        self._password = secrets.token_urlsafe(15)
        self._token = secrets.token_urlsafe(32)
        service = getattr(importlib.import_module(module), name)(
            options, self._password, Switchboard(options.faults)
        )
        context, self.fingerprint = server_context()
        self.server = PracticeServer(service, context, self._token, self.ended.set)
        self.kind, self.user = options.kind, service.user

    def describe(self) -> dict[str, Any]:
        """What a client needs, the password and the control token included."""
        return {
            "url": f"{self.kind}://{self.user}@{LOOPBACK}:{self.server.https_port}"
            f"?pin={self.fingerprint}",
            "host": LOOPBACK,
            "port": self.server.port,
            "https_port": self.server.https_port,
            "user": self.user,
            "password": self._password,
            "fingerprint": self.fingerprint,
            "kind": self.kind,
            "pid": os.getpid(),
            "token": self._token,
        }

    def wait(self) -> None:
        """Return when the host was told to end."""
        while not self.ended.wait(timeout=3600):
            pass

    def wait_while(self, wanted: Callable[[], bool], idle_end_s: float) -> None:
        """Return when the host was told to end, was idle for so long, or is no longer wanted."""
        while not self.ended.wait(timeout=min(2.0, idle_end_s / 2)):
            if time.monotonic() - self.server.last_used > idle_end_s or not wanted():
                return

    def close(self) -> None:
        """Stop listening."""
        self.server.close()


def watch_stdin(ended: Callable[[], None]) -> bool:
    """Call ``ended`` when standard input closes, if it is something that a parent holds open.

    A null device or a file is at its end from the start and says nothing about the parent.
    """
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or sys.stdin.isatty()):
        return False

    def read() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        ended()

    threading.Thread(target=read, name="practice-stdin", daemon=True).start()
    return True


def serve_foreground(options: Options, *, json_output: bool = False) -> None:
    """Run a practice host here until standard input closes or Ctrl-C.

    With ``json_output`` one line of JSON is printed: url, host, port, user, password,
    fingerprint, kind, pid.

    Raises
    ------
    DataFileError, PracticeError
        The inventory is malformed, or the options do not fit.
    """
    running = Running(options)
    try:
        facts = running.describe()
        del facts["token"]
        watch_stdin(running.ended.set)
        if json_output:
            text = json.dumps(facts)
        else:
            text = (
                f"practice host ({facts['kind']}), a model and not a real one\n"
                f"  address   {facts['url']}\n  password  {facts['password']}\n"
                "ends when standard input closes, or with Ctrl-C"
            )
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        running.wait()
    except KeyboardInterrupt:
        pass
    finally:
        running.close()
