"""Who speaks, and the sealed bodies of NTLM (MS-WSMV 2.2.9.1, MS-NLMP).

NTLM is bound to the TCP connection: one :class:`Guard` a connection, used by one thread.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
import shutil
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import spnego
from spnego.exceptions import NegotiateOptions

from nestkit.state import state_dir

_PROTOCOL: Final = "application/HTTP-SPNEGO-session-encrypted"
ENCRYPTED_TYPE: Final = f'multipart/encrypted;protocol="{_PROTOCOL}";boundary="Encrypted Boundary"'
_BOUNDARY: Final = b"--Encrypted Boundary"
_OCTETS: Final = b"Content-Type: application/octet-stream\r\n"
_MAX_TOKEN: Final = 16_384
_CREDENTIALS: Final = "practice-hyperv-credentials"


class Sealing(Exception):
    """A sealed body cannot be opened: it is damaged, or sealed for another connection."""


@dataclass(frozen=True, slots=True)
class Account:
    """The one account of a practice host; ``host`` is the computer's name."""

    host: str
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Account(host={self.host!r}, user={self.user!r})"

    def fits(self, user: str, password: str) -> bool:
        """Whether name and password are right. The name may carry the host or a dot."""
        name = re.sub(rf"^({re.escape(self.host)}|\.)\\", "", user, flags=re.IGNORECASE)
        right = hmac.compare_digest(password.encode(), self.password.encode())
        return right and name.lower() == self.user.lower()


class CredentialFile:
    """The file through which pyspnego learns the account, for this process alone.

    It is plain text: it lies in a private folder, goes when the host ends, and what hosts that
    were killed left behind goes when the next one starts.
    """

    def __init__(self, account: Account) -> None:
        root = state_dir(_CREDENTIALS)
        _sweep(root)
        me = psutil.Process()
        self.folder = root / f"{me.pid}-{int(me.create_time())}"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        path = self.folder / "accounts"
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            # what pyspnego calls itself is the machine's own name: clients may send it back
            names = {account.host.upper(), socket.gethostname().upper()}
            for domain in ("", ".", *sorted(names)):
                file.write(f"{domain}:{account.user}:{account.password}\n")
        os.environ["NTLM_USER_FILE"] = str(path)

    def close(self) -> None:
        """Remove it. Safe to call twice."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _sweep(root: Path) -> None:
    for folder in root.iterdir():
        if not _is_alive(folder.name):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(name: str) -> bool:
    match = re.fullmatch(r"(\d+)-(\d+)", name)
    if not match:
        return False
    try:
        started = psutil.Process(int(match[1])).create_time()
    except psutil.Error:
        return False
    return abs(started - int(match[2])) < 3  # two readings of one start differ a little


class Guard:
    """What one connection has proved, and how its bodies are sealed."""

    def __init__(self, account: Account, *, is_tls: bool) -> None:
        self._account = account
        self._is_tls = is_tls
        self._context: Any = None
        self.user = ""  # set when NTLM has succeeded; holds for the connection

    def challenge(self, header: str, token: bytes | None) -> list[str]:
        """The values of WWW-Authenticate that answer an Authorization header."""
        if token is not None:  # in the scheme's own name: clients look for that
            scheme = header.strip().partition(" ")[0]
            return [f"{scheme} {base64.b64encode(token).decode('ascii')}"]
        offers = ["Negotiate", "NTLM"]
        return [*offers, 'Basic realm="WSMAN"'] if self._is_tls else offers

    def check(self, header: str) -> tuple[str, bytes | None]:
        """The user that an Authorization header proves, or "", and the token to send back.

        Without a header the connection's own user counts.
        """
        scheme, _, value = header.strip().partition(" ")
        if not scheme:
            return self.user, None
        if scheme.lower() == "basic":
            return (self._basic(value) if self._is_tls else ""), None
        if scheme.lower() not in ("negotiate", "ntlm"):
            return "", None
        return self._ntlm(value.strip())

    def _basic(self, value: str) -> str:
        try:
            text = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            return ""
        user, _, password = text.partition(":")
        return self._account.user if self._account.fits(user, password) else ""

    def _ntlm(self, value: str) -> tuple[str, bytes | None]:
        try:
            token = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return "", None
        if not token or len(token) > _MAX_TOKEN:
            return "", None
        if self._context is None or self._context.complete or _starts_anew(token):
            self.user = ""
            # use_ntlm: on Windows, never ask SSPI about the machine's own accounts
            protocol, options = "ntlm", NegotiateOptions.use_ntlm
            if not token.startswith(b"NTLMSSP\x00"):  # the same wrapped in SPNEGO
                protocol, options = "negotiate", options | NegotiateOptions.use_negotiate
            self._context = spnego.server(protocol=protocol, options=options)
        try:
            answer = self._context.step(token)
        except Exception:  # noqa: BLE001  (pyspnego answers hostile tokens with any exception)
            self._context = None
            return "", None
        if self._context.complete:
            self.user = self._account.user
            return self.user, answer  # SPNEGO has a last token for the client
        return "", answer

    # -- sealed bodies --------------------------------------------------------------------

    @property
    def can_seal(self) -> bool:
        """Whether this connection has keys."""
        return self._context is not None and bool(self._context.complete)

    def open(self, body: bytes) -> bytes:
        """The envelope in a sealed body.

        Raises
        ------
        Sealing
            It cannot be opened with this connection's keys.
        """
        start = body.find(_OCTETS)
        end = body.rfind(_BOUNDARY + b"--")
        length = re.search(rb"OriginalContent:[^\r\n]*Length=(\d{1,9})", body[: max(start, 0)])
        if start < 0 or end < start or not length:
            raise Sealing("the body is not multipart/encrypted")
        sealed = body[start + len(_OCTETS) : end]
        if len(sealed) < 4:
            raise Sealing("the sealed part is too short")
        (size,) = struct.unpack("<i", sealed[:4])
        if not 0 < size <= 256:
            raise Sealing("the signature has no possible length")
        try:
            plain: bytes = self._context.unwrap_winrm(sealed[4 : 4 + size], sealed[4 + size :])
        except Exception as error:
            raise Sealing("the sealed part was not sealed for this connection") from error
        if len(plain) != int(length[1]):
            raise Sealing("the length stated is not the length sealed")
        return plain

    def seal(self, plain: bytes) -> bytes:
        """Seal an envelope for this connection."""
        wrapped = self._context.wrap_winrm(plain)
        return b"".join(
            (
                _BOUNDARY + b"\r\n",
                f"\tContent-Type: {_PROTOCOL}\r\n".encode(),
                b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=",
                f"{len(plain) + wrapped.padding_length}\r\n".encode(),
                _BOUNDARY + b"\r\n\t" + _OCTETS,
                struct.pack("<i", len(wrapped.header)) + wrapped.header + wrapped.data,
                _BOUNDARY + b"--\r\n",
            )
        )


def _starts_anew(token: bytes) -> bool:
    return token.startswith((b"NTLMSSP\x00\x01", b"\x60"))  # 0x60: GSS-API's first token
