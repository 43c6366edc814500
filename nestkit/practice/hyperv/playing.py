"""Playing a script: the evaluator with this host's cmdlets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from nestkit.practice.hyperv import (  # noqa: F401  (importing them registers cmdlets)
    cim,
    cmdlet_table,
    cmdlets_checkpoints,
    cmdlets_network,
    cmdlets_settings,
    cmdlets_vm,
    cmdlets_windows_network,
    direct,
)
from nestkit.practice.hyperv.arguments import bind
from nestkit.practice.hyperv.cmdlet_table import CmdletTable
from nestkit.practice.hyperv.cmdlets_host import natives
from nestkit.practice.hyperv.model import WS2025, Computer
from nestkit.practice.hyperv.powershell import Interpreter, Limits, clixml
from nestkit.practice.hyperv.world import Session

LIMITS: Final = Limits(seconds=300.0)  # Start-Sleep counts; work itself is bounded by steps
_NOISE: Final = ("Preparing modules for first use.", "Loading the practice host's modules.")


@dataclass(frozen=True, slots=True)
class Played:
    """What powershell.exe left behind."""

    stdout: str
    stderr: str
    exit_code: int


def table_for(computer: Computer) -> CmdletTable:
    """The cmdlets and parameters of a computer's Windows."""
    return cmdlet_table.load("ws2025" if computer.build >= WS2025 else "ws2022")


def play(text: str, session: Session, stdin: Callable[[], str], *, clixml_errors: bool) -> Played:
    """Run a script as powershell.exe would.

    ``stdin`` is read, and its end waited for, when the script first asks for it.
    """
    interpreter = Interpreter(
        bind(session),
        table_for(session.computer),
        limits=LIMITS,
        natives=natives(session),
        computer=session.computer.name,
        on_sleep=session.wait,
    )
    result = interpreter.run(text, stdin, clixml=clixml_errors)
    stderr = result.stderr
    if clixml_errors and session.world.faults.now.progress_noise:
        stderr = with_noise(stderr)
    return Played(result.stdout, stderr, result.exit_code)


def with_noise(stderr: str) -> str:
    """Progress records before what is there."""
    noise = [clixml.progress(n, text, "", done=True) for n, text in enumerate(_NOISE)]
    quiet = clixml.document(noise)
    if not stderr:
        return quiet
    return quiet.removesuffix("</Objs>") + stderr[stderr.index('04">') + 4 :]
