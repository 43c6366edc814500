"""Whom to trust: verified by default, one pinned certificate, or nobody's word.

Nothing but the TLS handshake is sent before the peer's certificate has been judged.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import ssl
import warnings
from dataclasses import dataclass
from http.client import HTTPSConnection
from typing import Any, Final

from nestkit.addresses import Address
from nestkit.errors import AddressError, ConnectionFailed, TrustError

CONNECT_TIMEOUT_S: Final = 10.0
_NO_CHECK_TIME: Final = 0x200000  # X509_V_FLAG_NO_CHECK_TIME: a pin names one certificate for good
_LISTENS: Final = {
    "esx": "the vSphere API listens on 443",
    "vpx": "the vSphere API listens on 443",
    "hyperv": "WinRM listens on 5986 for HTTPS",
}
_EXPIRED, _NOT_YET = 10, 9  # X509_V_ERR_… of OpenSSL's x509_vfy.h
_WRONG_NAMES: Final = frozenset({62, 63, 64})  # host name, e-mail, address


class InsecureConnectionWarning(UserWarning):
    """The peer's certificate is not verified at all."""


@dataclass(frozen=True)
class Trust:
    """A context to connect with, and the one certificate it is for (pinned addresses only)."""

    context: ssl.SSLContext
    pin: bytes = b""

    def accepts(self, sock: Any) -> bool:
        """Whether the connected TLS socket's peer is the pinned one, or none is pinned."""
        return not self.pin or _same(self.pin, sock.getpeercert(True) or b"")


class TrustedConnection(HTTPSConnection):
    """An HTTPS connection that sends nothing before the peer was checked against the pin."""

    def __init__(self, *args: Any, trust: Trust, **options: Any) -> None:
        super().__init__(*args, context=trust.context, **options)
        self._trust = trust

    def connect(self) -> None:
        """Connect, shake hands, compare."""
        try:
            super().connect()
            if self._trust.accepts(self.sock):
                return
        except ssl.SSLCertVerificationError:
            pass  # said below, for both ways of finding out
        self.close()
        raise TrustError(
            f"the certificate of {self.host}:{self.port} changed between two connections; "
            "nothing was sent on this one",
            remedy="somebody may stand between, or the certificate was renewed just now: "
            "check its fingerprint on the host's own console, then connect again",
        )


def parse_pin(text: str) -> bytes:
    """The SHA-256 in ``sha256:…``: 64 hexadecimal digits, colons and case as you like."""
    kind, _, digits = text.partition(":")
    digits = digits.replace(":", "").strip().lower()
    if kind.strip().lower() != "sha256" or not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise AddressError(
            f"the pin {text!r} is not a SHA-256 fingerprint",
            remedy="write ?pin=sha256: and its 64 hexadecimal digits; on ESXi: "
            "`openssl x509 -in /etc/vmware/ssl/rui.crt -noout -fingerprint -sha256`",
        )
    return bytes.fromhex(digits)


def switch(name: str, text: str) -> bool:
    """Whether an option is on; a word that is no plain yes or no is not guessed at."""
    try:
        return {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}[
            text.lower()
        ]
    except KeyError:
        raise AddressError(
            f"the option {name} cannot be {text!r}",
            remedy=f"write ?{name}=1, or leave it out"
            + ("; better is ?pin=sha256:…" if name == "insecure" else ""),
        ) from None


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a DER certificate as a pin is written."""
    return "sha256:" + hashlib.sha256(certificate).hexdigest()


def establish(address: Address, *, timeout: float = CONNECT_TIMEOUT_S) -> Trust:
    """Connect once, judge the certificate, and return what to connect with from now on.

    Raises
    ------
    TrustError
        The certificate is untrusted, expired, for another name, or not the pinned one.
    ConnectionFailed
        Unknown host, closed port, no answer, or no TLS.
    """
    pin = address.options.get("pin", "")
    insecure = switch("insecure", address.options.get("insecure", "0"))
    if pin:
        wanted = parse_pin(pin)
        certificate = _certificate(address, timeout)
        if not _same(wanted, certificate):
            raise TrustError(
                f"{address.host}:{address.port} shows another certificate than the pinned one: "
                f"{fingerprint(certificate)}",
                remedy="nothing was sent. Read the fingerprint on the host's own console; if it "
                "is this one, the certificate was renewed: put it in the address; if it is not, "
                "somebody stands between",
            )
        return Trust(_only(certificate), wanted)
    if insecure:
        warnings.warn(
            f"the certificate of {address.host} is not verified: whoever stands between reads "
            "the password. Use ?pin=sha256:… instead",
            InsecureConnectionWarning,
            stacklevel=4,
        )
        context = _unverified()
    else:
        context = ssl.create_default_context()
    trust = Trust(context)
    _certificate(address, timeout, context)
    return trust


def _same(pin: bytes, certificate: bytes) -> bool:
    return hmac.compare_digest(pin, hashlib.sha256(certificate).digest())


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _only(certificate: bytes) -> ssl.SSLContext:
    """A context that trusts this very certificate: self-signed or not, whatever its dates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
    context.load_verify_locations(cadata=certificate)
    return context


def _certificate(address: Address, timeout: float, context: ssl.SSLContext | None = None) -> bytes:
    """The peer's certificate (DER), after a handshake and nothing more."""
    place = f"{address.host}:{address.port}"
    try:
        with (
            socket.create_connection((address.host, address.port), timeout) as plain,
            (context or _unverified()).wrap_socket(plain, server_hostname=address.host) as secure,
        ):
            return secure.getpeercert(True) or b""
    except ssl.SSLCertVerificationError as error:
        raise _distrusted(address, error, timeout) from None
    except ssl.SSLError as error:
        raise ConnectionFailed(
            f"{place} does not speak TLS as expected ({error.reason or 'handshake failed'})",
            remedy=f"check the port: {_LISTENS[address.scheme]}",
        ) from None
    except OSError as error:
        raise unreachable(address, error) from None
    except UnicodeError:
        raise ConnectionFailed(
            f"{address.host!r} is not a host name", remedy="check its spelling"
        ) from None


def unreachable(address: Address, error: OSError) -> ConnectionFailed:
    """What a socket's error means for the person at the keyboard."""
    place = f"{address.host}:{address.port}"
    if isinstance(error, socket.gaierror):
        return ConnectionFailed(
            f"there is no host {address.host!r} ({error.strerror})",
            remedy="check its spelling and your name server, or use its IP address",
        )
    if isinstance(error, ConnectionRefusedError):
        return ConnectionFailed(
            f"{place} is closed: the host is there, but nothing listens on that port",
            remedy="check the port, and that the host's management services run",
        )
    if isinstance(error, TimeoutError):
        return ConnectionFailed(
            f"{place} does not answer in time",
            remedy="check that the host is up and that no firewall stands between",
        )
    return ConnectionFailed(
        f"{place} cannot be reached, or hung up ({error.strerror or type(error).__name__})",
        remedy="check that the host is up and that this machine can reach it",
    )


def _distrusted(
    address: Address, error: ssl.SSLCertVerificationError, timeout: float
) -> TrustError:
    code = error.verify_code
    if code in (_EXPIRED, _NOT_YET):
        what = "has expired" if code == _EXPIRED else "is not valid yet (or this clock is wrong)"
    elif code in _WRONG_NAMES:
        what = f"is for another name than {address.host!r}"
    else:
        what = f"is not trusted by this machine ({error.verify_message})"
    shown = fingerprint(_certificate(address, timeout))
    pinned = Address(
        scheme=address.scheme,
        host=address.host,
        port=address.port,
        user=address.user,
        options={"pin": shown},
    )
    return TrustError(
        f"the certificate of {address.host}:{address.port} {what}; nothing was sent",
        remedy=f"its fingerprint is {shown}. Compare it with the one on the host's own console; "
        f"if they are the same, use {pinned}",
    )
