"""Managed objects: what the API's references point to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from nestkit.practice.esx.api import VmomiSupport

if TYPE_CHECKING:
    from nestkit.practice.esx.world import World

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


def add(world: World, kind: Any, moid: str, **props: Callable[[], Any]) -> None:
    """Put a managed object into the world."""
    world.objects[moid] = Managed(kind, moid, props)


def entity(
    world: World, kind: Any, moid: str, name: str, parent: Any, **props: Callable[[], Any]
) -> None:
    """Put a managed entity into the world: something with a name and a parent."""
    common: dict[str, Callable[[], Any]] = {
        "name": lambda: name,
        "overallStatus": lambda: "green",
        "configStatus": lambda: "green",
        "recentTask": lambda: world.recent_tasks(moid),
    }
    if parent is not None:
        common["parent"] = lambda: parent
    add(world, kind, moid, **{**common, **props})
