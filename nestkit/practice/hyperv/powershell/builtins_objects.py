"""Cmdlets that pick, sort, count and shape objects."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cmp_to_key

from nestkit.practice.hyperv.powershell import methods, operators
from nestkit.practice.hyperv.powershell.calls import builtin, call_block
from nestkit.practice.hyperv.powershell.convert import to_bool, to_number
from nestkit.practice.hyperv.powershell.display import Formatted, as_list, as_table, cell, pairs
from nestkit.practice.hyperv.powershell.errors import unspoken
from nestkit.practice.hyperv.powershell.evaluator import Evaluator
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


def _names(value: Value) -> list[str]:
    if isinstance(value, Hashtable):
        return [to_text(key) for key in value]
    if isinstance(value, str):
        return ["Length"]
    return list(value.names()) if is_object(value) else []


@builtin("Where-Object")
def where_object(ev: Evaluator, inv: Invocation) -> list[Value]:
    """Objects for which a block, or a comparison of a property, is true."""
    test: Callable[[Value], bool]
    if "FilterScript" in inv.bound:
        block = inv.bound["FilterScript"]

        def test(item: Value) -> bool:
            out = call_block(ev, block, item=item)
            return to_bool(out)

    else:
        test = _comparison(ev, inv)
    kept: list[Value] = []
    for item in given(inv):
        ev.budget.step()
        if test(item):
            kept.append(item)
    return kept


_OPERATORS = ("EQ", "NE", "GT", "GE", "LT", "LE", "Like", "NotLike", "Contains", "NotContains")


def _comparison(ev: Evaluator, inv: Invocation) -> Callable[[Value], bool]:
    name = inv.bound["Property"]
    right = inv.bound.get("Value")
    chosen = [op for op in (*_OPERATORS, "In", "NotIn", "Match", "NotMatch") if inv.bound.get(op)]
    if len(chosen) > 1:
        raise PsError(
            "Parameter set cannot be resolved using the specified named parameters.",
            error_id="AmbiguousParameterSet,Microsoft.PowerShell.Commands.WhereObjectCommand",
            category="InvalidArgument",
        )
    if not chosen:
        if "Value" in inv.bound:
            raise PsError(
                "The specified operator requires both the -Property and -Value parameters. "
                "Provide values for both parameters, and then try again.",
                error_id="ValueNotSpecifiedForWhereObject",
                category="InvalidArgument",
            )
        return lambda item: to_bool(get_member(item, name))
    operator = chosen[0].lower()
    if operator in {"match", "notmatch"}:
        return lambda item: (
            (
                operators.find(right, to_text(get_member(item, name)), ev.budget, ignore_case=True)
                is None
            )
            == (operator == "notmatch")
        )
    return lambda item: to_bool(
        operators.compare(operator, get_member(item, name), right, ev.budget)
    )


@builtin("ForEach-Object")
def foreach_object(ev: Evaluator, inv: Invocation) -> list[Value]:
    """A block, or a property or method, for each object."""
    out: list[Value] = []
    if "MemberName" in inv.bound:
        name = inv.bound["MemberName"]
        for item in given(inv):
            ev.budget.step()
            ev.put(_member(ev, inv, item, name), out)
        return out
    blocks: list[ScriptBlock] = list(inv.bound["Process"])
    begin, end = inv.bound.get("Begin"), inv.bound.get("End")
    # Two blocks by position are Begin and Process, as PowerShell reads them.
    if len(blocks) > 1 and begin is None:
        begin, blocks = blocks[0], blocks[1:]
    if len(blocks) > 1 and end is None:
        end, blocks = blocks[-1], blocks[:-1]
    if begin is not None:
        out += call_block(ev, begin)
    for item in given(inv) if inv.pipeline is not None or "InputObject" in inv.bound else [None]:
        ev.budget.step()
        for block in blocks:
            out += call_block(ev, block, item=item)
        if len(out) > ev.budget.limits.items:
            ev.budget.items(len(out))
    if end is not None:
        out += call_block(ev, end)
    return out


def _member(ev: Evaluator, inv: Invocation, item: Value, name: str) -> Value:
    if item is None:
        return None
    arguments = inv.bound.get("ArgumentList", [])
    names = [n.lower() for n in _names(item)]
    if arguments or (name.lower() not in names and get_member(item, name) is None):
        try:
            return methods.call(item, name, arguments)
        except PsError:
            if arguments:
                raise
            return None
    return get_member(item, name)


# --- Select-Object -----------------------------------------------------------------------


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
            for name in _names(item):
                if matches(wanted, name) and not any(matches(e, name) for e in excluded):
                    made.add(name, get_member(item, name))
        elif not any(matches(e, wanted) for e in excluded):
            real = next((n for n in _names(item) if n.lower() == wanted.lower()), wanted)
            made.add(real, get_member(item, wanted))
    return made


_CUSTOM = "System.Management.Automation.PSCustomObject"


def calculated(ev: Evaluator, wanted: Value, item: Value) -> tuple[str, Value]:
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
        elif word not in {"alignment", "width", "formatstring", "descending", "ascending"}:
            raise PsError(
                f"The {to_text(key)[:60]} key is not valid.",
                error_id="DictionaryKeyUnknown",
                category="InvalidArgument",
            )
    if isinstance(expression, ScriptBlock):
        return name or expression.source, _one(call_block(ev, expression, item=item))
    return name or to_text(expression), get_member(item, to_text(expression))


def _one(values: list[Value]) -> Value:
    if not values:
        return None
    return values[0] if len(values) == 1 else values


def _expanded(ev: Evaluator, inv: Invocation, items: list[Value]) -> Iterator[Value]:
    name = inv.bound["ExpandProperty"]
    for item in items:
        if name.lower() not in [n.lower() for n in _names(item)]:
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
        return "\0".join(f"{n}={to_text(get_member(item, n))[:1000]}" for n in _names(item))
    return f"{type_name(item)}:{to_text(item)[:10_000]}"


# --- order and number ----------------------------------------------------------------------


def _key(ev: Evaluator, wanted: Value, item: Value) -> Value:
    if isinstance(wanted, str):
        return get_member(item, wanted)
    return calculated(ev, wanted, item)[1]


@builtin("Sort-Object")
def sort_object(ev: Evaluator, inv: Invocation) -> list[Value]:
    """Objects in order; a stable sort."""
    items = list(given(inv))
    wanted = inv.bound.get("Property", [])
    down = bool(inv.bound.get("Descending"))
    directions = [_descending(w, down) for w in wanted] or [down]
    keyed = [([_key(ev, w, item) for w in wanted] or [item], item) for item in items]

    def order(left: tuple[list[Value], Value], right: tuple[list[Value], Value]) -> int:
        ev.budget.step()
        for first, second, reverse in zip(left[0], right[0], directions, strict=True):
            found = _rank(first, second, bool(inv.bound.get("CaseSensitive")))
            if found:
                return -found if reverse else found
        return 0

    keyed.sort(key=cmp_to_key(order))
    if inv.bound.get("Unique"):
        kept: list[tuple[list[Value], Value]] = []
        for pair in keyed:
            if not kept or order(kept[-1], pair):
                kept.append(pair)
        keyed = kept
    return [item for _, item in keyed]


def _descending(wanted: Value, default: bool) -> bool:
    if isinstance(wanted, Hashtable) and "Descending" in wanted:
        return to_bool(wanted["Descending"])
    return default


def _rank(left: Value, right: Value, case_sensitive: bool) -> int:
    try:
        return operators.order(left, right, case_sensitive=case_sensitive)
    except PsError:
        first, second = to_text(left), to_text(right)
        return (first > second) - (first < second)


@builtin("Measure-Object")
def measure_object(ev: Evaluator, inv: Invocation) -> list[Value]:
    """Count, and sums where asked."""
    out: list[Value] = []
    for name in inv.bound.get("Property") or [None]:
        values = given(inv) if name is None else [get_member(i, name) for i in given(inv)]
        values = [value for value in values if value is not None]
        ev.budget.step(len(values))
        numbers: list[int | float] = []
        if any(inv.bound.get(k) for k in ("Sum", "Average", "Maximum", "Minimum")):
            numbers = [to_number(value) for value in values]
        try:
            total = float(math.fsum(numbers))
        except (OverflowError, ValueError):
            total = math.inf
        facts: dict[str, Value] = {"Count": len(values)}
        facts["Average"] = total / len(numbers) if inv.bound.get("Average") and numbers else None
        facts["Sum"] = total if inv.bound.get("Sum") else None
        facts["Maximum"] = max(numbers) if inv.bound.get("Maximum") and numbers else None
        facts["Minimum"] = min(numbers) if inv.bound.get("Minimum") and numbers else None
        facts["Property"] = name
        out.append(
            PropertyObject(facts, type_name="Microsoft.PowerShell.Commands.GenericMeasureInfo")
        )
    return out


@builtin("Group-Object")
def group_object(ev: Evaluator, inv: Invocation) -> list[Value]:
    """Objects by the value of a property."""
    groups: dict[str, tuple[str, list[Value]]] = {}
    wanted = inv.bound.get("Property", [])
    for item in given(inv):
        ev.budget.step()
        keys = [_key(ev, w, item) for w in wanted] or [item]
        name = ", ".join(to_text(key) for key in keys)
        groups.setdefault(name.lower(), (name, []))[1].append(item)
    kind = "Microsoft.PowerShell.Commands.GroupInfo"
    made: list[Value] = []
    for name, members in groups.values():
        facts: dict[str, Value] = {"Count": len(members), "Name": name}
        if not inv.bound.get("NoElement"):
            facts["Group"] = members
        made.append(PropertyObject(facts, type_name=kind))
    return sorted(made, key=lambda g: str(g.get("Name")).lower())


# --- looks -----------------------------------------------------------------------------------


def _rows(ev: Evaluator, inv: Invocation) -> list[list[tuple[str, str]]]:
    rows = []
    for item in given(inv):
        ev.budget.step()
        if not is_object(item) and not isinstance(item, Hashtable):
            rows.append([("Value", to_text(item))])
            continue
        wanted = inv.bound.get("Property")
        if wanted is None:
            rows.append(_all(item))
            continue
        row: list[tuple[str, str]] = []
        for one in wanted:
            if isinstance(one, str) and has_wildcard(one):
                row += [p for p in _all(item) if matches(one, p[0])]
            elif isinstance(one, str):
                row.append((one, cell(get_member(item, one))))
            else:
                name, value = calculated(ev, one, item)
                row.append((name, cell(value)))
        rows.append(row)
    return rows


def _all(item: Value) -> list[tuple[str, str]]:
    if isinstance(item, Hashtable):
        return [(to_text(k), cell(v)) for k, v in item.items()]
    return pairs(item)


@builtin("Format-List")
def format_list(ev: Evaluator, inv: Invocation) -> list[Value]:
    """``name : value`` lines."""
    return [Formatted(list(as_list(_rows(ev, inv))))]


@builtin("Format-Table")
def format_table(ev: Evaluator, inv: Invocation) -> list[Value]:
    """Columns."""
    rows = _rows(ev, inv)
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
        for name in sorted(_names(item), key=str.lower):
            if any(matches(p, name) for p in inv.bound.get("Name", ["*"])):
                facts = {
                    "TypeName": kind,
                    "Name": name,
                    "MemberType": "NoteProperty" if kind == _CUSTOM else "Property",
                    "Definition": f"{type_name(get_member(item, name))} {name}",
                }
                out.append(
                    PropertyObject(
                        facts, type_name="Microsoft.PowerShell.Commands.MemberDefinition"
                    )
                )
    return out
