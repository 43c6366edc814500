"""Running what a shell was asked to run: one thread a command."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from nestkit.practice.hyperv import playing
from nestkit.practice.hyperv.programs import (
    Builtin,
    Unusable,
    decode_input,
    encode_output,
    understand,
)
from nestkit.practice.hyperv.security import Account
from nestkit.practice.hyperv.shells import Command, Shell
from nestkit.practice.hyperv.world import Cancelled, Session, World

_RESTART_S: Final = 0.2  # the answer still leaves before a restarting host ends its shells
_FOREIGN_OUTPUT: Final = "WARNING: something else wrote to standard output\r\n"


class Runs:
    """Starts programs for shells."""

    def __init__(self, world: World, account: Account, end_shells: Callable[[], None]) -> None:
        self._world = world
        self._account = account
        self._end_shells = end_shells

    def launch(self, shell: Shell, command: Command) -> None:
        """Start the program of a command and return at once."""
        threading.Thread(
            target=self._run, args=(shell, command), name="practice-command", daemon=True
        ).start()

    def _run(self, shell: Shell, command: Command) -> None:
        def tell(stream: str, text: str) -> None:
            if text:
                command.write(stream, encode_output(text, shell.codepage))

        exit_code = 1
        try:
            wanted = understand(command.line, command.arguments, skip_cmd=command.skip_cmd)
            if isinstance(wanted, Builtin):
                tell("stdout", self._builtin(wanted.name))
                exit_code = 0
                return
            if self._world.faults.spend("script_hangs"):
                command.cancelled.wait()
                return
            stdin: Callable[[], bytes] = command.read_stdin
            text = wanted.text
            if text is None:
                text = decode_input(stdin(), shell.codepage)
                stdin = bytes
            played = playing.play(
                text,
                self._session(command),
                lambda: decode_input(stdin(), shell.codepage),
                clixml_errors=wanted.clixml,
            )
            faults = self._world.faults.now
            output = (_FOREIGN_OUTPUT if faults.not_json else "") + played.stdout
            data = encode_output(output, shell.codepage)
            command.write("stdout", data[: faults.truncate_output or len(data)])
            tell("stderr", played.stderr)
            exit_code = played.exit_code
        except Unusable as error:
            tell("stderr", error.message + "\r\n")
            exit_code = error.exit_code
        except Cancelled:
            pass
        except Exception as error:  # noqa: BLE001  (the host stays up; the client is told)
            tell("stderr", f"internal error of the practice host: {type(error).__name__}\r\n")
        finally:
            command.finish(exit_code)

    def _session(self, command: Command) -> Session:
        def restart() -> None:
            threading.Timer(_RESTART_S, self._end_shells).start()

        return Session(
            self._world,
            self._world.host,
            self._account.user,
            self._account.password,
            cancelled=command.cancelled,
            on_restart=restart,
        )

    def _builtin(self, name: str) -> str:
        host = self._world.host
        return {
            "hostname": f"{host.name}\r\n",
            "whoami": f"{host.name.lower()}\\{self._account.user.lower()}\r\n",
            "ver": f"\r\nMicrosoft Windows [Version 10.0.{host.build}.1]\r\n",
        }[name]
