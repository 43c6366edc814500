"""Cmdlets that give objects another shape, and the looks of them."""

from __future__ import annotations

from collections.abc import Iterator

from nestkit.practice.hyperv.powershell.calls import builtin, call_block
from nestkit.practice.hyperv.powershell.convert_numbers import to_integer
from nestkit.practice.hyperv.powershell.display import (
    Field,
    Formatted,
    as_list,
    as_table,
    cell,
    looks,
    pairs,
    stands_right,
)
from nestkit.practice.hyperv.powershell.errors import unspoken
from nestkit.practice.hyperv.powershell.evaluator import Evaluator
from nestkit.practice.hyperv.powershell.formats import composite
from nestkit.practice.hyperv.powershell.members import get_member
from nestkit.practice.hyperv.powershell.text import is_object, to_text, type_name
from nestkit.practice.hyperv.powershell.wildcard import has_wildcard, matches
from nestkit.practice.hyperv.values import (
    Hashtable,
    Invocation,
    PropertyObject,
    PsError,
    ScriptBlock,
    Value,
)


def given(inv: Invocation) -> list[Value]:
    """The objects piped in, or those of -InputObject."""
    if inv.pipeline is not None:
        return inv.pipeline
    if "InputObject" not in inv.bound:
        return []
    return [inv.bound["InputObject"]]


def names_of(value: Value) -> list[str]:
    """The names of an object's properties."""
    if isinstance(value, Hashtable):
        return [to_text(key) for key in value]
    if isinstance(value, str):
        return ["Length"]
    return list(value.names()) if is_object(value) else []


@builtin("Select-Object")
def select_object(ev: Evaluator, inv: Invocation) -> list[Value]:
    """Some of the objects, some of their properties."""
    items = list(given(inv))
    bound = inv.bound
    if "Index" in bound:
        return [items[i] for i in bound["Index"] if 0 <= i < len(items)]
    if bound.get("Skip"):
        items = items[: -bound["Skip"]] if "Last" in bound else items[bound["Skip"] :]
    if "First" in bound and "Last" in bound:
        first = items[: bound["First"]]
        items = first + items[max(len(first), len(items) - bound["Last"]) :]
    elif "First" in bound:
        items = items[: max(0, bound["First"])]
    elif "Last" in bound:
        items = items[max(0, len(items) - bound["Last"]) :] if bound["Last"] else []
    if "Property" in bound or "ExcludeProperty" in bound:
        chosen = bound.get("Property") or ["*"]
        items = [_picked(ev, item, chosen, bound.get("ExcludeProperty", [])) for item in items]
    if "ExpandProperty" in bound:
        items = list(_expanded(ev, inv, items))
    return _unique(ev, items) if bound.get("Unique") else items


def _picked(ev: Evaluator, item: Value, chosen: list[Value], excluded: list[str]) -> PropertyObject:
    kind = f"Selected.{type_name(item)}"
    made = PropertyObject(type_name=kind if is_object(item) else _CUSTOM)
    ev.budget.items(len(chosen) + 1)
    for wanted in chosen:
        if not isinstance(wanted, str):
            name, value = calculated(ev, wanted, item)
            made.add(name, value)
        elif has_wildcard(wanted):
            for name in names_of(item):
                if matches(wanted, name) and not any(matches(e, name) for e in excluded):
                    made.add(name, get_member(item, name))
        elif not any(matches(e, wanted) for e in excluded):
            real = next((n for n in names_of(item) if n.lower() == wanted.lower()), wanted)
            made.add(real, get_member(item, wanted))
    return made


_CUSTOM = "System.Management.Automation.PSCustomObject"
_WIDEST = 1000  # of a column


_CONSOLE_KEYS = ("formatstring", "alignment", "width")


def calculated(
    ev: Evaluator, wanted: Value, item: Value, *, for_console: bool = False
) -> tuple[str, Value]:
    """A calculated property, ``@{n=…; e={…}}`` or a bare block."""
    if isinstance(wanted, ScriptBlock):
        return wanted.source, _one(call_block(ev, wanted, item=item))
    if not isinstance(wanted, Hashtable):
        raise unspoken(f"a property of type {type_name(wanted)}")
    name, expression = "", None
    for key, value in wanted.items():
        word = to_text(key).lower()
        if word and ("name".startswith(word) or "label".startswith(word)):
            name = to_text(value)
        elif word and "expression".startswith(word):
            expression = value
        elif for_console and word and any(key.startswith(word) for key in _CONSOLE_KEYS):
            continue  # applied later
        elif for_console or word not in {"descending", "ascending"}:
            raise PsError(
                f"The {to_text(key)[:60]} key is not valid.",
                error_id="DictionaryKeyUnknown",
                category="InvalidArgument",
            )
    if isinstance(expression, ScriptBlock):
        return name or expression.source, _one(call_block(ev, expression, item=item))
    return name or to_text(expression), get_member(item, to_text(expression))


def _column(name: str, wanted: Value, value: Value) -> Field:
    """The value as the column asks, ``@{…; f='N1'; align='left'; width=9}``."""
    form, side = to_text(_asked(wanted, "formatstring")), to_text(_asked(wanted, "alignment"))
    width = to_integer(_asked(wanted, "width"), "int32")
    if side.lower() not in {"", "left", "right"}:
        raise unspoken(f"the alignment {side[:60]!r}")
    if not 0 <= width <= _WIDEST:
        raise unspoken(f"a column of width {width}")
    at_right = side.lower() == "right" if side else stands_right(value)
    if form and value is not None:
        value = composite(form if "{" in form else f"{{0:{form}}}", [value])
    return Field(name, cell(value), at_right, width)


def _asked(wanted: Value, key: str) -> Value:
    """What a calculated property says of a key, which may be abbreviated; None: nothing."""
    items = wanted.items() if isinstance(wanted, Hashtable) else ()
    return next((v for k, v in items if to_text(k) and key.startswith(to_text(k).lower())), None)


def _one(values: list[Value]) -> Value:
    if not values:
        return None
    return values[0] if len(values) == 1 else values


def _expanded(ev: Evaluator, inv: Invocation, items: list[Value]) -> Iterator[Value]:
    name = inv.bound["ExpandProperty"]
    for item in items:
        if name.lower() not in [n.lower() for n in names_of(item)]:
            inv.streams.error(
                PsError(
                    f'Property "{name}" cannot be found.',
                    error_id="ExpandPropertyNotFound",
                    category="InvalidArgument",
                )
            )
            continue
        value = get_member(item, name)
        if isinstance(value, list):
            ev.budget.items(len(value))
            yield from value
        elif value is not None:
            yield value


def _unique(ev: Evaluator, items: list[Value]) -> list[Value]:
    seen: set[str] = set()
    kept = []
    for item in items:
        key = _identity(item)
        if key not in seen:
            seen.add(key)
            kept.append(item)
    ev.budget.step(len(items))
    return kept


def _identity(item: Value) -> str:
    if is_object(item):
        return "\0".join(f"{n}={to_text(get_member(item, n))[:1000]}" for n in names_of(item))
    return f"{type_name(item)}:{to_text(item)[:10_000]}"


def _rows(ev: Evaluator, inv: Invocation, *, as_columns: bool = False) -> list[list[Field]]:
    rows: list[list[Field]] = []
    for item in given(inv):
        ev.budget.step()
        if not is_object(item) and not isinstance(item, Hashtable):
            rows.append([Field("Value", to_text(item))])
            continue
        wanted = inv.bound.get("Property")
        if wanted is None and isinstance(item, Hashtable):
            rows += [[Field("Name", to_text(k)), Field("Value", cell(v))] for k, v in item.items()]
            continue
        if wanted is None:
            own = looks(item) if as_columns else None
            rows.append(pairs(item) if own is None else own)
            continue
        row: list[Field] = []
        for one in wanted:
            if isinstance(one, str) and has_wildcard(one):
                row += [p for p in _all(item) if matches(one, p.name)]
            elif isinstance(one, str):
                row.append(Field.of(one, get_member(item, one)))
            else:
                name, value = calculated(ev, one, item, for_console=True)
                row.append(_column(name, one, value))
        rows.append(row)
    return rows


def _all(item: Value) -> list[Field]:
    if isinstance(item, Hashtable):
        return [Field.of(to_text(k), v) for k, v in item.items()]
    return pairs(item)


@builtin("Format-List")
def format_list(ev: Evaluator, inv: Invocation) -> list[Value]:
    """``name : value`` lines."""
    return [Formatted(list(as_list(_rows(ev, inv))))]


@builtin("Format-Table")
def format_table(ev: Evaluator, inv: Invocation) -> list[Value]:
    """Columns."""
    rows = _rows(ev, inv, as_columns=True)
    return [Formatted(as_table(rows, header=not inv.bound.get("HideTableHeaders")))]


@builtin("Get-Member")
def get_member_cmdlet(ev: Evaluator, inv: Invocation) -> list[Value]:
    """The properties of each type of object."""
    out: list[Value] = []
    seen: set[str] = set()
    for item in given(inv):
        ev.budget.step()
        kind = type_name(item)
        if kind in seen:
            continue
        seen.add(kind)
        for name in sorted(names_of(item), key=str.lower):
            if any(matches(p, name) for p in inv.bound.get("Name", ["*"])):
                sort = "NoteProperty" if kind == _CUSTOM else "Property"
                if inv.bound.get("MemberType", "All").lower() not in {"all", "properties"} | {
                    sort.lower()
                }:
                    continue
                facts = {
                    "TypeName": kind,
                    "Name": name,
                    "MemberType": sort,
                    "Definition": f"{type_name(get_member(item, name))} {name}",
                }
                out.append(
                    PropertyObject(
                        facts, type_name="Microsoft.PowerShell.Commands.MemberDefinition"
                    )
                )
    return out
