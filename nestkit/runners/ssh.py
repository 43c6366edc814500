"""Programs on a machine that ssh reaches: a lab of your own, a nested guest behind its host."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final, get_args

from nestkit.errors import AddressError, LabError
from nestkit.facts import Unknown
from nestkit.runners.base import Acceleration, ExecResult, LayerFacts
from nestkit.runners.linuxfacts import (
    FACTS_ARGV,
    PROGRAMS,
    hypervisor_leaves,
    linux_extra,
    linux_facts,
    split_texts,
)
from nestkit.runners.remote import RemoteRunner
from nestkit.runners.sshclient import Ended, SshClient
from nestkit.runners.topology import cross_checked

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# what quoting must bring through: shells that are none of POSIX's differ here
_TRICKY: Final = "a'b\\c\nd!$e`f\"%"


class SshRunner(RemoteRunner):
    """Runs programs on a Linux machine through the system's OpenSSH client.

    Host keys are verified, and no password is ever asked for: keys, an agent, or whatever the
    client does without asking. Nothing is left running there when a deadline passes, this
    runner is closed, or this program ends in whatever way.

    Parameters
    ----------
    target
        ``host`` or ``user@host``, or an alias of the client's own configuration.
    depth
        Hypervisors between the programs and the machine nestkit runs on, or the hypervisor
        host they stand on: 1 for a VM, 2 for a VM inside it.
    acceleration
        What runs this layer's CPU: "esxi", "hyper-v", "kvm", "tcg", or "none" for bare metal.
    stack
        Hypervisors, outermost first: "ESXi > KVM". By default the acceleration's name.
    emulated
        True if an emulator stands anywhere below.
    port
        Of the machine; 22, or the client's own choice, by default.
    jump
        Hosts to go through, nearest first: an inner guest is often reached through the outer.
    identity, known_hosts
        Files to use instead of the user's own.
    path
        Folders on the machine that are searched for programs first.
    connect_timeout
        Seconds.
    extra
        Facts to add; ``disk`` names what disk workloads may read and write.
    """

    def __init__(
        self,
        target: str,
        *,
        depth: int,
        acceleration: Acceleration,
        stack: str = "",
        emulated: bool = False,
        port: int | None = None,
        jump: str | Sequence[str] = (),
        identity: Path | None = None,
        known_hosts: Path | None = None,
        path: Sequence[str] = (),
        connect_timeout: float = 15.0,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        if isinstance(depth, bool) or not isinstance(depth, int) or depth < 0:
            raise AddressError(f"{depth!r} is no depth", remedy="use 0 for a host, 1 for a VM, …")
        if acceleration not in get_args(Acceleration):
            raise AddressError(
                f"{acceleration!r} is no acceleration",
                remedy=f"use one of {', '.join(get_args(Acceleration))}",
            )
        if port is not None and (type(port) is not int or not 0 < port < 65536):
            raise AddressError(f"{port!r} is no port", remedy="use 1 to 65535, or leave it out")
        super().__init__(depth)
        self._acceleration = acceleration
        self._stack = stack or acceleration.upper()
        self._emulated = emulated or acceleration == "tcg"
        self._path = ":".join(path)
        self._extra = dict(extra or {})
        self._client = SshClient(
            target,
            port=port,
            jump=(jump,) if isinstance(jump, str) else jump,
            identity=identity,
            known_hosts=known_hosts,
            connect_timeout=connect_timeout,
        )

    def run(
        self, argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None
    ) -> ExecResult:
        """Run a program to its end; what cannot be run is refused before anything is sent."""
        self._words(argv, env or {})
        return super().run(argv, timeout=timeout, env=env)

    def _execute(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        stdin: BinaryIO | None = None,
        sink: BinaryIO | None = None,
    ) -> Ended:
        words = self._words(argv, env or {})
        return self._client.execute(words, timeout=timeout, stdin=stdin, sink=sink)

    def _prepare(self) -> None:
        said = self._client.execute(["printf", "%s", _TRICKY], timeout=60).stdout.decode()
        if said != _TRICKY:
            raise LabError(
                f"the login shell of {self._client.target} does not quote as POSIX shells do",
                remedy="use an account whose login shell is sh, bash, dash, ksh or zsh",
            )

    def _words(self, argv: Sequence[str], env: Mapping[str, str]) -> list[str]:
        if not argv or not argv[0]:
            raise LabError("there is no command to run", remedy="name a program, say uname -a")
        if any("\0" in word for word in (*argv, *env.values())):
            raise LabError("a command holds no NUL byte", remedy="put it in a file and copy that")
        if wrong := [name for name in env if not _VARIABLE.fullmatch(name)]:
            raise LabError(
                f"{wrong[0]!r} is no name for a variable", remedy="use letters, digits and _"
            )
        if not env and not self._path:
            return list(argv)
        script = "".join(f"export {name}=$1; shift; " for name in env)
        if self._path:
            script = f"PATH=$1:$PATH; shift; {script}"
        first = [self._path] if self._path else []
        return ["sh", "-c", f'{script}exec "$@"', "sh", *first, *env.values(), *argv]

    def facts(self) -> LayerFacts:
        """What the machine's kernel says, CPUID where the probe is there, and how it was reached.

        The places of the benchmark's programs are looked up: ``extra["path:NAME"]``.
        """
        texts = split_texts(self.run(FACTS_ARGV, timeout=120).stdout)
        find = 'for p in "$@"; do echo "$p $(command -v "$p")"; done'
        lines = self.run(["sh", "-c", find, "sh", *PROGRAMS], timeout=60).stdout.splitlines()
        places = dict(line.split(" ", 1) for line in lines)
        leaves: tuple[str, ...] | Unknown = Unknown("there is no nestkit-probe on that machine")
        if places.get("nestkit-probe"):
            leaves = hypervisor_leaves(self.run(["nestkit-probe", "leaves"], timeout=60).stdout)
        facts = LayerFacts(
            layer=self.layer,
            depth=self._depth,
            stack=self._stack,
            acceleration=self._acceleration,
            emulated=self._emulated,
            hypervisor_leaves=leaves,
            extra={
                **{f"path:{name}": place for name, place in places.items() if place},
                **linux_extra(texts),
                **self._extra,
            },
            **linux_facts(texts),
        )
        return cross_checked(facts)

    def close(self) -> None:
        """End the connection. Safe to call twice."""
        self._client.close()
