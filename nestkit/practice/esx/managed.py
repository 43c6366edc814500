"""Managed objects: what the API's references point to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from nestkit.practice.esx.api import VmomiSupport

REFS: Final = VmomiSupport.ManagedObject.Array


class Managed:
    """One managed object: its type, its id, and how to read its properties."""

    __slots__ = ("kind", "moid", "props")

    def __init__(self, kind: Any, moid: str, props: dict[str, Callable[[], Any]]) -> None:
        self.kind, self.moid, self.props = kind, moid, props

    def value(self, name: str) -> Any:
        """A property, or None when it is unset."""
        read = self.props.get(name)
        return read() if read else None

    def names(self) -> Iterator[str]:
        """The properties it has."""
        yield from self.props

    @property
    def ref(self) -> Any:
        """What the API calls a managed object reference."""
        return self.kind(self.moid)

    @property
    def unreadable(self) -> bool:
        """Whether the user may see that it exists, but nothing in it."""
        return False
