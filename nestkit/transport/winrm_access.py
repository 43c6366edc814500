"""How a Hyper-V address is spoken to: HTTPS or HTTP, which authentication, whom to trust.

HTTPS is verified. Over HTTP (``?http=1``, or port 5985) bodies are sealed by NTLM or Kerberos;
Basic would send the password readable, and has to be allowed by ``?unencrypted=1``. Kerberos
(``?auth=kerberos``) is handed to pywinrm and was never tried: there was no domain to try it in.
"""

from __future__ import annotations

import http.client
import importlib
from dataclasses import dataclass, replace
from typing import Any, Final

from nestkit.addresses import DEFAULT_PORTS, Address
from nestkit.credentials import Secret
from nestkit.errors import AddressError, ConnectionFailed, CredentialsError
from nestkit.transport.tls import (
    CONNECT_TIMEOUT_S,
    Trust,
    TrustedConnection,
    establish,
    switch,
    unreachable,
)
from nestkit.transport.winrm_errors import ENABLE, no_wsman

HTTP_PORT: Final = 5985
OPTIONS: Final = frozenset({"pin", "insecure", "http", "auth", "unencrypted", "deadline"})
READ_S: Final = 180  # a host with hundreds of VMs takes a minute; ?deadline=… allows more
PATH: Final = "/wsman"
_METHODS: Final = {"ntlm": "NTLM", "kerberos": "Kerberos", "basic": "Basic"}
_OFFERS: Final = {"ntlm": ("negotiate", "ntlm"), "kerberos": ("negotiate", "kerberos")}


@dataclass(frozen=True, slots=True)
class Access:
    """An address, read: where to, over what, and how to log in."""

    address: Address  # with the port that is meant
    is_tls: bool
    method: str  # "ntlm", "kerberos" or "basic"
    deadline_s: float = READ_S  # for reading the whole host

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return f"{self.address.host}:{self.address.port}"

    @property
    def endpoint(self) -> str:
        """The URL of the WS-Management service."""
        host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.address.port}{PATH}"


def read_address(address: Address) -> Access:
    """What an address asks for.

    Raises
    ------
    AddressError
        An option is unknown or contradicts another, or Basic over HTTP is not allowed.
    """
    options = address.options
    unknown = sorted(set(options) - OPTIONS)
    if unknown:
        raise AddressError(
            f"hyperv:// has no option {unknown[0]!r}",
            remedy="use some of ?pin=sha256:…, ?insecure=1, ?http=1, ?auth=ntlm|kerberos|basic, "
            "?deadline=SECONDS",
        )
    plain = switch("http", options["http"]) if "http" in options else address.port == HTTP_PORT
    method = options.get("auth", "ntlm").lower()
    if method not in _METHODS:
        raise AddressError(
            f"the option auth cannot be {method!r}", remedy="use auth=ntlm, kerberos or basic"
        )
    if plain and {"pin", "insecure"} & set(options):
        raise AddressError(
            "?pin and ?insecure are about a certificate, and there is none over plain HTTP",
            remedy="leave ?http=1 (or port 5985) out to use HTTPS, or leave the other option out",
        )
    allowed = switch("unencrypted", options.get("unencrypted", "0"))
    if plain and method == "basic" and not allowed:
        raise AddressError(
            "Basic over plain HTTP shows the password to whoever listens: refused",
            remedy="leave auth=basic out (NTLM seals what it sends), or use HTTPS; where nobody "
            "can listen, ?unencrypted=1 allows it",
        )
    if plain and address.port == DEFAULT_PORTS["hyperv"]:
        address = replace(address, port=HTTP_PORT)
    return Access(address, not plain, method, _seconds(options.get("deadline", str(READ_S))))


def _seconds(text: str) -> float:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 86_400):
        raise AddressError(
            f"the option deadline cannot be {text!r}", remedy="give whole seconds, 1 to 86400"
        )
    return float(text)


def verify(access: Access) -> Trust | None:
    """Find out whether WS-Management answers there, before anything is sent to it.

    Raises
    ------
    TrustError
        The certificate is not the one expected.
    ConnectionFailed
        Nobody listens, or not WS-Management, or HTTP where HTTPS is, or the reverse.
    CredentialsError
        The host does not offer the kind of authentication.
    """
    trust = _trust(access) if access.is_tls else None
    host, port = access.address.host, access.address.port
    connection = (
        TrustedConnection(host, port, trust=trust, timeout=CONNECT_TIMEOUT_S)
        if trust
        else http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT_S)
    )
    try:
        connection.request("POST", PATH, headers={"Content-Length": "0"})
        answer = connection.getresponse()
        answer.read(4096)
    except (http.client.HTTPException, ConnectionResetError) as error:
        raise _not_plain(access, error) from None
    except OSError as error:
        raise _closed(access, unreachable(access.address, error)) from None
    except UnicodeError:
        raise ConnectionFailed(
            f"{host!r} is not a host name", remedy="check its spelling"
        ) from None
    finally:
        connection.close()
    if answer.status != 401:
        if not access.is_tls and answer.status == 400:
            raise _not_plain(access, None)
        raise no_wsman(access.place, answer.status)
    _check_offer(access, answer.headers.get_all("WWW-Authenticate") or [])
    return trust


def _trust(access: Access) -> Trust:
    try:
        return establish(access.address)
    except ConnectionFailed as error:
        if "does not speak TLS" not in error.message:
            raise _closed(access, error) from None
        plain = replace(access.address, options={"http": "1"})
        raise ConnectionFailed(
            error.message,
            remedy="WinRM's HTTPS port is 5986. If this is its HTTP port, say so: "
            f"{plain} (NTLM seals what is sent)",
        ) from None


def _closed(access: Access, error: ConnectionFailed) -> ConnectionFailed:
    """Nobody listens: Windows clients and workgroup servers have WinRM off, and HTTPS never on."""
    if "is closed" not in error.message:
        return error
    other = replace(access.address, port=0, options={"http": "1"})
    hint = f"; perhaps it listens for HTTP alone: {other}" if access.is_tls else ""
    return ConnectionFailed(error.message, remedy=f"check the port; {ENABLE}{hint}")


def _not_plain(access: Access, error: BaseException | None) -> ConnectionFailed:
    shown = f" ({type(error).__name__})" if error else ""
    if access.is_tls:
        return ConnectionFailed(
            f"{access.place} hangs up instead of answering{shown}",
            remedy="check the port: WinRM's HTTPS port is 5986",
        )
    options = {k: v for k, v in access.address.options.items() if k != "http"}
    secure = replace(access.address, options=options)
    return ConnectionFailed(
        f"{access.place} does not speak plain HTTP{shown}",
        remedy=f"WinRM's HTTP port is 5985. If this is its HTTPS port, leave http=1 out: {secure}",
    )


def _check_offer(access: Access, offers: list[str]) -> None:
    names = {offer.split()[0].lower() for offer in offers if offer.split()}
    if names & set(_OFFERS.get(access.method, (access.method,))):
        return
    offered = ", ".join(sorted(names)) or "nothing"
    raise CredentialsError(
        f"{access.place} does not accept {_METHODS[access.method]}; it offers {offered}",
        remedy="use another ?auth=…, or allow it on the host: WSMan:\\localhost\\Service\\Auth",
    )


def open_protocol(access: Access, trust: Trust | None, secret: Secret) -> Any:
    """Protocol of pywinrm for that access. It connects when it is first used."""
    module = importlib.import_module("winrm.protocol")
    sealed = not access.is_tls and access.method != "basic"
    protocol = module.Protocol(
        endpoint=access.endpoint,
        transport=access.method,
        username=access.address.user,
        password=secret.reveal(),
        ca_trust_path=None,  # the adapter decides below
        server_cert_validation="validate" if trust is None or _verifies(trust) else "ignore",
        message_encryption="always" if sealed else "auto" if access.is_tls else "never",
        proxy=None,
    )
    if trust is not None:
        session = protocol.transport.build_session()  # sends nothing yet over HTTPS
        session.trust_env = False
        session.mount("https://", _adapter(trust))
    return protocol


def _verifies(trust: Trust) -> bool:
    return bool(trust.context.verify_mode)


def _adapter(trust: Trust) -> Any:
    """An adapter for requests whose every connection is judged by this trust and no other."""
    base = importlib.import_module("requests.adapters").HTTPAdapter

    class TrustedAdapter(base):  # type: ignore[misc, valid-type]
        def build_connection_pool_key_attributes(
            self, request: Any, verify: Any, cert: Any = None
        ) -> tuple[dict[str, Any], dict[str, Any]]:
            host, _ = super().build_connection_pool_key_attributes(request, True, None)
            pool: dict[str, Any] = {"ssl_context": trust.context}
            if not trust.context.check_hostname:
                pool["assert_hostname"] = False
            if trust.pin:
                pool["assert_fingerprint"] = trust.pin.hex()
            return host, pool

        def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
            """The context decides; requests would add authorities of its own."""

    return TrustedAdapter()
