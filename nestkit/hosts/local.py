"""``local://``: the machine nestkit runs on. It can be judged; there is nothing to configure."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from nestkit.errors import NotFound, PlanError
from nestkit.facts import Fact, HostFacts, Platform, Unknown
from nestkit.hosts.base import Closing
from nestkit.plans import Json, Step, Target


class LocalHost(Closing):
    """The machine nestkit runs on, as a host.

    Parameters
    ----------
    root
        Where /proc and /sys lie: another folder shows a recorded machine instead of this one.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = root
        self._facts: HostFacts | None = None

    @property
    def identity(self) -> str:
        """A UUID of this machine, the same each time."""
        return self._read().identity

    @property
    def platform(self) -> Platform:
        """Always local."""
        return "local"

    @property
    def is_practice(self) -> bool:
        """Never: what it says is true of this machine."""
        return False

    def read(self, vm: str | None = None) -> HostFacts:
        """Facts of this machine, and whether the lab can run here and how.

        Raises
        ------
        NotFound
            If a VM is asked for: this host has none that nestkit could name.
        """
        if vm is not None:
            raise NotFound(
                f"there is no VM {vm!r}: local:// is this machine alone",
                remedy="leave the VM out, or give the address of an ESXi or Hyper-V host",
            )
        accelerator, reason = _lab()
        return replace(self._read(), lab_accelerator=accelerator, lab_reason=reason)

    def current(self, target: Target, property: str) -> Json:  # noqa: A002  (pinned name)
        """Refuse: no property of this machine is configured."""
        self._refuse()

    def perform(
        self, step: Step, deadline_s: float, on_task: Callable[[str], None] | None = None
    ) -> None:
        """Refuse: no step is carried out on this machine."""
        self._refuse()

    def _read(self) -> HostFacts:
        if self._facts is None:
            name = platform.node() or "this machine"
            if self._root is not None or sys.platform == "linux":
                from nestkit.hosts import local_linux

                self._facts = local_linux.read(name, self._root or Path("/"))
            else:
                from nestkit.hosts import local_other

                self._facts = local_other.read(name)
        return self._facts

    def _refuse(self) -> NoReturn:
        raise PlanError(
            "local:// is judged, not configured",
            remedy="give the address of an ESXi or Hyper-V host, or practise with practice://esx",
        )


def _lab() -> tuple[Fact[str], Fact[str]]:
    """The lab's accelerator and the reason for it; a lab that cannot say leaves both unknown."""
    try:
        from nestkit import lab

        accelerator, reason = lab.capability()
        return str(accelerator), str(reason)
    except Exception as error:  # noqa: BLE001  (whatever stops the lab must not stop a preflight)
        unknown = Unknown(f"the lab cannot say: {error or type(error).__name__}".splitlines()[0])
        return unknown, unknown
