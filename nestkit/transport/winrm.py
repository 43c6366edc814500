"""Static PowerShell scripts on a Windows host, over WinRM: parameters in, one document out.

pywinrm speaks the protocol; whom to trust, how long to wait, what is cleaned up and what counts
as success are decided here and in the modules beside it. The interface is the few methods of
:class:`WinRm`, so that another library could stand behind it.

A script begins with ``param($given)`` and returns one value, best a hashtable; what it
throws becomes an error here. ``_run.ps1`` wraps it: strict preferences, UTF-8, the document.
"""

from __future__ import annotations

import functools
import json
import secrets
import threading
import time
import warnings
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final, Self

from nestkit.addresses import Address
from nestkit.credentials import Secret
from nestkit.errors import (
    ConnectionFailed,
    CredentialsError,
    DeadlineExceeded,
    NestkitError,
    SessionExpired,
)
from nestkit.resources import powershell_script
from nestkit.transport.tls import Trust
from nestkit.transport.winrm_access import Access, read_address, verify
from nestkit.transport.winrm_answers import read_answer
from nestkit.transport.winrm_shell import RemoteShell

Json = Any  # str, int, float, bool, None, list or dict: what json.dumps takes

_COMMAND: Final = "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass"
_LAUNCHER: Final = "_run"  # the script that runs the others


class SessionRenewedWarning(UserWarning):
    """The remote shell had ended, or its connection, and another one was opened."""


class WinRm:
    """A logged-in session with one kept shell. Safe to use from many threads, one at a time."""

    def __init__(self, access: Access, trust: Trust | None, secret: Secret) -> None:
        self._access = access
        self._shell = RemoteShell(access, trust, secret)
        self._lock = threading.Lock()
        self._closed = False

    @classmethod
    def connect(cls, address: Address, find_secret: Callable[[], Secret]) -> Self:
        """Log in and open the shell; ``find_secret`` is asked once the peer is verified.

        Raises
        ------
        AddressError
            The address asks for something unknown, or for Basic over plain HTTP.
        TrustError, ConnectionFailed, CredentialsError, PermissionRefused
            The host is not the one expected, not WinRM, or refuses the user.
        """
        access = read_address(address)
        trust = verify(access)
        secret = find_secret()
        if not (access.address.user + secret.reveal()).isprintable():
            raise CredentialsError(
                f"the user or the password for {access.place} holds a character that cannot be "
                "sent",
                remedy="look for control characters in it that were copied along",
            )
        made = cls(access, trust, secret)
        made._shell.open("logging in")
        return made

    @property
    def address(self) -> Address:
        """Where this session goes."""
        return self._access.address

    @property
    def read_s(self) -> float:
        """Seconds that reading the whole host may take, as the address says."""
        return self._access.deadline_s

    def __repr__(self) -> str:
        return f"<WinRm {self.address}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(
        self,
        script: str,
        parameters: Json = None,
        *,
        deadline_s: float,
        repeatable: bool = False,
        on_start: Callable[[str], None] | None = None,
    ) -> Json:
        """Run a static script of nestkit and return the data of its document.

        Parameters
        ----------
        script
            Its name, such as ``read``: a file of ``nestkit/hosts/powershell`` without ``.ps1``.
        parameters
            What its ``param($given)`` gets; travels as JSON by standard input. A
            :class:`~nestkit.credentials.Secret` in it is revealed on its way out, and nowhere else.
        deadline_s
            Seconds after which it is stopped on the host.
        repeatable
            Only reads: it may be run once more where the connection drops in the middle.
        on_start
            Called with the id of the host's command once that has all it needs to begin.

        Raises
        ------
        DeadlineExceeded
            It did not end in time, and was stopped.
        ScriptRefused, PermissionRefused, NotFound
            It ended with an error.
        ConnectionFailed
            The connection was lost, or what came back cannot be used.
        SessionExpired
            The shell ended, and another one could not be had.
        """
        token = secrets.token_hex(8)
        begin, end = f"nestkit-begin-{token}", f"nestkit-end-{token}"
        payload = functools.partial(_payload, script, parameters, begin, end)
        out, err, code = self._run(script, payload, deadline_s, repeatable, on_start)
        data, failure = read_answer(script, out, err, code, begin, end)
        if failure is not None:
            raise failure
        return data

    def close(self) -> None:
        """End the shell and the connection. Safe to call twice; never raises."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._shell.close()

    def _run(
        self,
        name: str,
        payload: Callable[[], bytes],
        deadline_s: float,
        repeatable: bool,
        on_start: Callable[[str], None] | None,
    ) -> tuple[bytes, bytes, int]:
        """Run a script, and once more where that is safe: nothing of it can have been done."""
        launcher = b64encode(powershell_script(_LAUNCHER).encode("utf-16-le")).decode("ascii")
        deadline = time.monotonic() + deadline_s
        with self._lock:
            for is_last in (False, True):
                if self._closed:
                    raise ConnectionFailed(
                        f"the connection to {self._access.place} was closed",
                        remedy="connect again",
                    )
                act = functools.partial(
                    self._shell.execute,
                    name,
                    f"{_COMMAND} -EncodedCommand {launcher}",
                    payload,
                    deadline,
                    deadline_s,
                    on_start,
                )
                outcome = self._shell.attempt(act, f"{name} was running")
                if not isinstance(outcome, NestkitError):
                    return outcome
                if isinstance(outcome, DeadlineExceeded):
                    raise outcome
                self._shell.abandon()
                is_uncertain = self._shell.is_input_complete and not repeatable
                if is_uncertain or is_last:
                    raise _uncertain(outcome) if is_uncertain else outcome
                self._renew(outcome, name)
        raise AssertionError("unreachable")

    def _renew(self, failure: NestkitError, name: str) -> None:
        """Another connection and shell after a failure; says so."""
        try:
            self._shell.open(f"opening another shell for {name}")
        except NestkitError as error:
            reason = error
        else:
            warnings.warn(
                f"{failure.message}; another shell was opened, and {name} runs anew",
                SessionRenewedWarning,
                stacklevel=4,
            )
            return
        raise SessionExpired(
            f"{failure.message}; another shell cannot be had: {reason.message}",
            remedy=reason.remedy,
        )


def _payload(script: str, parameters: Json, begin: str, end: str) -> bytes:
    document = {
        "script": powershell_script(script),
        "parameters": parameters,
        "begin": begin,
        "end": end,
    }
    return json.dumps(document, default=_reveal).encode("ascii")


def _reveal(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _uncertain(failure: NestkitError) -> NestkitError:
    if not isinstance(failure, ConnectionFailed):
        return failure
    return type(failure)(
        f"{failure.message}; what it was to do may have been done or not",
        remedy="connect again and look; `nestkit resume URL JOURNAL` does that and goes on",
    )
