"""Addresses of hosts, in libvirt's URI schemes.

``esx://root@esxi01.lab``, ``vpx://user@vcenter``, ``hyperv://Administrator@hv01.lab``,
``local://``, and ``practice://esx`` for a practice host. Options: ``?pin=sha256:…`` trusts
exactly that certificate, ``?insecure=1`` skips verification (and warns). Hyper-V only:
``?http=1`` (WinRM over HTTP, sealed by NTLM), ``?auth=ntlm|kerberos|basic``, ``?unencrypted=1``
(Basic over HTTP), ``?deadline=600`` (seconds to read the host in).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from nestkit.errors import AddressError

HOST_SCHEMES: Final = ("esx", "vpx", "hyperv")
PRACTICE_KINDS: Final = ("esx", "vpx", "hyperv")
DEFAULT_PORTS: Final = {"esx": 443, "vpx": 443, "hyperv": 5986}
_EXAMPLES: Final = "esx://root@esxi01.lab, practice://esx or local://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A parsed address. ``scheme`` is "esx", "vpx", "hyperv", "local" or "practice"."""

    scheme: str
    host: str = ""
    port: int = 0
    user: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        user = quote(self.user, safe="@\\") + "@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port not in (0, DEFAULT_PORTS.get(self.scheme)) else ""
        query = "&".join(f"{k}={quote(v, safe=':')}" for k, v in self.options.items())
        return f"{self.scheme}://{user}{host}{port}" + (f"?{query}" if query else "")


def _shown(url: str) -> str:
    """The address as it may be repeated in a message: without what might be a password."""
    scheme, separator, rest = url.partition("://")
    if not separator or "@" in scheme:
        scheme, separator, rest = "", "", url
    _, at, host = rest.rpartition("@")
    bracket = host.find("]") + 1  # colons inside brackets belong to an IPv6 address
    name, colon, tail = host[bracket:].partition(":")
    if colon and not re.match(r"\d+(?:[/?]|$)", tail):
        tail = "…"  # no port: perhaps a password written before its @
    return f"{scheme}{separator}{'…@' if at else ''}{host[:bracket]}{name}{colon}{tail}"


def parse(url: str) -> Address:
    """Read an address.

    Raises
    ------
    AddressError
        If it is no address, holds a password, or names layers instead of a host. The message
        never repeats the part that may be a password.
    """
    scheme, separator, rest = url.strip().partition("://")
    scheme = scheme.lower()
    if not separator:
        raise AddressError(
            f"{_shown(url)!r} is not an address: it has no scheme",
            remedy=f"write it like {_EXAMPLES}",
        )
    if scheme == "lab":
        raise AddressError(
            "lab:// names layers of this machine, not a host",
            remedy="use `with nk.lab.up(depth=2) as lab:`, or `nestkit benchmark lab:// --depth 2`",
        )
    known = (*HOST_SCHEMES, "practice", "local")
    if scheme not in known:
        raise AddressError(
            f"{scheme}:// is not a scheme nestkit knows",
            remedy=f"use one of {', '.join(k + '://' for k in known)}",
        )
    # split by hand at the last @: user names hold @, : and \
    authority, _, query = rest.partition("?")
    authority = authority.rstrip("/")
    user, _, hostport = authority.rpartition("@")
    if ":" in user:
        raise AddressError(
            "a password does not belong in an address",
            remedy="leave it out: pass password=…, set NESTKIT_PASSWORD, keep it in the keyring, "
            "or wait to be asked",
        )
    try:
        split = urlsplit(f"//{hostport}")
        host, port = split.hostname or "", split.port
        if port == 0:
            raise ValueError("there is no port 0")
    except ValueError:
        raise AddressError(
            f"{_shown(url)!r} has no readable host and port: a port is a number from 1 to 65535, "
            "an IPv6 address stands in brackets",
            remedy=f"write it like {_EXAMPLES}",
        ) from None
    if split.path:
        raise AddressError(
            f"{_shown(url)!r} has a path, {split.path!r}; an address names a host only",
            remedy=f"write it like {_EXAMPLES}",
        )
    pairs = parse_qsl(query, keep_blank_values=True)
    for name, _value in pairs:
        if name.lower() in {"password", "pwd", "passwd"}:
            raise AddressError(
                "a password does not belong in an address",
                remedy="pass password=…, or set NESTKIT_PASSWORD",
            )
    if scheme in HOST_SCHEMES and not host:
        raise AddressError(
            f"{scheme}:// names no host", remedy=f"write it like {scheme}://user@host.example"
        )
    if scheme == "practice" and host not in PRACTICE_KINDS:
        raise AddressError(
            f"there is no practice host {host!r}",
            remedy="use one of " + ", ".join(f"practice://{k}" for k in PRACTICE_KINDS),
        )
    return Address(
        scheme=scheme,
        host=host,
        port=DEFAULT_PORTS.get(scheme, 0) if port is None else port,
        user=unquote(user),
        options=dict(pairs),
    )
