"""The PropertyCollector: which objects a filter selects, and their properties as XML."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from nestkit.practice.esx import soap
from nestkit.practice.esx.api import VmomiSupport, vim, vmodl
from nestkit.practice.esx.managed import REFS, Managed
from nestkit.practice.esx.paths import declared, pick, resolve, walk
from nestkit.practice.esx.vm_leaves import LEAVES, Refs
from nestkit.practice.esx.vm_object import VmObject
from nestkit.practice.esx.world import World

# Readable with the privilege System.View alone (API reference, property privileges).
VIEW_ONLY: Final = frozenset({"name", "parent", "datastore", "network"})
Changes = dict[str, str | None]  # path → XML of its value; None: unset
Find = Callable[[str, str], Managed]


def select(spec: Any, find: Find) -> Iterator[Managed]:
    """The objects a FilterSpec selects, each once, in order; others only lead to them.

    An object of a kind that the filter asks no property of is no result: so it is in govmomi's
    simulator too, which follows the answers of a vCenter.
    """
    named: dict[str, Any] = {}
    asked = tuple(prop.type for prop in spec.propSet)
    for start in spec.objectSet:
        _name_all(start.selectSet, named)
    seen: set[str] = set()
    for start in spec.objectSet:
        obj = find(VmomiSupport.GetWsdlName(type(start.obj)), start.obj._GetMoId())
        visited: set[tuple[str, int]] = set()
        queue: list[tuple[Managed, Any, bool]] = [(obj, start.selectSet, bool(start.skip))]
        for item, selections, skip in queue:  # grows while it is walked
            if not skip and item.moid not in seen:
                seen.add(item.moid)
                if issubclass(item.kind, asked):
                    yield item
            for selection in selections:
                step = named.get(selection.name) if _is_reference(selection) else selection
                if step is None:
                    raise vmodl.fault.InvalidArgument(invalidProperty="selectSet")
                if not issubclass(item.kind, step.type) or (item.moid, id(step)) in visited:
                    continue
                visited.add((item.moid, id(step)))
                queue.extend(
                    (
                        find(VmomiSupport.GetWsdlName(type(ref)), ref._GetMoId()),
                        step.selectSet,
                        bool(step.skip),
                    )
                    for ref in _references(item, step.path)
                )


def _is_reference(selection: Any) -> bool:
    return type(selection) is vmodl.query.PropertyCollector.SelectionSpec


def _name_all(selections: Any, named: dict[str, Any]) -> None:
    for selection in selections:
        if not _is_reference(selection):
            if selection.name:
                named[selection.name] = selection
            _name_all(selection.selectSet, named)


def _references(item: Managed, path: str) -> list[Any]:
    steps, _ = resolve(item.kind, path, _NEWEST)
    value = walk(pick(item.value(steps[0][0]), steps[0][1]), steps[1:])
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


_NEWEST: Final = "vim.version.v8_0_2_0"


@dataclass(slots=True)
class Reader:
    """Reads the properties one filter asks for, as XML."""

    spec: Any
    version: str
    paths_of: dict[Any, list[str] | None] = field(default_factory=dict)

    def paths(self, obj: Managed) -> list[str]:
        """The paths asked for on objects of this kind."""
        if obj.kind not in self.paths_of:
            self.paths_of[obj.kind] = self._plan(obj.kind)
        chosen = self.paths_of[obj.kind]
        return list(obj.names()) if chosen is None else chosen

    def _plan(self, kind: Any) -> list[str] | None:
        chosen: dict[str, None] = {}
        for prop in self.spec.propSet:
            if not issubclass(kind, prop.type):
                continue
            if prop.all:
                return None
            for path in prop.pathSet:
                resolve(kind, path, self.version)
                chosen[path] = None
        return list(chosen)

    def read(self, obj: Managed) -> tuple[Changes, list[str]]:
        """Values by path, and the paths the user may not read."""
        values: Changes = {}
        hidden: list[str] = []
        made: dict[str, Any] = {}
        vm = obj.vm if isinstance(obj, VmObject) else None
        unreadable = obj.unreadable if vm is None else vm.unreadable
        for path in self.paths(obj):
            if unreadable and path not in VIEW_ONLY:
                hidden.append(path)
            elif vm is not None and path in LEAVES:
                values[path] = leaf(LEAVES[path](vm), *self._leaf_kind(obj.kind, path))
            else:
                values[path] = self._whole(obj, path, made)
        return values, hidden

    def _leaf_kind(self, kind: Any, path: str) -> tuple[Any, str]:
        return resolve(kind, path, self.version)[1], self.version

    def _whole(self, obj: Managed, path: str, made: dict[str, Any]) -> str | None:
        try:
            steps, kind = resolve(obj.kind, path, self.version)
        except vmodl.query.InvalidProperty:
            return None  # `all` on an older API: newer properties do not exist there
        first = steps[0][0]
        if first not in made:
            made[first] = obj.value(first)
        value = declared(walk(pick(made[first], steps[0][1]), steps[1:]), kind)
        return None if value is None else soap.value_xml("val", value, self.version)


def leaf(value: Any, kind: Any, version: str) -> str:
    """A leaf value as a ``val`` element, without the general serializer."""
    if kind is bool:
        return f'<val xsi:type="xsd:boolean">{"true" if value else "false"}</val>'
    if kind is int:
        return f'<val xsi:type="xsd:int">{value}</val>'
    if kind is str:
        return f'<val xsi:type="xsd:string">{soap.escape(value)}</val>'
    if issubclass(kind, VmomiSupport.long):
        return f'<val xsi:type="xsd:long">{value}</val>'
    return _seldom_new(value, kind, version)


@lru_cache(maxsize=1024)
def _seldom_new(value: Any, kind: Any, version: str) -> str:
    """Words of an enumeration and references: few values, and many VMs that have them."""
    if isinstance(value, Refs):
        refs = REFS(VmomiSupport.GetWsdlType("urn:vim25", n)(moid) for n, moid in value)
        return soap.value_xml("val", refs if issubclass(kind, list) else refs[0], version)
    return soap.value_xml("val", declared(value, kind), version)


def reference(tag: str, obj: Managed) -> str:
    """A managed object reference as an element."""
    kind = VmomiSupport.GetWsdlName(obj.kind)
    return f'<{tag} type="{kind}">{soap.escape(obj.moid)}</{tag}>'


def content(tag: str, obj: Managed, reader: Reader) -> str:
    """An ``ObjectContent`` element."""
    values, hidden = reader.read(obj)
    parts = [f"<{tag}>", reference("obj", obj)]
    parts += [
        f"<propSet><name>{soap.escape(path)}</name>{value}</propSet>"
        for path, value in values.items()
        if value is not None
    ]
    parts += [_missing(path, obj, reader.version) for path in hidden]
    parts.append(f"</{tag}>")
    return "".join(parts)


def _missing(path: str, obj: Managed, version: str) -> str:
    missing = vmodl.query.PropertyCollector.MissingProperty(
        path=path,
        fault=vim.fault.NoPermission(object=obj.ref, privilegeId="System.Read"),
    )
    kind = vmodl.query.PropertyCollector.MissingProperty
    return soap.value_xml("missingSet", missing, version, kind)


@dataclass(slots=True)
class Filter:
    """A property filter and what its owner knows already."""

    moid: str
    reader: Reader
    known: dict[str, Changes] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    seen: int = -1  # the world's revision when it was last fully reported


@dataclass(slots=True)
class Collector:
    """One property collector of a session: its filters and pages."""

    moid: str
    filters: dict[str, Filter] = field(default_factory=dict)
    pages: dict[str, tuple[list[tuple[Managed, Reader]], int]] = field(default_factory=dict)
    version: int = 0
    cancelled: bool = False

    def restart(self) -> None:
        """Forget what was reported: the next update tells everything."""
        for one in self.filters.values():
            one.known.clear()
            one.refs.clear()
            one.seen = -1


def updates(collector: Collector, world: World, find: Find, limit: int) -> str:
    """The next ``UpdateSet``'s filterSet elements; empty when nothing changed."""
    parts: list[str] = []
    left = limit or 10**9
    truncated = False
    for one in collector.filters.values():
        if one.seen == world.revision:
            continue
        sets, whole = _changes(one, find, left)
        left -= len(sets)
        truncated = truncated or not whole
        if whole:
            one.seen = world.revision
        if sets:
            head = f'<filterSet><filter type="PropertyFilter">{soap.escape(one.moid)}</filter>'
            parts.append(head + "".join(sets) + "</filterSet>")
    if not parts:
        return ""
    collector.version += 1
    more = "<truncated>true</truncated>" if truncated else ""
    return f"<version>{collector.version}</version>{''.join(parts)}{more}"


def _changes(one: Filter, find: Find, limit: int) -> tuple[list[str], bool]:
    sets: list[str] = []
    present: set[str] = set()
    for obj in _existing(one.reader.spec, find):
        present.add(obj.moid)
        values, hidden = one.reader.read(obj)
        before = one.known.get(obj.moid)
        changed = {p: v for p, v in values.items() if before is None or before.get(p) != v}
        if before is not None and not changed:
            continue
        if len(sets) >= limit:
            return sets, False
        one.known[obj.moid] = values
        one.refs[obj.moid] = reference("obj", obj)
        rows = "".join(_change(path, value) for path, value in changed.items())
        missing = "".join(_missing(path, obj, one.reader.version) for path in hidden)
        kind = "enter" if before is None else "modify"
        sets.append(
            f"<objectSet><kind>{kind}</kind>{one.refs[obj.moid]}{rows}{missing}</objectSet>"
        )
    for moid in [moid for moid in one.known if moid not in present]:
        if len(sets) >= limit:
            return sets, False
        del one.known[moid]
        sets.append(f"<objectSet><kind>leave</kind>{one.refs.pop(moid)}</objectSet>")
    return sets, True


def _existing(spec: Any, find: Find) -> list[Managed]:
    """The selected objects; objects that are gone are no longer selected."""
    try:
        return list(select(spec, find))
    except vmodl.fault.ManagedObjectNotFound:
        return []


def _change(path: str, value: str | None) -> str:
    name = f"<name>{soap.escape(path)}</name>"
    if value is None:
        return f"<changeSet>{name}<op>remove</op></changeSet>"
    return f"<changeSet>{name}<op>assign</op>{value}</changeSet>"
