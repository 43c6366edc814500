"""A Hyper-V host whose scripts are played in this process: the same scripts, no wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from nestkit.addresses import parse
from nestkit.credentials import Secret
from nestkit.errors import NestkitError
from nestkit.hosts.hyperv import HyperVHost
from nestkit.practice.faults import Faults, Switchboard
from nestkit.practice.hyperv.inventory import default_path, load
from nestkit.practice.hyperv.playing import play
from nestkit.practice.hyperv.world import Session, World
from nestkit.resources import powershell_script
from nestkit.transport.winrm_answers import read_answer

PASSWORD = "secret"


class PlayedSession:
    """Stands where a WinRm session stands."""

    address = parse("hyperv://Administrator@played")
    read_s = 60.0

    def __init__(self, profile: str = "default", vms: int = 0, **faults: Any) -> None:
        inventory = load(default_path(), profile=profile, vms=vms)
        board = Switchboard(Faults(**faults))
        self.world = World(lambda: inventory.host, board)
        self.world.is_administrator = inventory.is_administrator
        self.runs: list[str] = []

    @property
    def session(self) -> Session:
        return Session(self.world, self.world.host, "Administrator", PASSWORD)

    def run(
        self,
        script: str,
        parameters: Any = None,
        *,
        deadline_s: float,
        repeatable: bool = False,
        on_start: Callable[[str], None] | None = None,
    ) -> Any:
        self.runs.append(script)
        document = {
            "script": powershell_script(script),
            "parameters": parameters,
            "begin": "begin",
            "end": "end",
        }
        given = json.dumps(document, default=Secret.reveal)
        done = play(powershell_script("_run"), self.session, lambda: given, clixml_errors=True)
        out, err = done.stdout.encode(), done.stderr.encode()
        data, failure = read_answer(script, out, err, done.exit_code, "begin", "end")
        if isinstance(failure, NestkitError):
            raise failure
        return data

    def close(self) -> None:
        """Nothing to let go of."""


def played_host(profile: str = "default", vms: int = 0, **faults: Any) -> HyperVHost:
    session: Any = PlayedSession(profile, vms, **faults)
    return HyperVHost(session, Secret(PASSWORD))
