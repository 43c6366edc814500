"""The control channel of a practice host, from the side that started or joined it."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import ssl
import subprocess
from collections.abc import Mapping
from typing import Any, Final

from nestkit.errors import PracticeError

_FIELDS: Final[dict[str, type]] = {
    **dict.fromkeys(("url", "host", "user", "password", "fingerprint", "kind", "token"), str),
    **dict.fromkeys(("port", "pid"), int),
}
CONTROL_PATH: Final = "/nestkit/control"


class PracticeHost:
    """A running practice host.

    Attributes
    ----------
    url
        Its address for ``nk.connect``; holds no password.
    host, port, user, password
        How to log in. For Hyper-V ``port`` is NTLM over HTTP, ``https_port`` TLS.
    fingerprint
        ``sha256:…`` of its certificate.
    kind, pid
        What it is, and the process it runs in.
    """

    def __init__(
        self, facts: Mapping[str, Any], process: subprocess.Popen[bytes] | None = None
    ) -> None:
        wrong = [name for name, kind in _FIELDS.items() if type(facts.get(name)) is not kind]
        if wrong or facts["host"] != "127.0.0.1" or not 0 < facts["port"] < 65_536:
            raise PracticeError(
                "what is told of the practice host is wrong: " + ", ".join(wrong or ["its place"]),
                remedy="stop it with `nestkit practice stop` and start it again",
            )
        self.url: str = facts["url"]
        self.host: str = facts["host"]
        self.port: int = facts["port"]
        self.https_port: int = facts.get("https_port", self.port)
        self.user: str = facts["user"]
        self.password: str = facts["password"]
        self.fingerprint: str = facts["fingerprint"]
        self.kind: str = facts["kind"]
        self.pid: int = facts["pid"]
        self._token: str = facts["token"]
        self._process = process

    def __repr__(self) -> str:
        return f"<PracticeHost {self.url}>"

    def __enter__(self) -> PracticeHost:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reset(self) -> None:
        """Back to the inventory's first state; the address and the password stay."""
        self._ask({"command": "reset"})

    def set_faults(self, faults: Mapping[str, Any] | str | None = None, **more: Any) -> None:
        """Put these faults in force and no others; nothing given: none.

        Raises
        ------
        PracticeError
            There is no such fault.
        """
        if isinstance(faults, str):
            from nestkit.practice.faults import parse

            faults = parse(faults).to_json()
        self._ask({"command": "faults", "faults": {**(faults or {}), **more}})

    def status(self) -> dict[str, Any]:
        """Kind, idle seconds and faults in force."""
        return self._ask({"command": "status"})

    def close(self) -> None:
        """End the host if this process started it for itself. Safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin:
            with contextlib.suppress(OSError):
                process.stdin.close()
        try:
            process.wait(timeout=30)  # it tidies up first
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    def stop(self) -> None:
        """End the host, also a shared one."""
        self._ask({"command": "stop"})
        self.close()

    def _ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return ask(self.host, self.https_port, self.fingerprint, self._token, command)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise PracticeError(
                f"the practice host at {self.host}:{self.https_port} does not answer",
                remedy="start it again",
            ) from error


def ask(
    host: str, port: int, fingerprint: str, token: str, command: Mapping[str, Any]
) -> dict[str, Any]:
    """Send a control command to the host that has this certificate, and to no other.

    Raises
    ------
    PracticeError
        The host refused the command.
    OSError, http.client.HTTPException, ValueError
        Nothing answers there, or something else does.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the certificate itself is compared below
    connection = http.client.HTTPSConnection(host, port, timeout=60, context=context)
    try:
        connection.connect()
        der = connection.sock.getpeercert(binary_form=True) or b""
        found = "sha256:" + hashlib.sha256(der).hexdigest()
        if not hmac.compare_digest(found, fingerprint):
            raise ConnectionError("another server listens there")
        connection.request(
            "POST", CONTROL_PATH, json.dumps(command), {"Authorization": f"Bearer {token}"}
        )
        answer = connection.getresponse()
        data: dict[str, Any] = json.loads(answer.read())
        if answer.status == 401:
            raise ConnectionError("another practice host listens there")
        if answer.status != 200:
            raise PracticeError(data.get("error", "refused"), remedy=data.get("remedy", ""))
        return data
    finally:
        connection.close()
