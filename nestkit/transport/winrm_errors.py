"""What pywinrm, requests and WS-Management raise, in words with a remedy."""

from __future__ import annotations

import importlib
from typing import Any, Final

from nestkit.addresses import Address
from nestkit.errors import (
    ConnectionFailed,
    CredentialsError,
    HostRefused,
    NestkitError,
    PermissionRefused,
    SessionExpired,
    TrustError,
)
from nestkit.transport.tls import unreachable
from nestkit.transport.winrm_answers import tidy

# MS-WSMV 2.2.9.3 and winerror.h
ACCESS_DENIED: Final = 5
_NO_SHELL: Final = frozenset({2150858843, 995})  # not found; the operation was aborted
_QUOTAS: Final = frozenset({2150859173, 2150859174, 2150859175, 8})
ENABLE: Final = (
    "on the host, in an administrator's PowerShell: Enable-PSRemoting; for HTTPS add a listener "
    "with a certificate (New-Item WSMan:\\localhost\\Listener -Transport HTTPS …), and open "
    "TCP 5986 (HTTPS) or 5985 (HTTP) in its firewall"
)


def is_timeout(error: BaseException) -> bool:
    """Whether the host answered that there is no output yet."""
    return type(error).__name__ == "WinRMOperationTimeoutError"


def is_fault(error: BaseException) -> bool:
    """Whether the host answered that it refuses the request."""
    return type(error).__name__ == "WSManFaultError"


def translate(error: BaseException, address: Address, doing: str) -> NestkitError:
    """A failed request as an error of nestkit. It keeps no reference to what was raised."""
    if isinstance(error, NestkitError):
        return error
    place = f"{address.host}:{address.port}"
    winrm = importlib.import_module("winrm.exceptions")
    requests = importlib.import_module("requests.exceptions")
    if isinstance(error, winrm.AuthenticationError):
        return CredentialsError(
            f"{place} refused the user {address.user!r} or the password",
            remedy="check both; a domain user is DOMAIN\\user or user@domain. An account that is "
            "disabled, locked or without remote rights is refused in the same way",
        )
    if isinstance(error, winrm.WSManFaultError):
        return _fault(error, place, doing)
    if isinstance(error, winrm.WinRMTransportError):
        if int(error.code) == 400:  # sealed for a connection that is gone
            return lost(place, doing)
        return no_wsman(place, int(error.code), str(error.response_text))
    if isinstance(error, winrm.WinRMError) and "kerberos" in str(error).lower():
        return ConnectionFailed(
            "Kerberos needs a package that is not installed here",
            remedy="install pywinrm with its extra: pip install 'pywinrm[kerberos]', or leave "
            "?auth=kerberos out: NTLM is used then",
        )
    if isinstance(error, requests.SSLError):
        return TrustError(
            f"the certificate of {place} changed between two connections; nothing was sent",
            remedy="somebody may stand between, or the certificate was renewed just now: check "
            "its fingerprint on the host's own console, then connect again",
        )
    if isinstance(error, requests.Timeout):
        return ConnectionFailed(
            f"{place} did not answer in time while {doing}",
            remedy="check that the host is up and not overloaded, then try again",
        )
    if isinstance(error, requests.RequestException | OSError):
        inner = error if isinstance(error, OSError) and error.errno else OSError(0, "")
        if inner.errno:
            return unreachable(address, inner)
        return lost(place, doing)
    return ConnectionFailed(
        f"{place} answered something that is not WS-Management while {doing} "
        f"({type(error).__name__})",
        remedy="check the port, and that no proxy stands between; then try again",
    )


def lost(place: str, doing: str) -> ConnectionFailed:
    """A connection that ended in the middle of a request."""
    return ConnectionFailed(
        f"the connection to {place} was lost while {doing}",
        remedy="check the network and the host, then connect again",
    )


def _fault(error: Any, place: str, doing: str) -> NestkitError:
    code = error.wsman_fault_code
    reason = tidy(str(error.reason or ""))
    if code in _NO_SHELL:
        return SessionExpired(
            f"the shell on {place} ended while {doing}", remedy="connect again, then go on"
        )
    if code == ACCESS_DENIED:
        return PermissionRefused(
            f"{place} knows the user, but lets it open no remote shell: {reason}",
            remedy="add it to the group Remote Management Users (and Hyper-V Administrators) of "
            "the host, or use an administrator",
        )
    if code in _QUOTAS:
        return HostRefused(
            f"{place}: a quota of WinRM is used up: {reason}",
            remedy="end other remote shells of this user, or raise the quota: "
            "`winrm get winrm/config/winrs` shows it",
        )
    return HostRefused(
        f"{place} refused the request while {doing}: {reason} (WS-Management fault {code})",
        remedy="look the number up in the host's Windows Remote Management event log",
    )


def no_wsman(place: str, status: int, text: str = "") -> ConnectionFailed:
    """An HTTP answer that is none of WS-Management's."""
    if status in (404, 405):
        what = "is a web server, but WinRM does not listen there"
    elif status == 503:
        what = "says that its WinRM service is not available"
    elif "encrypt" in text.lower():
        what = "accepts no unencrypted bodies"
    else:
        what = f"answered with HTTP status {status}"
    return ConnectionFailed(f"{place} {what}", remedy=f"check the port; {ENABLE}")
