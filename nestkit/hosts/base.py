"""What every host can do."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

from nestkit.addresses import Address
from nestkit.credentials import Secret
from nestkit.errors import AddressError
from nestkit.facts import HostFacts, Platform, VmFacts
from nestkit.plans import Json, Step, Target

Password = str | Secret | None


@runtime_checkable
class Host(Protocol):
    """A connected host. Only :mod:`nestkit.configure` calls ``perform``."""

    @property
    def identity(self) -> str:
        """The host's own UUID."""

    @property
    def platform(self) -> Platform:
        """Which platform it is."""

    @property
    def is_practice(self) -> bool:
        """True for a practice host: nothing it says is proof for a real one."""

    def read(self, vm: str | None = None) -> HostFacts:
        """Facts of the host and of all its VMs, or of the one VM of that name or UUID.

        Raises
        ------
        NotFound
            No such VM; the message names near ones.
        Ambiguous
            Several VMs have that name; the message lists their UUIDs.
        """

    def current(self, target: Target, property: str) -> Json:  # noqa: A002  (pinned name)
        """The property's value now, after work in flight on the target has ended."""

    def perform(
        self, step: Step, deadline_s: float, on_task: Callable[[str], None] | None = None
    ) -> None:
        """Do the step and return when the host says it is done.

        ``on_task`` is called with the id of the host's task as soon as it is known.
        """

    def close(self) -> None:
        """End the session. Safe to call twice."""


@runtime_checkable
class GuestHost(Host, Protocol):
    """A host that also works inside the guests of its VMs."""

    def use_guest(
        self, user: str, password: Password = None, *, interactive: bool | None = None
    ) -> None:
        """Enter guests as this user from now on.

        ``interactive`` False asks nobody, and keeps the password that is there.

        Raises
        ------
        CredentialsError
            No password was given, found, or asked for.
        """


def refuse_other(given: object) -> None:
    """Refuse what stands where a connected host belongs: its address, a plan, nothing.

    Raises
    ------
    AddressError
        It is no connected host.
    """
    if not callable(getattr(given, "read", None)):
        raise AddressError(
            f"a connected host belongs here, not a {type(given).__name__}",
            remedy='connect first, and hand over the result: host = nk.connect("practice://esx")',
        )


class Closing:
    """A host that ends with its ``with`` block."""

    def close(self) -> None:
        """Nothing to let go of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Session(Protocol):
    """A connection by which a host is reached."""

    @property
    def address(self) -> Address:
        """Where it goes."""

    def close(self) -> None:
        """End it. Safe to call twice."""


class Connected(Closing):
    """What all hosts share that are reached by a session."""

    _session: Session
    _identity: str
    _is_practice: bool

    @property
    def identity(self) -> str:
        """The host's UUID: of its hardware or firmware, or a vCenter's own."""
        return self._identity

    @property
    def is_practice(self) -> bool:
        """True for a practice host."""
        return self._is_practice

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._session.address}>"

    def close(self) -> None:
        """End the session. Safe to call twice."""
        self._session.close()


@dataclass(frozen=True, slots=True)
class Unread:
    """A VM that could not be read, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class FleetPage:
    """Some VMs of a fleet; ``hosts`` has for each the index of its host in the fleet's."""

    vms: list[VmFacts]
    hosts: list[int]
    unread: list[Unread]


class Fleet(Protocol):
    """All VMs of a vCenter or host, in bulk. A host that has it gives it by ``fleet()``."""

    name: str
    notes: tuple[str, ...]
    hosts: list[HostFacts]

    def pages(self) -> Generator[FleetPage, None, None]:
        """The VMs as they are read; an error may come between two pages."""
