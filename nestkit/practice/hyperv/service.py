"""A practice Hyper-V host as a service: requests in, answers out, whoever asks being known."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from nestkit.practice.faults import Switchboard
from nestkit.practice.hyperv import inventory as inventories
from nestkit.practice.hyperv.envelope import MAX_BYTES
from nestkit.practice.hyperv.model import Computer
from nestkit.practice.hyperv.runs import Runs
from nestkit.practice.hyperv.security import (
    ENCRYPTED_TYPE,
    Account,
    CredentialFile,
    Guard,
    Sealing,
)
from nestkit.practice.hyperv.shells import Shells
from nestkit.practice.hyperv.world import World
from nestkit.practice.hyperv.wsman import Service
from nestkit.practice.options import Options
from nestkit.practice.service import DropConnection, Request, Response

PATH: Final = "/wsman"
SOAP_TYPE: Final = "application/soap+xml;charset=UTF-8"
IDLE_SHELL_S: Final = 180.0  # MS-WSMV's default
USER: Final = "Administrator"
_GUARD: Final = "guard"


class HypervService:
    """Answers ``/wsman``. Thread-safe; NTLM belongs to the connection."""

    kind = "hyperv"
    plain_http = True

    def __init__(self, options: Options, password: str, faults: Switchboard) -> None:
        path = Path(options.inventory) if options.inventory else inventories.default_path()

        def build() -> Computer:
            self.inventory = inventories.load(
                path, profile=options.profile, vms=options.vms, seed=options.seed
            )
            return self.inventory.host

        self.faults = faults
        self.user = USER
        self.world = World(build, faults)
        self.world.is_administrator = self.inventory.is_administrator
        self.account = Account(self.world.host.name, USER, password)
        self._runs = Runs(self.world, self.account, self._end_shells)
        idle = min(IDLE_SHELL_S, options.session_s)
        self.shells = Shells(self._runs.launch, idle_s=idle)
        os_version = f"10.0.{self.world.host.build}"
        self._wsman = Service(self.shells, self.world.host.name, os_version)
        self._credentials = CredentialFile(self.account)

    def reset(self) -> None:
        """The inventory's first state; shells end."""
        self.shells.close_all()
        self.world.reset()

    def close(self) -> None:
        """End the shells and remove the credential file."""
        self.shells.close_all()
        self._credentials.close()

    def _end_shells(self) -> None:
        self.shells.close_all()

    def answer(self, request: Request) -> Response:
        """Answer an HTTP request."""
        if request.path.partition("?")[0].rstrip("/").lower() != PATH:
            return Response(404, b"not found\n", "text/plain")
        if request.method != "POST":
            return Response(405, b"WS-Management is spoken with POST\n", "text/plain")
        guard = request.connection.get(_GUARD)
        if guard is None:
            guard = request.connection[_GUARD] = Guard(self.account, is_tls=request.is_tls)
        header = request.header("Authorization")
        user, token = guard.check(header)
        if not user:
            return Response(401, b"", "text/plain", _challenge(guard, header, token))
        answer = Response(200, b"", SOAP_TYPE)
        if request.body:
            answer = self._speak(request, guard, user)
        if token is None:
            return answer
        last = _challenge(guard, header, token)
        return replace(answer, headers=(*answer.headers, *last))

    def _speak(self, request: Request, guard: Guard, user: str) -> Response:
        sealed = request.header("Content-Type").lower().startswith("multipart/encrypted")
        if sealed and not guard.can_seal:
            return Response(401, b"", "text/plain", _challenge(guard, "", None))
        if not sealed and not request.is_tls:
            text = b"unencrypted bodies are refused over HTTP: use message encryption or HTTPS\n"
            return Response(500, text, "text/plain")
        try:
            body = guard.open(request.body) if sealed else request.body
        except Sealing as error:
            request.connection.clear()  # the keys' state is lost: a new handshake is needed
            return Response(400, f"{error}\n".encode(), "text/plain")
        if len(body) > MAX_BYTES:
            return Response(413, b"the envelope is too large\n", "text/plain")
        status, answer = self._handle(body, user)
        if sealed:
            return Response(status, guard.seal(answer), ENCRYPTED_TYPE)
        return Response(status, answer, SOAP_TYPE)

    def _handle(self, body: bytes, user: str) -> tuple[int, bytes]:
        if self.faults.now.slow_answer:
            time.sleep(self.faults.now.slow_answer)
        if self.faults.due("expire_after"):
            self.shells.close_all()
        if self.faults.due("drop_after"):
            raise DropConnection
        answer = self._wsman.handle(body, f"{self.account.host}\\{user}")
        if self.faults.due("drop_answer"):
            raise DropConnection
        return answer


def _challenge(guard: Guard, header: str, token: bytes | None) -> tuple[tuple[str, str], ...]:
    return tuple(("WWW-Authenticate", value) for value in guard.challenge(header, token))
