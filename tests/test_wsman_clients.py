"""Unmodified clients of WS-Management against the practice Hyper-V host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import winrm
from winrm.exceptions import InvalidCredentialsError
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
