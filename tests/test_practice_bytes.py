"""Whatever bytes arrive, the practice host answers sensibly and stays up."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from practice_helpers import connect, vim, vm_named

import nestkit.practice

ENVELOPE = (
    '<?xml version="1.0"?>{}<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><e:Body>{}</e:Body></e:Envelope>'
)
CONTENT = (
    '<RetrieveServiceContent xmlns="urn:vim25">'
    '<_this type="ServiceInstance">ServiceInstance</_this></RetrieveServiceContent>'
)
UNVERIFIED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
UNVERIFIED.check_hostname, UNVERIFIED.verify_mode = False, ssl.CERT_NONE
VERSION = {"SOAPAction": '"urn:vim25/8.0.2.0"', "Content-Type": "text/xml"}


@pytest.fixture(scope="module")
def p() -> Iterator[Any]:
    with nestkit.practice.start("esx") as host:
        yield host


def tls(p: Any) -> ssl.SSLSocket:
    return UNVERIFIED.wrap_socket(socket.create_connection((p.host, p.port), timeout=60))


def ask(
    p: Any, body: Any, method: str = "POST", path: str = "/sdk", **headers: str
) -> tuple[int, bytes]:
    """One request; the connection is kept for the next as long as the host keeps it."""
    if not hasattr(p, "kept"):
        p.kept = http.client.HTTPSConnection(p.host, p.port, context=UNVERIFIED, timeout=60)
    p.kept.request(method, path, body, {**VERSION, **headers})
    answer = p.kept.getresponse()
    return answer.status, answer.read()


def cookie(p: Any) -> str:
    """A session of the host, the same one each time."""
    if not hasattr(p, "fuzz_cookie"):
        p.fuzz_cookie = connect(p)._stub.cookie
    return str(p.fuzz_cookie)


def alive(p: Any) -> None:
    status, body = ask(p, ENVELOPE.format("", CONTENT))
    assert status == 200
    assert b"nestkit practice host" in body


@pytest.mark.parametrize(
    "prolog",
    [
        "<!DOCTYPE e:Envelope>",
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<?xml-stylesheet href="x"?>',
    ],
)
def test_document_types_and_entities_are_refused(p: Any, prolog: str) -> None:
    status, body = ask(p, ENVELOPE.format(prolog, CONTENT))
    assert status == 500
    assert b"not accepted" in body
    assert b"root:" not in body
    alive(p)


@pytest.mark.parametrize("encoding", ["x-bogus", "rot13", "utf-7", "idna", "shift_jis"])
def test_an_encoding_that_cannot_be_read_is_a_bad_request(p: Any, encoding: str) -> None:
    status, body = ask(
        p, f'<?xml version="1.0" encoding="{encoding}"?><a>\u00ff</a>'.encode("latin-1")
    )
    assert status == 500
    assert b"InvalidRequestFault" in body
    alive(p)


def test_chunked_bodies_are_read(p: Any) -> None:
    text = ENVELOPE.format("", CONTENT).encode()
    parts = [text[n : n + 37] for n in range(0, len(text), 37)]
    status, body = ask(p, iter(parts))  # http.client sends an iterable in chunks
    assert status == 200
    assert b"ha-folder-root" in body


@pytest.mark.parametrize("quote", ["", '"'])
def test_cookies_may_stand_in_quotes_or_not(p: Any, quote: str) -> None:
    si = connect(p)
    token = si._stub.GetSessionId()
    text = ENVELOPE.format("", CONTENT.replace("RetrieveServiceContent", "CurrentTime"))
    status, _ = ask(p, text, Cookie=f"other=1; vmware_soap_session={quote}{token}{quote}")
    assert status == 200
    assert ask(p, text, Cookie="vmware_soap_session=wrong")[0] == 500


def test_the_session_cookie_is_secure(p: Any) -> None:
    assert "Secure" in connect(p)._stub.cookie
    assert "HttpOnly" in connect(p)._stub.cookie


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/sdk/vimServiceVersions.xml", 200),
        ("GET", "/sdk", 405),
        ("GET", "/", 404),
        ("POST", "/elsewhere", 404),
        ("GET", "/../../etc/passwd", 404),
        ("POST", "/nestkit/control", 401),
        ("HEAD", "/sdk", 405),
    ],
)
def test_other_paths_and_methods(p: Any, method: str, path: str, expected: int) -> None:
    assert ask(p, b"", method, path)[0] == expected
    alive(p)


def test_an_unknown_method_and_version(p: Any) -> None:
    call = CONTENT.replace("RetrieveServiceContent", "NoSuch").replace("</NoS", "<a><b/></a></NoS")
    si = connect(p)
    status, body = ask(p, ENVELOPE.format("", call), Cookie=si._stub.cookie)
    assert (status, b"MethodNotFoundFault" in body) == (500, True)
    status, body = ask(p, ENVELOPE.format("", CONTENT), SOAPAction='"urn:vim25/99.0"')
    assert (status, b"Unsupported version" in body) == (500, True)


def test_bodies_and_depth_are_bounded(p: Any) -> None:
    deep = "<a>" * 5000 + "</a>" * 5000
    status, body = ask(
        p,
        ENVELOPE.format("", CONTENT.replace("</_this>", f"</_this>{deep}")),
    )
    assert status == 500, body
    status, body = ask(p, ENVELOPE.format("", f"<NoSuch>{deep}</NoSuch>"))
    assert (status, b"deeply" in body) == (500, True)
    with tls(p) as sock:
        sock.sendall(b"POST /sdk HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        assert b"413" in sock.recv(200)
    alive(p)


def test_a_client_that_says_nothing_holds_nobody_up(p: Any) -> None:
    silent = [socket.create_connection((p.host, p.port)) for _ in range(5)]
    half = tls(p)
    half.sendall(b"POST /sdk HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123")
    alive(p)
    for sock in (*silent, half):
        sock.close()
    alive(p)


@pytest.mark.parametrize(
    ("number", "said"),
    [(500, b""), (60, b"\x16\x03"), (60, b"POST /sdk HTTP/1.1\r\nHost: x\r\n")],
    ids=["silent", "half a handshake", "half a request"],
)
def test_many_clients_that_stall_hold_nobody_up(p: Any, number: int, said: bytes) -> None:
    stalled: list[socket.socket] = []
    try:
        for _ in range(number):
            one = socket.create_connection((p.host, p.port), timeout=60)
            stalled.append(UNVERIFIED.wrap_socket(one) if said.startswith(b"POST") else one)
            stalled[-1].sendall(said)
        vars(p).pop("kept", None)  # the connection that was silent for longest has been closed
        alive(p)
    finally:
        for one in stalled:
            one.close()


def test_plain_http_and_garbage_on_the_port(p: Any) -> None:
    for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 100, b"\x16\x03\x01\xff\xff"):
        with socket.create_connection((p.host, p.port), timeout=60) as sock:
            sock.sendall(data)
            with contextlib.suppress(OSError):  # the host may hang up first
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(4096):
                    pass
    alive(p)


_NAMES = st.sampled_from(
    ["RetrieveServiceContent", "Login", "Fetch", "RetrievePropertiesEx", "ReconfigVM_Task",
     "CreateFilter", "WaitForUpdatesEx", "FindByUuid", "UpdatePortGroup", "_this", "spec", "prop",
     "specSet", "objectSet", "obj", "pathSet", "deviceChange", "device", "options", "userName"]
)  # fmt: skip
_TEXT = st.text(max_size=20).map(
    lambda s: s.replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "")
)
_ATTRIBUTES = st.sampled_from(
    ["", ' type="VirtualMachine"', ' type="ServiceInstance"',
     ' xsi:type="VirtualMachineConfigSpec"',
     ' xsi:type="ArrayOfString"', ' xsi:type="nothing"', ' type=""', ' xsi:type="xsd:int"',
     ' xmlns="urn:vim25"']
)  # fmt: skip


def _element(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda name, attributes, inside: f"<{name}{attributes}>{''.join(inside)}</{name}>",
        _NAMES,
        _ATTRIBUTES,
        st.lists(children, max_size=4),
    )


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=300))
def test_any_bytes_get_a_fault(p: Any, body: bytes) -> None:
    status, answer = ask(p, body)
    assert status in (400, 500)
    assert b"internal error" not in answer


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(["VirtualMachine", "HostSystem", "Folder", "SessionManager", "x", ""]),
    moid=st.sampled_from(["1", "ha-host", "ha-folder-vm", "ha-sessionmgr", "HaNetwork-x", ""]),
    prop=_TEXT | st.sampled_from(["config", "config.hardware.device[", "view", "childEntity[1]"]),
    text=_TEXT,
)
def test_any_values_in_well_formed_calls_get_an_answer_or_a_fault(
    p: Any, kind: str, moid: str, prop: str, text: str
) -> None:
    this = f'<_this type="{kind}">{moid}</_this>'
    vm = '<_this type="VirtualMachine">16</_this>'
    option = "<extraConfig><key>{0}</key><value xsi:type='{0}'>{0}</value></extraConfig>"
    for call in (
        f"<Fetch>{this}<prop>{prop}</prop></Fetch>",
        f"<ReconfigVM_Task>{vm}<spec><name>{text}</name></spec></ReconfigVM_Task>",
        f"<ReconfigVM_Task>{vm}<spec>{option.format(text)}</spec></ReconfigVM_Task>",
        f"<ReconfigVM_Task>{vm}<spec><memoryMB>{text}</memoryMB></spec></ReconfigVM_Task>",
        f"<{kind}>{this}<{kind}>{text}</{kind}></{kind}>" if kind else "",
    ):
        status, answer = ask(
            p, ENVELOPE.format("", call).encode("utf-8", "replace"), Cookie=cookie(p)
        )
        assert status in (200, 400, 500)
        assert b"internal error" not in answer, answer


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(call=st.recursive(_TEXT, _element, max_leaves=12), login=st.booleans())
def test_any_calls_get_an_answer_or_a_fault(p: Any, call: str, login: bool) -> None:
    status, answer = ask(
        p, ENVELOPE.format("", call).encode("utf-8", "replace"), Cookie=cookie(p) if login else ""
    )
    assert status in (200, 400, 500)
    assert b"internal error" not in answer, answer


def test_it_is_still_up_after_all_that(p: Any) -> None:
    alive(p)
    assert isinstance(vm_named(connect(p), "nested-esxi-01"), vim.VirtualMachine)
