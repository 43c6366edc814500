"""Hostile bytes do not take the practice Hyper-V host down."""

from __future__ import annotations

import base64
import http.client
import os
import random
import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import spnego
from hypothesis import given, settings
from hypothesis import strategies as st

from nestkit import practice
from nestkit.practice import PracticeHost
from nestkit.practice.hyperv import envelope
from nestkit.practice.hyperv.programs import Unusable, split, understand
from nestkit.practice.hyperv.security import Account, CredentialFile, Guard, Sealing
from nestkit.practice.hyperv.shells import Command, Shell, Shells
from nestkit.practice.hyperv.wsman import Service

SOAP = """<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
 xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
 xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Header>
<a:Action>{action}</a:Action><a:MessageID>uuid:1</a:MessageID>
<w:ResourceURI>http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd</w:ResourceURI>
<w:OperationTimeout>PT1S</w:OperationTimeout>
<w:SelectorSet><w:Selector Name="ShellId">{shell}</w:Selector></w:SelectorSet></s:Header>
<s:Body>{body}</s:Body></s:Envelope>"""
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/"
CREATE = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create"


def ask(action: str = CREATE, shell: str = "", body: str = "<rsp:Shell/>") -> bytes:
    return SOAP.format(action=action, shell=shell, body=body).encode()


def service(limit: int = 30) -> Service:
    def finish(shell: Shell, command: Command) -> None:
        command.write("stdout", b"done")
        command.finish(0)

    return Service(Shells(finish, limit=limit), "HV01", "10.0.20348")


def opened(host: Service) -> str:
    status, answer = host.handle(ask(), "me")
    assert status == 200
    return answer.decode().partition('Name="ShellId">')[2].partition("<")[0]


def fault_code(answer: bytes) -> str:
    return answer.decode().partition(' Code="')[2].partition('"')[0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"<a/>",
        b"<a>",
        b"\xff\xfe\x00",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<?php x?><a/>",
        b"<a>" * 100 + b"</a>" * 100,
        b"<a>" + b"<b/>" * 5_000 + b"</a>",
        b"<a>" + b" " * 600_000 + b"</a>",
        ask().replace(b"1.0", b"1.1")[:-20],
    ],
)
def test_what_is_no_envelope_is_a_bad_request(body: bytes) -> None:
    status, answer = service().handle(body, "me")
    assert (status, fault_code(answer)) == (400, "2150858817")


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (ask("http://example/Unknown"), "2150858753"),
        (ask(""), "2150858753"),
        (ask().replace(b"windows/shell/cmd", b"windows/other"), "2150858752"),
        (ask(body=""), "2150858817"),
        (ask(body="<rsp:Other/>"), "2150858817"),
        (ask(body='<rsp:Shell ShellId="1"/>'), "2150858817"),
        (ask(SHELL + "Command", "no", "<rsp:CommandLine/>"), "2150858843"),
        (ask(SHELL + "Command", "", "<rsp:CommandLine/>"), "2150858843"),
    ],
)
def test_envelopes_that_lack_something_are_faults(request_bytes: bytes, code: str) -> None:
    status, answer = service().handle(request_bytes, "me")
    assert (status, fault_code(answer)) == (500, code)


@pytest.mark.parametrize(
    ("action", "body", "code"),
    [
        ("Command", "<rsp:CommandLine/>", "2150858817"),
        ("Send", '<rsp:Send><rsp:Stream Name="stdin">!</rsp:Stream></rsp:Send>', "2150858817"),
        ("Send", '<rsp:Send><rsp:Stream Name="x">QQ==</rsp:Stream></rsp:Send>', "2150858817"),
        ("Send", '<rsp:Send><rsp:Stream Name="stdin">QQ==</rsp:Stream></rsp:Send>', "87"),
        ("Receive", "<rsp:Receive/>", "2150858817"),
        ("Receive", "<rsp:Receive><rsp:DesiredStream/></rsp:Receive>", "87"),
        ("Signal", '<rsp:Signal CommandId="x"/>', "87"),
    ],
)
def test_requests_to_a_shell_that_do_not_fit_are_faults(action: str, body: str, code: str) -> None:
    host = service()
    status, answer = host.handle(ask(SHELL + action, opened(host), body), "me")
    assert (status, fault_code(answer)) == (500, code)


def test_a_shell_of_another_user_is_as_good_as_absent() -> None:
    host = service()
    mine = opened(host)
    body = "<rsp:CommandLine><rsp:Command>x</rsp:Command></rsp:CommandLine>"
    assert fault_code(host.handle(ask(SHELL + "Command", mine, body), "other")[1]) == "2150858843"
    assert host.handle(ask(SHELL + "Command", mine, body), "me")[0] == 200


def test_commands_that_nobody_ends_are_limited() -> None:
    host = service()
    mine = opened(host)
    body = "<rsp:CommandLine><rsp:Command>x</rsp:Command></rsp:CommandLine>"
    for _ in range(1_500):
        assert host.handle(ask(SHELL + "Command", mine, body), "me")[0] == 200
    assert fault_code(host.handle(ask(SHELL + "Command", mine, body), "me")[1]) == "2150859174"


def test_an_answer_relates_to_its_request_also_when_it_is_a_fault() -> None:
    assert b"<a:RelatesTo>uuid:1</a:RelatesTo>" in service().handle(ask("nothing"), "me")[1]


@settings(max_examples=300)
@given(st.data())
def test_damaged_envelopes_are_answered(data: st.DataObject) -> None:
    host = service(limit=5)
    body = bytearray(
        ask(
            data.draw(
                st.sampled_from([CREATE, SHELL + "Command", SHELL + "Receive", SHELL + "Send"])
            ),
            data.draw(st.sampled_from(["", "x", opened(host)])),
            data.draw(
                st.sampled_from(
                    [
                        "<rsp:Shell/>",
                        "<rsp:CommandLine><rsp:Command>a</rsp:Command></rsp:CommandLine>",
                    ]
                )
            ),
        )
    )
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    status, answer = host.handle(bytes(body), "me")
    assert status in (200, 400, 500)
    envelope.parse_xml(answer)


@settings(max_examples=300)
@given(st.text())
def test_any_text_comes_back_as_xml_that_can_be_read(text: str) -> None:
    fault = envelope.Fault(text, 1, "w:X")
    root = envelope.parse_xml(envelope.fault(fault, envelope.Request("", message_id=text), text))
    found = root.find(".//{http://schemas.microsoft.com/wbem/wsman/1/wsmanfault}Message")
    assert found is not None
    assert (found.text or "") == envelope.clean(text).replace("\r\n", "\n").replace("\r", "\n")


@settings(max_examples=300)
@given(st.text())
def test_any_command_line_is_understood_or_refused(line: str) -> None:
    with suppress(Unusable):
        understand(line, (), skip_cmd=False)


@settings(max_examples=200)
@given(st.lists(st.text(st.characters(exclude_characters="\x00"), min_size=1), max_size=5))
def test_arguments_are_split_as_windows_splits_them(words: list[str]) -> None:
    assert split(subprocess.list2cmdline(words)) == words


@pytest.fixture
def account(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setenv("NTLM_USER_FILE", "")  # put back afterwards
    account = Account("HV01", "Administrator", "secret")
    file = CredentialFile(account)
    yield account
    file.close()


@settings(max_examples=300)
@given(st.sampled_from(["", "Basic ", "NTLM ", "Negotiate ", "Bearer "]), st.binary(max_size=200))
def test_no_made_up_header_proves_a_user(account: Account, scheme: str, data: bytes) -> None:
    guard = Guard(account, is_tls=True)
    for prefix in (b"", b"NTLMSSP\x00\x01\x00\x00\x00", b"NTLMSSP\x00\x03\x00\x00\x00", b"\x60"):
        header = scheme + base64.b64encode(prefix + data).decode()
        assert guard.check(header if scheme else "")[0] == ""


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_a_sealed_body_without_keys_cannot_be_opened(data: bytes) -> None:
    guard = Guard(Account("HV01", "Administrator", "secret"), is_tls=False)
    body = b"\tOriginalContent: Length=3\r\nContent-Type: application/octet-stream\r\n" + data
    for text in (data, body, body + b"--Encrypted Boundary--\r\n"):
        with pytest.raises(Sealing):
            guard.open(text)


def authenticated(account: Account) -> tuple[Guard, Any]:
    guard = Guard(account, is_tls=False)
    client = spnego.client(
        account.user, account.password, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm
    )
    user, token = guard.check("NTLM " + base64.b64encode(client.step()).decode())
    assert user == ""
    user, token = guard.check("NTLM " + base64.b64encode(client.step(token)).decode())
    assert (user, token) == (account.user, None)
    return guard, client


def sealed_by(client: Any, text: bytes) -> bytes:
    made = client.wrap_winrm(text)
    return (
        b"--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
        + f"\tOriginalContent: type=x;Length={len(text)}\r\n".encode()
        + b"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
        + struct.pack("<i", len(made.header))
        + made.header
        + made.data
        + b"--Encrypted Boundary--\r\n"
    )


def test_a_connection_keeps_its_user_and_opens_what_was_sealed_for_it(account: Account) -> None:
    guard, client = authenticated(account)
    assert guard.check("") == (account.user, None)
    for text in (b"one", b"two" * 1000, b""):
        assert guard.open(sealed_by(client, text)) == text
    other, _ = authenticated(account)
    with pytest.raises(Sealing):
        other.open(sealed_by(client, b"not for this connection"))


def test_a_second_handshake_that_fails_takes_the_user_away(account: Account) -> None:
    guard, _ = authenticated(account)
    guard.check("NTLM " + base64.b64encode(b"NTLMSSP\x00\x01\x00\x00\x00").decode())
    assert guard.check("") == ("", None)


@settings(max_examples=150)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_a_damaged_sealed_body_is_never_taken_for_another(
    account: Account, at: int, noise: bytes
) -> None:
    guard, client = authenticated(account)
    text = b"<secret/>" * 20
    body = sealed_by(client, text)
    damaged = body[:at] + noise + body[at + len(noise) :]
    try:
        assert guard.open(damaged) == text
    except Sealing:
        assert damaged != body


def test_an_account_never_shows_its_password() -> None:
    assert "secret" not in repr(Account("HV01", "Administrator", "secret"))


# -- a live host --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def host() -> Iterator[PracticeHost]:
    with practice.start("hyperv") as p:
        yield p


ACTIONS = [CREATE, SHELL + "Command", SHELL + "Send", SHELL + "Receive", SHELL + "Signal",
           "http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete"]  # fmt: skip
BODIES = [
    "<rsp:Shell/>",
    "<rsp:CommandLine><rsp:Command>powershell -c Get-VM</rsp:Command></rsp:CommandLine>",
    '<rsp:Send><rsp:Stream Name="stdin" End="true">QQ==</rsp:Stream></rsp:Send>',
    "<rsp:Receive><rsp:DesiredStream>stdout stderr</rsp:DesiredStream></rsp:Receive>",
]


def hostile(chance: random.Random, known: str) -> bytes:
    """Something like a request, or not at all; ``known`` logs in where the connection is TLS."""
    kind = chance.randrange(7)
    noise = chance.randbytes(chance.randrange(400))
    if kind == 0:
        return noise
    body = ask() if kind < 4 else noise
    if kind == 6:
        body = ask(chance.choice(ACTIONS), chance.choice(["", "x"]), chance.choice(BODIES))
    body = bytes(b if chance.random() > 0.01 else chance.randrange(256) for b in body)
    length = len(body) if kind != 3 else chance.choice([0, 1, len(body) + 5, -1, 10**9])
    kinds = ["application/soap+xml", 'multipart/encrypted;boundary="Encrypted Boundary"', "x"]
    auth = chance.choice(["", "Basic " + base64.b64encode(noise).decode(), "NTLM !", "Negotiate "])
    if kind == 6:
        auth = known
    if kind == 5:
        auth = "NTLM " + base64.b64encode(b"NTLMSSP\x00\x03\x00\x00\x00" + noise).decode()
    head = f"POST {chance.choice(['/wsman', '/', '/nestkit/control', '*'])} HTTP/1.1\r\n"
    head += f"Host: x\r\nContent-Type: {chance.choice(kinds)}\r\nContent-Length: {length}\r\n"
    return (head + (f"Authorization: {auth}\r\n" if auth else "") + "\r\n").encode() + body


def storm(host: PracticeHost, count: int, seed: int) -> None:
    chance = random.Random(seed)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    known = "Basic " + base64.b64encode(f"{host.user}:{host.password}".encode()).decode()
    for n in range(count):
        data = hostile(chance, known)
        port = host.https_port if n % 8 == 0 else host.port
        with suppress(OSError), socket.create_connection((host.host, port), timeout=5) as raw:
            stream = context.wrap_socket(raw) if port == host.https_port and n % 16 else raw
            stream.sendall(data)
            stream.shutdown(socket.SHUT_WR)
            stream.settimeout(2)
            stream.recv(200)


def alive(host: PracticeHost) -> None:
    assert psutil.Process(host.pid).is_running()
    connection = http.client.HTTPConnection(host.host, host.port, timeout=60)
    connection.request("POST", "/wsman", headers={"Content-Length": "0"})
    answer = connection.getresponse()
    assert answer.status == 401
    assert answer.headers.get_all("WWW-Authenticate") == ["Negotiate", "NTLM"]
    connection.close()


def test_the_host_survives_a_small_storm(host: PracticeHost) -> None:
    storm(host, 300, seed=1)
    alive(host)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.soak
def test_the_host_survives_a_storm(host: PracticeHost) -> None:
    before = psutil.Process(host.pid).memory_info().rss
    storm(host, 100_000 if os.environ.get("NESTKIT_SOAK") else 10_000, seed=2)
    alive(host)
    assert psutil.Process(host.pid).memory_info().rss - before < 200 * 2**20


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/wsman", 405), ("POST", "/other", 404), ("POST", "/nestkit/control", 404)],
)
def test_other_methods_and_paths_are_refused(
    host: PracticeHost, method: str, path: str, status: int
) -> None:
    connection = http.client.HTTPConnection(host.host, host.port, timeout=60)
    connection.request(method, path, headers={"Content-Length": "0"})
    assert connection.getresponse().status == status
    connection.close()
