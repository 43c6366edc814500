"""A script's output becomes data or an error with a remedy, whatever Windows wraps around it."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMError,
    WinRMTransportError,
    WSManFaultError,
)

from nestkit.addresses import parse
from nestkit.errors import (
    ConnectionFailed,
    CredentialsError,
    DeadlineExceeded,
    HostRefused,
    NestkitError,
    NotFound,
    PermissionRefused,
    SessionExpired,
    TrustError,
)
from nestkit.practice.hyperv.powershell import clixml
from nestkit.transport.winrm_answers import Said, ScriptRefused, error_of, read_answer, refusal
from nestkit.transport.winrm_errors import translate

GERMAN = (
    'Get-VM : Hyper-V konnte keinen virtuellen Computer mit dem Namen "x" finden.',
    "In Zeile:1 Zeichen:1",
    "+ Get-VM x",
    "+ ~~~~~~~~",
    "    + CategoryInfo          : PermissionDenied: (x:String) [Get-VM], VirtualizationException",
    "    + FullyQualifiedErrorId : AccessDenied,Microsoft.HyperV.PowerShell.Commands.GetVM",
    " ",
)
NOISE = clixml.document([clixml.progress(0, "Preparing modules for first use.", "", done=True)])


def answer(data: Any = None, **more: Any) -> dict[str, Any]:
    return {"schema": 1, "ok": True, "data": data, "error": None} | more


def read(body: str, err: str = "", code: int = 0) -> tuple[Any, NestkitError | None]:
    return read_answer("read", f"B\r\n{body}\r\nE\r\n".encode(), err.encode(), code, "B", "E")


def test_noise_on_standard_error_is_no_failure() -> None:
    assert read(json.dumps(answer({"a": 1})), NOISE) == ({"a": 1}, None)


def test_what_others_write_around_the_document_is_left_out() -> None:
    out = f"WARNING: hello\r\nB\r\n{json.dumps(answer(1))}\r\nE\r\nbye\r\n".encode()
    assert read_answer("read", out, b"", 0, "B", "E") == (1, None)


@pytest.mark.parametrize(
    ("out", "code", "words"),
    [
        (b"", 0, "no output"),
        (b"", 3, "exit status 3"),
        (b"hello", 0, "no document"),
        (b"B\r\n{}", 0, "cut off"),
        (b"B\r\n{\r\nE\r\n", 0, "not JSON"),
        (b"B\r\n" + b"[" * 100_000 + b"\r\nE\r\n", 0, "not JSON"),
        (b"B\r\n[]\r\nE\r\n", 0, "schema"),
        (b'B\r\n{"schema": 2, "ok": true}\r\nE\r\n', 0, "schema"),
        (b'B\r\n{"schema": 1, "ok": false}\r\nE\r\n', 0, "does not say why"),
        (b'B\r\n{"schema": 1, "ok": "true", "error": 1}\r\nE\r\n', 0, "does not say why"),
        (b"\xff\xfe\x00", 0, "no document"),
    ],
)
def test_output_that_is_cut_off_or_no_json_is_told(out: bytes, code: int, words: str) -> None:
    data, failure = read_answer("read", out, b"", code, "B", "E")
    assert data is None
    assert isinstance(failure, ConnectionFailed)
    assert words in failure.message
    assert failure.remedy


def test_a_document_with_another_exit_status_than_0_is_no_success() -> None:
    data, failure = read(json.dumps(answer(1)), code=1)
    assert data is None
    assert isinstance(failure, ConnectionFailed)


def test_german_clixml_becomes_one_readable_line_and_the_right_kind() -> None:
    err = clixml.document([clixml.line("Error", text) for text in GERMAN])
    said = error_of(err.encode())
    assert said is not None
    assert said.message == GERMAN[0]
    assert said.category == "PermissionDenied"
    assert said.id.startswith("AccessDenied,")
    _, failure = read_answer("read", b"", err.encode(), 1, "B", "E")
    assert isinstance(failure, PermissionRefused)
    assert "Hyper-V Administrators" in failure.remedy


def test_an_error_comes_through_noise_before_it() -> None:
    parts = [clixml.progress(0, "x", "", done=True), clixml.line("Error", "Es ging nicht.")]
    said = error_of(clixml.document(parts).encode())
    assert said is not None
    assert said.message == "Es ging nicht."


def test_clixml_that_is_cut_off_still_tells() -> None:
    whole = clixml.document([clixml.line("Error", "It failed."), clixml.line("Error", "more")])
    said = error_of(whole[: whole.index("more")].encode())
    assert said is not None
    assert said.message.startswith("It failed.")


def test_plain_errors_are_read_as_well() -> None:
    said = error_of("\r\n".join(GERMAN).encode())
    assert said is not None
    assert said.message == GERMAN[0]


def test_a_parse_error_shows_its_words_after_its_place() -> None:
    lines = (
        "At line:1 char:5",
        "+ if (",
        "+     ~",
        "Missing closing ')' in expression.",
        "    + CategoryInfo          : ParserError: (:) [], ParentContainsErrorRecordException",
        "    + FullyQualifiedErrorId : MissingEndParenthesis",
    )
    said = error_of("\r\n".join(lines).encode())
    assert said is not None
    assert said.message == "Missing closing ')' in expression."
    assert said.id == "MissingEndParenthesis"


def test_progress_alone_is_no_error() -> None:
    assert error_of(NOISE.encode()) is None
    assert error_of(b"") is None


@pytest.mark.parametrize(
    ("said", "kind", "remedy"),
    [
        (Said("x", "CommandNotFoundException,X"), ScriptRefused, "Install-WindowsFeature"),
        (Said("x", "CouldNotAutoLoadModule"), ScriptRefused, "Install-WindowsFeature"),
        (Said("x", "AccessDenied,X"), PermissionRefused, "Hyper-V Administrators"),
        (Said("x", "Y", "PermissionDenied"), PermissionRefused, "Hyper-V Administrators"),
        (Said("x", "ObjectNotFound,X"), NotFound, "read the host again"),
        (Said("x", "OutOfMemory,X"), ScriptRefused, "less memory"),
        (Said("x", "InvalidState,X"), ScriptRefused, "state"),
        (Said("x", "OperationTimeout,X"), DeadlineExceeded, "try again"),
        (Said("x", "Unspecified,X"), ScriptRefused, "event log"),
        (Said(""), ScriptRefused, "event log"),
    ],
)
def test_an_errors_id_decides_what_it_means(
    said: Said, kind: type[NestkitError], remedy: str
) -> None:
    failure = refusal("vm_power", said)
    assert type(failure) is kind
    assert remedy in failure.remedy


def test_a_refusal_keeps_id_and_category_for_who_knows_more() -> None:
    error = {"message": "no\r\nway", "id": "A,B", "category": "C", "command": "Start-VM", "line": 3}
    _, failure = read(json.dumps(answer(ok=False, error=error)))
    assert isinstance(failure, ScriptRefused)
    assert isinstance(failure, HostRefused)
    assert failure.said == Said("no way", "A,B", "C", "Start-VM", 3)
    assert failure.message == "read, Start-VM: no way (A)"


@settings(max_examples=300)
@given(st.text())
def test_any_text_survives_clixml(text: str) -> None:
    err = clixml.document([clixml.line("Error", "Words. " + text)])
    said = error_of(err.encode("utf-8", "replace"))
    assert said is not None
    assert said.message.startswith("Words.")
    assert said.message.isprintable()


@settings(max_examples=300)
@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(-2, 2))
def test_any_bytes_are_data_or_an_error_with_a_remedy(out: bytes, err: bytes, code: int) -> None:
    for stdout in (out, b"B\r\n" + out + b"\r\nE\r\n"):
        data, failure = read_answer("read", stdout, err, code, "B", "E")
        assert data is None
        assert failure is not None
        assert failure.remedy


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=300)
@given(JSON, JSON)
def test_any_error_part_becomes_an_error(error: Any, ok: Any) -> None:
    data, failure = read(json.dumps(answer(5, ok=ok, error=error)))
    assert (data, failure) == (5, None) if ok is True else failure is not None


PLACE = parse("hyperv://me@hv01.lab")


def fault(code: int) -> WSManFaultError:
    return WSManFaultError(500, "bad", "<x/>", "the reason", wsman_fault_code=code)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (fault(5), PermissionRefused, "Remote Management Users"),
        (fault(2150858843), SessionExpired, "connect again"),
        (fault(2150859173), HostRefused, "quota"),
        (fault(1), HostRefused, "event log"),
        (InvalidCredentialsError("no"), CredentialsError, "domain user"),
        (WinRMTransportError("http", 400, ""), ConnectionFailed, "connect again"),
        (WinRMTransportError("http", 404, ""), ConnectionFailed, "Enable-PSRemoting"),
        (WinRMTransportError("http", 500, "encryption"), ConnectionFailed, "Enable-PSRemoting"),
        (WinRMError("requested auth method is kerberos, but …"), ConnectionFailed, "pip install"),
        (requests.exceptions.SSLError("x"), TrustError, "fingerprint"),
        (requests.exceptions.ReadTimeout("x"), ConnectionFailed, "try again"),
        (requests.exceptions.ConnectionError("x"), ConnectionFailed, "connect again"),
        (ConnectionRefusedError(111, "refused"), ConnectionFailed, "check the port"),
        (ElementTree.ParseError("x"), ConnectionFailed, "proxy"),
        (AssertionError(), ConnectionFailed, "proxy"),
        (StopIteration(), ConnectionFailed, "proxy"),
    ],
)
def test_whatever_pywinrm_raises_has_a_kind_and_a_remedy(
    error: Exception, kind: type[NestkitError], words: str
) -> None:
    found = translate(error, PLACE, "reading")
    assert type(found) is kind
    assert words in found.remedy
    assert found.__cause__ is found.__context__ is None
