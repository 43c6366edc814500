"""Unmodified clients of WS-Management against the practice Hyper-V host."""

from __future__ import annotations

import base64
import ssl
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from pypsrp.client import Client
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)
from winrm.protocol import Protocol

from nestkit import practice
from nestkit.practice import PracticeHost


@pytest.fixture(scope="module")
def host() -> Iterator[PracticeHost]:
    with practice.start("hyperv") as p:
        yield p


def protocol(host: PracticeHost, **more: Any) -> Protocol:
    given = {
        "endpoint": f"http://127.0.0.1:{host.port}/wsman",
        "transport": "ntlm",
        "username": host.user,
        "password": host.password,
        "message_encryption": "always",
        "proxy": None,
    }
    return Protocol(**(given | more))


def run(client: Protocol, line: str, *, codepage: int = 65001, stdin: str = "") -> Any:
    shell = client.open_shell(codepage=codepage, noprofile=True)
    try:
        command = client.run_command(shell, line)
        if stdin:
            client.send_command_input(shell, command, stdin.encode(), end=True)
        return client.get_command_output(shell, command)
    finally:
        client.close_shell(shell)


def test_pywinrm_runs_a_program_over_ntlm_with_encryption(host: PracticeHost) -> None:
    assert run(protocol(host), "hostname") == (b"HV01\r\n", b"", 0)


@pytest.fixture(scope="module")
def trusted(host: PracticeHost, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("trust") / "host.pem"
    path.write_text(ssl.get_server_certificate((host.host, host.https_port)))
    return str(path)


@pytest.mark.parametrize("transport", ["ntlm", "basic", "ssl"])
def test_pywinrm_runs_a_program_over_verified_https(
    host: PracticeHost, trusted: str, transport: str
) -> None:
    client = protocol(
        host,
        endpoint=f"https://localhost:{host.https_port}/wsman",
        transport=transport,
        message_encryption="auto",
        ca_trust_path=trusted,
    )
    assert run(client, "hostname") == (b"HV01\r\n", b"", 0)


def test_a_certificate_that_nobody_trusts_stops_the_client(host: PracticeHost) -> None:
    client = protocol(
        host,
        endpoint=f"https://localhost:{host.https_port}/wsman",
        message_encryption="auto",
        ca_trust_path=None,
    )
    with pytest.raises(requests.exceptions.SSLError):
        run(client, "hostname")


@pytest.mark.parametrize(
    "user", ["Administrator", "administrator", "HV01\\Administrator", ".\\Administrator"]
)
def test_the_user_may_name_the_host_or_not(host: PracticeHost, user: str) -> None:
    assert run(protocol(host, username=user), "whoami")[0] == b"hv01\\administrator\r\n"


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"username": "Nobody"}])
@pytest.mark.parametrize("transport", ["ntlm", "basic"])
def test_wrong_credentials_are_refused(
    host: PracticeHost, trusted: str, transport: str, wrong: dict[str, str]
) -> None:
    secure = {
        "endpoint": f"https://localhost:{host.https_port}/wsman",
        "transport": transport,
        "message_encryption": "auto",
        "ca_trust_path": trusted,
    }
    with pytest.raises(InvalidCredentialsError):
        run(protocol(host, **(secure | wrong)), "hostname")
    if transport == "ntlm":
        with pytest.raises(InvalidCredentialsError):
            run(protocol(host, **wrong), "hostname")


def test_basic_over_plain_http_is_refused(host: PracticeHost) -> None:
    client = protocol(host, transport="basic", message_encryption="auto")
    with pytest.raises(InvalidCredentialsError):
        run(client, "hostname")


def test_an_unencrypted_body_over_http_is_refused(host: PracticeHost) -> None:
    client = protocol(host, message_encryption="never")
    with pytest.raises(WinRMTransportError) as raised:
        run(client, "hostname")
    assert raised.value.code == 500
    assert "encryption" in raised.value.response_text


def test_http_where_https_is_gives_no_answer_but_an_error(host: PracticeHost) -> None:
    client = protocol(host, endpoint=f"http://127.0.0.1:{host.https_port}/wsman")
    with pytest.raises((requests.exceptions.ConnectionError, WinRMTransportError)):
        run(client, "hostname")


def test_the_code_page_decides_about_letters(host: PracticeHost) -> None:
    text = "'Müller 日本'"
    encoded = base64.b64encode(text.encode("utf-16-le")).decode()
    line = f"powershell -EncodedCommand {encoded}"
    assert run(protocol(host), line)[0].decode() == "Müller 日本\r\n"
    assert run(protocol(host), line, codepage=437)[0] == b"M\x81ller ??\r\n"


def test_a_program_that_is_not_there(host: PracticeHost) -> None:
    out, err, code = run(protocol(host), "frobnicate /all")
    assert (out, code) == (b"", 1)
    assert b"'frobnicate' is not recognized" in err


def test_a_command_line_longer_than_cmd_takes_is_refused(host: PracticeHost) -> None:
    out, err, code = run(protocol(host), "powershell -EncodedCommand " + "QQA=" * 2_100)
    assert (out, err, code) == (b"", b"The command line is too long.\r\n", 1)


def test_pypsrp_runs_a_program(host: PracticeHost) -> None:
    with Client(
        "127.0.0.1",
        port=host.port,
        ssl=False,
        auth="ntlm",
        encryption="always",
        username=host.user,
        password=host.password,
    ) as client:
        assert client.execute_cmd("hostname") == ("HV01\r\n", "", 0)


def test_pypsrp_over_spnego_and_https(host: PracticeHost, trusted: str) -> None:
    with Client(
        "localhost",
        port=host.https_port,
        auth="negotiate",
        negotiate_service="HTTP",
        cert_validation=trusted,
        username=host.user,
        password=host.password,
    ) as client:
        assert client.execute_cmd("hostname") == ("HV01\r\n", "", 0)


def test_shells_are_limited_and_come_free_again(host: PracticeHost) -> None:
    client = protocol(host)
    shells = []
    try:
        with pytest.raises(WSManFaultError) as raised:
            for _ in range(31):
                shells.append(client.open_shell())
        assert raised.value.wsman_fault_code == 2150859173
        assert len(shells) == 30
    finally:
        for shell in shells:
            client.close_shell(shell, close_session=False)
    client.close_shell(client.open_shell())


def test_a_shell_that_is_not_there_is_a_fault(host: PracticeHost) -> None:
    with pytest.raises(WSManFaultError) as raised:
        protocol(host).run_command("11111111-2222-3333-4444-555555555555", "hostname")
    assert raised.value.wsman_fault_code == 2150858843


def test_a_shell_ends_when_it_was_idle_too_long() -> None:
    with practice.start("hyperv", session_s=1) as p:
        client = protocol(p)
        shell = client.open_shell()
        time.sleep(1.3)
        with pytest.raises(WSManFaultError) as raised:
            client.run_command(shell, "hostname")
        assert raised.value.wsman_fault_code == 2150858843


def test_a_script_that_hangs_times_out_again_and_again_and_can_be_stopped() -> None:
    with practice.start("hyperv", faults={"script_hangs": 1}) as p:
        client = protocol(p, operation_timeout_sec=1, read_timeout_sec=5)
        shell = client.open_shell()
        command = client.run_command(shell, "powershell -Command 1")
        for _ in range(2):
            with pytest.raises(WinRMOperationTimeoutError):
                client.get_command_output_raw(shell, command)
        client.cleanup_command(shell, command)
        with pytest.raises(WSManFaultError):
            client.get_command_output_raw(shell, command)
        again = client.run_command(shell, "hostname")
        assert client.get_command_output(shell, again)[0] == b"HV01\r\n"
        client.close_shell(shell)


@pytest.mark.parametrize("fault", ["drop_after", "drop_answer"])
def test_the_connection_breaks_once(fault: str) -> None:
    with practice.start("hyperv", faults={fault: 2}) as p:
        client = protocol(p)
        shell = client.open_shell()
        with pytest.raises(requests.exceptions.ConnectionError):
            client.run_command(shell, "hostname")
        assert run(protocol(p), "hostname")[2] == 0


def test_shells_expire_once_on_request() -> None:
    with practice.start("hyperv", faults={"expire_after": 2}) as p:
        with pytest.raises(WSManFaultError) as raised:
            run(protocol(p), "hostname")
        assert raised.value.wsman_fault_code == 2150858843
        assert run(protocol(p), "hostname")[2] == 0


def test_the_credential_file_is_private_and_goes_with_the_host(state_dir: Path) -> None:
    folder = state_dir / "practice-hyperv-credentials"
    with practice.start("hyperv"):
        (mine,) = folder.iterdir()
        assert stat.S_IMODE(mine.stat().st_mode) == 0o700
        assert stat.S_IMODE((mine / "accounts").stat().st_mode) == 0o600
    assert list(folder.iterdir()) == []


def test_what_a_killed_host_left_is_swept_by_the_next(state_dir: Path) -> None:
    folder = state_dir / "practice-hyperv-credentials"
    with practice.start("hyperv") as killed:
        psutil.Process(killed.pid).kill()
    assert len(list(folder.iterdir())) == 1
    with practice.start("hyperv"):
        (mine,) = folder.iterdir()
        assert not mine.name.startswith(f"{killed.pid}-")


def test_the_address_carries_the_tls_port_the_pin_and_no_password(host: PracticeHost) -> None:
    assert host.url == f"hyperv://Administrator@127.0.0.1:{host.https_port}?pin={host.fingerprint}"
    assert host.port != host.https_port
    assert host.password not in repr(host)


def test_reset_brings_the_first_state_back_and_ends_shells() -> None:
    with practice.start("hyperv") as p:
        client = protocol(p)
        shell = client.open_shell()
        state = "[string](Get-VM nested-hv-01).State"
        line = f'powershell -Command "Stop-VM nested-hv-01 -TurnOff; {state}"'
        command = client.run_command(shell, line)
        assert client.get_command_output(shell, command) == (b"Off\r\n", b"", 0)
        p.reset()
        with pytest.raises(WSManFaultError):
            client.run_command(shell, line)
        assert run(protocol(p), f'powershell -Command "{state}"')[0] == b"Running\r\n"


def test_the_shared_host_is_joined_and_stopped(state_dir: Path) -> None:
    first = practice.join("hyperv", {"profile": "amd-ws2019"})
    try:
        second = practice.join("hyperv", {"profile": "amd-ws2019"})
        assert (first.pid, first.port, first.password) == (second.pid, second.port, second.password)
        assert run(protocol(second), "hostname")[2] == 0
    finally:
        assert practice.stop("hyperv") == 1
    psutil.wait_procs(
        [psutil.Process(first.pid)] if psutil.pid_exists(first.pid) else [], timeout=60
    )
    assert list((state_dir / "practice-hyperv-credentials").iterdir()) == []


def test_slow_answers_are_slow(host: PracticeHost) -> None:
    host.set_faults(slow_answer=0.4)
    try:
        start = time.monotonic()
        run(protocol(host), "hostname")
        assert time.monotonic() - start > 1.5
    finally:
        host.set_faults()
