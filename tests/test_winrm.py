"""The WinRM transport against the practice host: what goes wrong, and what is left behind."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from winrm.protocol import Protocol

import nestkit as nk
from nestkit.addresses import parse
from nestkit.credentials import Secret
from nestkit.errors import (
    AddressError,
    ConnectionFailed,
    CredentialsError,
    DeadlineExceeded,
    NestkitError,
    SessionExpired,
    TrustError,
)
from nestkit.practice import PracticeHost
from nestkit.transport import winrm as transport
from nestkit.transport.tls import InsecureConnectionWarning
from nestkit.transport.winrm import SessionRenewedWarning, WinRm
from nestkit.transport.winrm_access import read_address

ECHO = "param($given)\n@{ given = $given }"
ENUMERATE = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate"
HUSH = "-".join(["hush"] * 2)  # in no line of this file as it is: tracebacks show lines
WRONG = " ".join(["not", "the", "password"])
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"


@pytest.fixture(scope="module")
def host() -> Iterator[PracticeHost]:
    with nk.practice.start("hyperv", session_s=180) as p:
        yield p


@pytest.fixture(autouse=True)
def no_faults(host: PracticeHost) -> Iterator[None]:
    yield
    host.set_faults()


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Scripts of the tests beside nestkit's own."""
    mine = {"echo": ECHO}
    shipped = transport.powershell_script

    def find(name: str) -> str:
        return mine[name] if name in mine else shipped(name)

    monkeypatch.setattr(transport, "powershell_script", find)
    return mine


def http_url(host: PracticeHost, options: str = "?http=1") -> str:
    return f"hyperv://{host.user}@{host.host}:{host.port}{options}"


def open_session(host: PracticeHost, url: str = "", password: str | None = None) -> WinRm:
    secret = Secret(host.password if password is None else password)
    return WinRm.connect(parse(url or host.url), lambda: secret)


@pytest.fixture(params=["https", "http"])
def session(host: PracticeHost, request: pytest.FixtureRequest) -> Iterator[WinRm]:
    with open_session(host, host.url if request.param == "https" else http_url(host)) as opened:
        yield opened


def shells(host: PracticeHost) -> list[str]:
    """The ids of the shells that there are on the host."""
    client = Protocol(
        f"http://127.0.0.1:{host.port}/wsman", "ntlm", host.user, host.password,
        message_encryption="always", proxy=None, ca_trust_path=None,
    )  # fmt: skip
    import xmltodict

    header = client.build_wsman_header(ENUMERATE, SHELL)
    body = {"n:Enumerate": {}}
    text = client.send_message(
        xmltodict.unparse({"env:Envelope": {**header, "env:Body": body}})
    ).decode()
    client.transport.close_session()
    return [part.partition("<")[0] for part in text.split("<rsp:ShellId>")[1:]]


# -- what works ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [None, 1, "x", [1], [], {"a": [{"b": None}]}, "Müller's [lab] $x `n 日本 \u2028 😀", '"\\<>&'],
)
def test_parameters_come_back_as_they_went(session: WinRm, value: Any) -> None:
    assert session.run("echo", value, deadline_s=30) == {"given": value}


def test_one_shell_is_kept_and_closed(host: PracticeHost) -> None:
    before = shells(host)
    session = open_session(host)
    for n in range(3):
        session.run("echo", n, deadline_s=30)
    assert len(shells(host)) == len(before) + 1
    session.close()
    session.close()
    assert shells(host) == before
    with pytest.raises(ConnectionFailed, match="was closed"):
        session.run("echo", deadline_s=30)


def test_parameters_larger_than_an_envelope_arrive_whole(session: WinRm) -> None:
    value = "日本" * 60_000
    assert session.run("echo", value, deadline_s=60) == {"given": value}


def test_many_threads_share_a_session(session: WinRm) -> None:
    found: list[int] = []

    def work(n: int) -> None:
        found.append(session.run("echo", n, deadline_s=60)["given"])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(8))


def test_noise_and_foreign_output_with_exit_0_are_no_failure(
    host: PracticeHost, session: WinRm
) -> None:
    host.set_faults(progress_noise=1, not_json=1)
    assert session.run("echo", 5, deadline_s=30) == {"given": 5}


def test_ones_own_authority_is_enough(
    host: PracticeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(ssl.get_server_certificate((host.host, host.https_port)))
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with open_session(host, f"hyperv://{host.user}@localhost:{host.https_port}") as session:
        assert session.run("echo", 1, deadline_s=30) == {"given": 1}


@pytest.mark.parametrize("over", ["https", "http"])
def test_the_environment_decides_neither_whom_to_trust_nor_the_way_and_nothing_is_warned(
    host: PracticeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over: str
) -> None:
    nobody = tmp_path / "nobody.pem"
    nobody.write_text("")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(nobody))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("DISPLAYED_CA_TRUST_WARNING", "DISPLAYED_PROXY_WARNING"):
        monkeypatch.setattr(f"winrm.transport.{name}", False)  # pywinrm warns once a process
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with open_session(host, host.url if over == "https" else http_url(host)) as session:
            assert session.run("echo", 1, deadline_s=30) == {"given": 1}
    assert [str(one.message) for one in warned if "pywinrm" in str(one.message)] == []


# -- who is there, and who asks -------------------------------------------------------------------


@pytest.mark.parametrize("url", ["{https}", "{http}", "{https}&auth=basic"])
def test_a_wrong_password_is_refused_and_told(host: PracticeHost, url: str) -> None:
    address = url.format(https=host.url, http=http_url(host))
    with pytest.raises(CredentialsError, match="refused the user 'Administrator'") as caught:
        open_session(host, address, WRONG)
    text = "".join(traceback.format_exception(caught.value))
    assert WRONG not in text
    assert caught.value.__context__ is None


def test_a_password_with_control_characters_is_not_sent(host: PracticeHost) -> None:
    with pytest.raises(CredentialsError, match="cannot be sent"):
        open_session(host, password="a\nb")


def test_an_untrusted_certificate_stops_before_the_password_is_asked(host: PracticeHost) -> None:
    def never() -> Secret:
        raise AssertionError("the password was asked for")

    address = parse(f"hyperv://{host.user}@{host.host}:{host.https_port}")
    with pytest.raises(TrustError, match="not trusted") as caught:
        WinRm.connect(address, never)
    assert host.fingerprint in caught.value.remedy
    with pytest.raises(TrustError, match="another certificate"):
        WinRm.connect(parse(f"{address}?pin=sha256:{'0' * 64}"), never)


def test_without_verification_there_is_a_warning(host: PracticeHost) -> None:
    url = f"hyperv://{host.user}@{host.host}:{host.https_port}?insecure=1"
    with pytest.warns(InsecureConnectionWarning), open_session(host, url) as session:
        assert session.run("echo", 1, deadline_s=30) == {"given": 1}


def test_a_certificate_that_changes_between_two_connections_is_noticed(
    host: PracticeHost,
) -> None:
    with nk.practice.start("hyperv") as other:
        session = open_session(host)
        shell = session._shell
        shell._access = replace(
            shell._access, address=replace(session.address, port=other.https_port)
        )
        shell.abandon()
        with pytest.raises(TrustError, match="nothing was sent"):
            shell.open("trying")
        session.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("hyperv://a@b?http=1&auth=basic", "Basic over plain HTTP"),
        ("hyperv://a@b:5985?auth=basic", "Basic over plain HTTP"),
        ("hyperv://a@b?auth=digest", "'digest'"),
        ("hyperv://a@b?vms=3", "'vms'"),
        ("hyperv://a@b?deadline=0", "deadline cannot be '0'"),
        ("hyperv://a@b?deadline=soon", "'soon'"),
        ("hyperv://a@b?http=maybe", "'maybe'"),
        ("hyperv://a@b?http=1&pin=sha256:00", "plain HTTP"),
        ("hyperv://a@b:5985?insecure=1", "plain HTTP"),
        ("hyperv://a@b?http=1&auth=basic&unencrypted=0", "Basic over plain HTTP"),
    ],
)
def test_an_address_that_asks_for_too_little_safety_is_refused(url: str, words: str) -> None:
    with pytest.raises(AddressError, match=words):
        read_address(parse(url))


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("hyperv://a@b", "https://b:5986/wsman"),
        ("hyperv://a@b?http=1", "http://b:5985/wsman"),
        ("hyperv://a@b:5985", "http://b:5985/wsman"),
        ("hyperv://a@b:5985?http=0", "https://b:5985/wsman"),
        ("hyperv://a@b:8080?http=1&auth=basic&unencrypted=1", "http://b:8080/wsman"),
        ("hyperv://a@[::1]", "https://[::1]:5986/wsman"),
        ("hyperv://a@b?auth=kerberos", "https://b:5986/wsman"),
    ],
)
def test_an_address_says_over_what_to_speak(url: str, endpoint: str) -> None:
    assert read_address(parse(url)).endpoint == endpoint


def test_the_deadline_for_reading_stands_in_the_address(host: PracticeHost) -> None:
    host.set_faults(script_hangs=2)
    with open_session(host, host.url + "&deadline=1") as session:
        assert session.read_s == 1
        with pytest.raises(DeadlineExceeded, match="within 1 s"):
            session.run("echo", deadline_s=session.read_s)


def test_basic_where_the_host_does_not_offer_it_is_told(host: PracticeHost) -> None:
    with pytest.raises(CredentialsError, match="does not accept Basic"):
        open_session(host, http_url(host, "?http=1&auth=basic&unencrypted=1"))


def test_kerberos_without_its_package_is_told(
    host: PracticeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("winrm.transport.HAVE_KERBEROS", False)
    with pytest.raises(ConnectionFailed, match="Kerberos") as caught:
        open_session(host, host.url + "&auth=kerberos")
    assert "pywinrm[kerberos]" in caught.value.remedy


# -- what is there instead of WinRM ---------------------------------------------------------------


def test_http_where_https_is_and_the_reverse_are_told(host: PracticeHost) -> None:
    with pytest.raises(ConnectionFailed, match="does not speak TLS") as caught:
        open_session(host, f"hyperv://{host.user}@{host.host}:{host.port}")
    assert http_url(host) in caught.value.remedy
    with pytest.raises(ConnectionFailed, match="does not speak plain HTTP") as caught:
        open_session(host, f"hyperv://{host.user}@{host.host}:{host.https_port}?http=1")
    assert f"hyperv://{host.user}@{host.host}:{host.https_port}" in caught.value.remedy


@pytest.mark.parametrize("options", ["", "?http=1"])
def test_where_winrm_is_off_the_remedy_turns_it_on(host: PracticeHost, options: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        with pytest.raises(ConnectionFailed, match="is closed") as caught:
            open_session(host, f"hyperv://a@127.0.0.1:{taken.getsockname()[1]}{options}")
    assert "Enable-PSRemoting" in caught.value.remedy


class NotThere(http.server.BaseHTTPRequestHandler):
    status = 404

    def do_POST(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("status", "words"), [(404, "WinRM does not listen"), (503, "not available"), (418, "418")]
)
def test_another_web_server_is_told(host: PracticeHost, status: int, words: str) -> None:
    handler = type("Handler", (NotThere,), {"status": status})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(ConnectionFailed, match=words) as caught:
            open_session(host, f"hyperv://a@127.0.0.1:{server.server_port}?http=1")
    finally:
        server.shutdown()
        server.server_close()
    assert "Enable-PSRemoting" in caught.value.remedy


@pytest.mark.parametrize("first", [b"", b"hello\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\x15\x03\x03"])
def test_any_server_that_is_no_winrm_gives_an_error_with_a_remedy(
    host: PracticeHost, first: bytes
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def answer() -> None:
            with server.accept()[0] as client:
                client.recv(1000)
                client.sendall(first)

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(ConnectionFailed) as caught:
            open_session(host, f"hyperv://a@127.0.0.1:{server.getsockname()[1]}?http=1")
    assert caught.value.remedy


# -- what breaks on the way -----------------------------------------------------------------------


def test_a_script_that_hangs_is_stopped_at_the_deadline(host: PracticeHost, session: WinRm) -> None:
    host.set_faults(script_hangs=1)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"within 1\.5 s; it was stopped") as caught:
        session.run("echo", deadline_s=1.5)
    assert time.monotonic() - began < 60
    assert caught.value.remedy
    assert session.run("echo", 1, deadline_s=30) == {"given": 1}


def test_a_sleeping_script_is_stopped_on_the_host_too(
    host: PracticeHost, session: WinRm, scripts: dict[str, str]
) -> None:
    scripts["sleep"] = "Start-Sleep -Seconds 5; Hyper-V\\Stop-VM nested-hv-02 -TurnOff -Force"
    with pytest.raises(DeadlineExceeded):
        session.run("sleep", deadline_s=1)
    time.sleep(5)
    scripts["state"] = "[string](Hyper-V\\Get-VM nested-hv-02).State"
    assert session.run("state", deadline_s=30) == "Running"


def test_an_expired_shell_is_opened_again_and_that_is_said(
    host: PracticeHost, session: WinRm
) -> None:
    host.set_faults(expire_after=1)
    with pytest.warns(SessionRenewedWarning, match="another shell was opened"):
        assert session.run("echo", 1, deadline_s=30) == {"given": 1}


@pytest.mark.parametrize("fault", ["drop_after", "drop_answer", "expire_after"])
@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_a_read_survives_one_break_wherever_it_is(
    host: PracticeHost, session: WinRm, fault: str, call: int
) -> None:
    before = len(shells(host))
    host.set_faults({fault: call})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SessionRenewedWarning)
        assert session.run("echo", call, deadline_s=30, repeatable=True) == {"given": call}
        assert session.run("echo", call, deadline_s=30, repeatable=True) == {"given": call}
    assert len(shells(host)) == before


@pytest.mark.parametrize("fault", ["drop_after", "drop_answer", "expire_after"])
def test_a_change_whose_end_is_not_known_is_not_made_twice(
    host: PracticeHost, session: WinRm, scripts: dict[str, str], fault: str
) -> None:
    scripts["make"] = "param($given)\n$null = Hyper-V\\New-VM -Name $given"
    scripts["count"] = "param($given)\n@(Hyper-V\\Get-VM -Name $given).Count"
    name = f"made-{fault}-{session.address.port}"
    host.set_faults({fault: 3})  # Receive: the script has begun
    with pytest.raises(ConnectionFailed, match="may have been done or not") as caught:
        session.run("make", name, deadline_s=30)
    assert "nestkit resume" in caught.value.remedy
    host.set_faults()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SessionRenewedWarning)
        assert session.run("count", name, deadline_s=30) in (0, 1)


def test_a_host_that_goes_away_ends_in_an_error_and_a_closed_session() -> None:
    with nk.practice.start("hyperv") as p:
        session = open_session(p)
    with pytest.raises(SessionExpired, match="another shell cannot be had"):
        session.run("echo", deadline_s=30)
    session.close()


def test_whatever_breaks_leaves_no_shell_behind(host: PracticeHost) -> None:
    before = len(shells(host))
    for fault in ({"drop_answer": 3}, {"expire_after": 2}, {"script_hangs": 1}, {"drop_after": 4}):
        for url in (host.url, http_url(host)):
            session = open_session(host, url)
            host.set_faults(fault)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SessionRenewedWarning)
                with suppress(NestkitError):
                    session.run("echo", deadline_s=1.5)
            session.close()
            host.set_faults()
    assert len(shells(host)) == before


def test_a_login_that_breaks_off_is_an_error(host: PracticeHost) -> None:
    host.set_faults(drop_after=1)
    with pytest.raises(ConnectionFailed, match="while logging in"):
        open_session(host)


@pytest.mark.parametrize("count", [0, 30, 200])
def test_output_that_is_cut_off_is_told(host: PracticeHost, session: WinRm, count: int) -> None:
    host.set_faults(truncate_output=count or 1)
    with pytest.raises(ConnectionFailed, match=r"cut off|no document"):
        session.run("echo", "x" * 400, deadline_s=30)


def test_a_secret_among_the_parameters_arrives_and_shows_nowhere(
    host: PracticeHost, session: WinRm, scripts: dict[str, str]
) -> None:
    assert session.run("echo", [Secret(HUSH)], deadline_s=30) == {"given": [HUSH]}
    scripts["fail"] = "param($given)\nthrow 'no'"
    try:
        session.run("fail", {"password": Secret(HUSH)}, deadline_s=30)
    except NestkitError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert HUSH not in "".join(shown.format())
    else:
        raise AssertionError("it did not fail")


def test_the_users_password_shows_in_no_frame(host: PracticeHost) -> None:
    for fault in ({"drop_after": 3}, {"truncate_output": 1}):
        with open_session(host) as session:
            host.set_faults(fault)
            try:
                session.run("echo", deadline_s=30)
            except NestkitError as error:
                shown = traceback.TracebackException.from_exception(error, capture_locals=True)
                assert host.password not in "".join(shown.format())
            else:
                raise AssertionError("it did not fail")
            host.set_faults()


def test_an_interrupted_run_ends_its_script_and_the_session_goes_on(
    host: PracticeHost, session: WinRm, scripts: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts["wait"] = "Start-Sleep -Seconds 4; Hyper-V\\Stop-VM nested-hv-13 -TurnOff -Force"
    scripts["state"] = "[string](Hyper-V\\Get-VM nested-hv-13).State"

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(session._shell._protocol, "get_command_output_raw", interrupted)
        session.run("wait", deadline_s=30)
    time.sleep(4.5)
    assert session.run("state", deadline_s=30) == "Running"
