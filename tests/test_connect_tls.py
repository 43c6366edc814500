"""Whom connect trusts, and that nothing is sent to anybody else."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import nestkit as nk
from nestkit.errors import AddressError, ConnectionFailed, CredentialsError, TrustError
from nestkit.transport import tls
from nestkit.transport.tls import InsecureConnectionWarning

PASSWORD = "hunter2-of-the-tests"
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
VERSIONS = """<?xml version="1.0"?><namespaces version="1.0"><namespace><name>urn:vim25</name>
<version>{newest}</version><priorVersions><version>5.5</version></priorVersions></namespace>
</namespaces>"""


@dataclass
class Issued:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    file: Path

    @property
    def pin(self) -> str:
        return "sha256:" + self.certificate.fingerprint(hashes.SHA256()).hex()

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)
        return context


def issue(
    folder: Path, name: str, *, by: Issued | None = None, ca: bool = False, expired: bool = False
) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    alt: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "localhost":
        alt.append(x509.IPAddress(ip_address("127.0.0.1")))
    signer = by.key if by else key
    end = NOW - DAY if expired else NOW + 30 * DAY
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - 60 * DAY)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(alt), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=ca, crl_sign=ca, content_commitment=False,
                key_encipherment=False, data_encipherment=False, key_agreement=False,
                encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
        .sign(signer, hashes.SHA256())
    )  # fmt: skip
    file = folder / f"{name}-{certificate.serial_number}.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return Issued(certificate, key, file)


@dataclass
class Peer:
    """An HTTPS server that notes every request it gets."""

    port: int
    requests: list[str] = field(default_factory=list)
    contexts: list[ssl.SSLContext] = field(default_factory=list)  # one a connection; the last stays

    def url(self, query: str = "", host: str = "127.0.0.1") -> str:
        return f"esx://root@{host}:{self.port}{query}"


@contextlib.contextmanager
def serve(
    *issued: Issued, body: bytes = b"<html>hello</html>", status: int = 200
) -> Iterator[Peer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            peer.requests.append(self.requestline)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self):  # type: ignore[no-untyped-def]
            plain, address = super().get_request()
            context = peer.contexts.pop(0) if len(peer.contexts) > 1 else peer.contexts[0]
            plain.settimeout(30)
            return context.wrap_socket(plain, server_side=True), address

        def handle_error(self, *_: object) -> None:
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        peer = Peer(server.server_address[1], contexts=[each.context() for each in issued])
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield peer
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("NESTKIT_PASSWORD", PASSWORD)


@pytest.fixture
def authority(tmp_path, monkeypatch) -> Issued:
    """A certificate authority that this machine trusts."""
    ca = issue(tmp_path, "test authority", ca=True)
    pem = tmp_path / "trusted.pem"
    pem.write_bytes(ca.certificate.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    return ca


def test_a_trusted_certificate_is_accepted_and_only_then_is_something_sent(authority, tmp_path):
    with serve(issue(tmp_path, "localhost", by=authority)) as peer:
        with pytest.raises(ConnectionFailed, match="is not vSphere"):
            nk.connect(peer.url(host="localhost"))
        assert peer.requests  # it was asked for its versions: the certificate was accepted


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_verified_like_any_host(tmp_path, host):
    leaf = issue(tmp_path, "localhost")
    with serve(leaf) as peer:
        with pytest.raises(TrustError, match="not trusted") as caught:
            nk.connect(peer.url(host=host))
        assert not peer.requests
        assert leaf.pin in caught.value.remedy
        pinned = caught.value.remedy.rpartition(" ")[2]
        with pytest.raises(ConnectionFailed, match="is not vSphere"):
            nk.connect(pinned)  # the address that the remedy gives works


def test_an_expired_certificate_is_refused(authority, tmp_path):
    with serve(issue(tmp_path, "localhost", by=authority, expired=True)) as peer:
        with pytest.raises(TrustError, match="has expired"):
            nk.connect(peer.url(host="localhost"))
        assert not peer.requests


def test_a_certificate_for_another_name_is_refused(authority, tmp_path):
    with serve(issue(tmp_path, "other.example", by=authority)) as peer:
        for host in ("localhost", "127.0.0.1"):
            with pytest.raises(TrustError, match="for another name"):
                nk.connect(peer.url(host=host))
        assert not peer.requests


@pytest.mark.parametrize("kind", ["self-signed", "self-signed CA", "signed by a CA", "expired"])
@pytest.mark.parametrize("form", ["plain", "colons", "capitals"])
def test_the_pinned_certificate_is_accepted_whatever_else_it_is(tmp_path, kind, form):
    if kind == "signed by a CA":
        leaf = issue(tmp_path, "elsewhere.example", by=issue(tmp_path, "ca", ca=True))
    else:
        leaf = issue(tmp_path, "elsewhere.example", ca="CA" in kind, expired=kind == "expired")
    digits = leaf.pin.removeprefix("sha256:")
    if form == "colons":
        digits = ":".join(digits[n : n + 2] for n in range(0, 64, 2))
    elif form == "capitals":
        digits = digits.upper()
    with serve(leaf) as peer:
        with pytest.raises(ConnectionFailed, match="is not vSphere"):
            nk.connect(peer.url(f"?pin=sha256:{digits}"))
        assert peer.requests


def test_a_wrong_pin_is_refused_before_anything_is_sent(authority, tmp_path):
    # the certificate would pass the ordinary check: the pin must count all the same
    with serve(issue(tmp_path, "localhost", by=authority)) as peer:
        with pytest.raises(TrustError, match="another certificate than the pinned one"):
            nk.connect(peer.url(f"?pin=sha256:{'ab' * 32}", host="localhost"))
        assert not peer.requests


def test_a_certificate_of_the_same_ca_is_not_the_pinned_one(authority, tmp_path):
    pinned, other = (issue(tmp_path, "localhost", by=authority) for _ in range(2))
    with serve(other) as peer:
        with pytest.raises(TrustError):
            nk.connect(peer.url(f"?pin={pinned.pin}"))
        assert not peer.requests


def test_a_peer_that_is_swapped_after_the_first_look_gets_nothing(tmp_path):
    right, wrong = (issue(tmp_path, "localhost") for _ in range(2))
    with serve(right, wrong) as peer:
        with pytest.raises(TrustError, match="changed between two connections"):
            nk.connect(peer.url(f"?pin={right.pin}"))
        assert not peer.requests


def test_a_leaf_signed_by_the_pinned_certificate_is_not_the_pinned_one(tmp_path):
    pinned = issue(tmp_path, "localhost", ca=True)
    with serve(pinned, issue(tmp_path, "localhost", by=pinned)) as peer:
        with pytest.raises(TrustError, match="changed between"):
            nk.connect(peer.url(f"?pin={pinned.pin}"))
        assert not peer.requests


@pytest.mark.parametrize("pin", ["sha256:12", "sha1:" + "ab" * 20, "ab" * 32, "sha256:zz"])
def test_a_pin_that_is_none_is_refused_before_connecting(pin):
    with pytest.raises(AddressError, match="not a SHA-256"):
        nk.connect(f"esx://root@127.0.0.1:1?pin={pin}")


@pytest.mark.parametrize("word", ["maybe", "", "2", "off"])
def test_insecure_is_not_guessed_at(tmp_path, word):
    with pytest.raises(AddressError, match="insecure"):
        nk.connect(f"esx://root@127.0.0.1:9?insecure={word}")


def test_insecure_warns_and_connects(tmp_path):
    with serve(issue(tmp_path, "other.example", expired=True)) as peer:
        with (
            pytest.warns(InsecureConnectionWarning, match="not verified"),
            pytest.raises(ConnectionFailed, match="is not vSphere"),
        ):
            nk.connect(peer.url("?insecure=1"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(TrustError):
                nk.connect(peer.url("?insecure=0"))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<html>hello</html>", 200),
        (b"not xml at all", 200),
        (b"", 200),
        (b"<namespaces/>", 404),
        (b"<!DOCTYPE n [<!ENTITY a 'b'>]><namespaces>&a;</namespaces>", 200),
        (b"\xff\xfe\x00", 200),
        (b"<namespaces><namespace><name>urn:other</name><version>8.0</version></namespace>"
         b"</namespaces>", 200),
    ],
)  # fmt: skip
def test_what_is_not_vsphere_is_named_so_and_sees_no_password(tmp_path, body, status):
    leaf = issue(tmp_path, "localhost")
    with serve(leaf, body=body, status=status) as peer:
        with pytest.raises(ConnectionFailed, match="is not vSphere") as caught:
            nk.connect(peer.url(f"?pin={leaf.pin}"))
        assert [r.split()[0] for r in peer.requests] == ["GET"]
        assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("newest", ["6.0", "5.5", "6.4.9"])
def test_an_api_that_is_too_old_is_named_with_what_is_needed(tmp_path, newest):
    leaf = issue(tmp_path, "localhost")
    with serve(leaf, body=VERSIONS.format(newest=newest).encode()) as peer:
        with pytest.raises(ConnectionFailed, match=f"API {newest}, which is too old") as caught:
            nk.connect(peer.url(f"?pin={leaf.pin}"))
        assert "6.5" in caught.value.remedy
        assert [r.split()[0] for r in peer.requests] == ["GET"]


def test_a_closed_port_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        with pytest.raises(ConnectionFailed, match="is closed"):
            nk.connect(f"esx://root@127.0.0.1:{taken.getsockname()[1]}")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".invalid", "ö" * 70])
def test_an_unknown_host_is_named(host):
    with pytest.raises(ConnectionFailed, match=r"no host|not a host name"):
        nk.connect(f"esx://root@{host}")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n"])
def test_a_port_without_tls_is_named(answer):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def once() -> None:
            plain, _ = server.accept()
            plain.recv(100)
            plain.sendall(answer)
            plain.close()

        thread = threading.Thread(target=once, daemon=True)
        thread.start()
        with pytest.raises(ConnectionFailed):
            nk.connect(f"esx://root@127.0.0.1:{server.getsockname()[1]}")
        thread.join(5)


def test_a_port_that_never_answers_is_given_up_in_time(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = nk.hosts.parse(f"esx://root@127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(ConnectionFailed, match="in time"):
            tls.establish(address, timeout=0.3)


def test_an_address_without_a_user_says_how_to_write_it():
    with pytest.raises(CredentialsError, match="names no user") as caught:
        nk.connect("esx://esxi01.lab")
    assert "esx://root@esxi01.lab" in caught.value.remedy


def test_what_cannot_be_connected_to_says_so():
    with pytest.raises(AddressError):
        nk.connect("lab://")


def test_an_unknown_option_is_refused():
    with pytest.raises(AddressError, match="'vmz'"):
        nk.connect("esx://root@esxi01.lab?vmz=3")
