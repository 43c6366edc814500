"""Profiles of inventories, and what a seed does to them: the same for every kind of host."""

from __future__ import annotations

import random
from typing import Any

from nestkit.errors import PracticeError
from nestkit.practice.tables import Source, Table, repeated


def names(source: Source) -> list[str]:
    """The names of the profiles an inventory offers."""
    return sorted({"default", *source.data.get("profile", {})})


def overlay(source: Source, name: str, host: str) -> Table:
    """The table of a profile.

    Raises
    ------
    PracticeError
        ``host`` (what kind of practice host it is) has no such profile.
    """
    known = source.data.get("profile", {})
    if not isinstance(known, dict):
        Table(source, source.data, "").complain("profile", "must be written as [profile.NAME]")
    if name not in known and name != "default":
        raise PracticeError(
            f"the practice {host} has no profile {name!r}",
            remedy="use one of " + ", ".join(names(source)),
        )
    return Table(source, known.get(name, {}), f"profile.{name}")


def changed(source: Source, header: str, changes: Table) -> Table:
    """The table ``[header]`` with a profile's changes of it."""
    table = Table(source, source.data.get(header), header)
    given: dict[str, Any] = changes.left.pop(header, {})
    for key, value in Table(source, given, changes.header, prefix=header).left.items():
        if key not in table.left:
            table.complain(key, f"a profile sets it, but it is not a field of [{header}]")
        table.left[key] = value
    return table


def deal(tables: list[Table], seed: int | None) -> None:
    """Deal the names of the VMs out anew: each learner's VM of one name has another fault.

    The same seed always deals the same; without one the names stay where they are, and those of
    templates always.
    """
    for table, name in zip(tables, _dealt(tables, seed), strict=True):
        table.left["name"] = name


def dealt(source: Source, seed: int | None) -> dict[str, str]:
    """The name of each VM in the file → its name on a host with that seed."""
    tables = repeated(source, "vm")
    names = [str(table.left.get("name")) for table in tables]
    return dict(zip(names, _dealt(tables, seed), strict=True))


def _dealt(tables: list[Table], seed: int | None) -> list[Any]:
    names = [table.left.get("name") for table in tables]
    if seed is None:
        return names
    places = [n for n, table in enumerate(tables) if not table.left.get("template")]
    order = [names[place] for place in places]
    random.Random(f"names {seed}").shuffle(order)  # noqa: S311  (variety, not secrecy)
    for place, name in zip(places, order, strict=True):
        names[place] = name
    return names
