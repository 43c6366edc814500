"""Cmdlets that pick, sort, count and shape objects."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cmp_to_key

from nestkit.practice.hyperv.powershell import comparison, methods, operators
from nestkit.practice.hyperv.powershell.builtins_shape import calculated, given, names_of
from nestkit.practice.hyperv.powershell.calls import builtin, call_block
from nestkit.practice.hyperv.powershell.convert_numbers import to_bool, to_number
from nestkit.practice.hyperv.powershell.errors import Exit, LeaveLoop, unspoken
from nestkit.practice.hyperv.powershell.evaluator import Evaluator
from nestkit.practice.hyperv.powershell.members import get_member
from nestkit.practice.hyperv.powershell.text import to_text
from nestkit.practice.hyperv.values import (
    Hashtable,
    Invocation,
    PropertyObject,
    PsError,
    ScriptBlock,
    Value,
)


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
        comparison.compare(operator, get_member(item, name), right, ev.budget)
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
    try:
        _run_blocks(ev, inv, out)
    except (PsError, LeaveLoop, Exit):
        inv.extra["sink"].extend(out)  # 5.1 has put these out already
        raise
    return out


def _run_blocks(ev: Evaluator, inv: Invocation, out: list[Value]) -> None:
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


def _member(ev: Evaluator, inv: Invocation, item: Value, name: str) -> Value:
    if item is None:
        return None
    arguments = inv.bound.get("ArgumentList", [])
    names = [n.lower() for n in names_of(item)]
    if arguments or (name.lower() not in names and get_member(item, name) is None):
        try:
            return methods.call(item, name, arguments)
        except PsError:
            if arguments:
                raise
            return None
    return get_member(item, name)


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
        return comparison.order(left, right, case_sensitive=case_sensitive)
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


def picked(ev: Evaluator, name: str, target: Value, arguments: list[Value]) -> list[Value]:
    """``.Where({…})`` and ``.ForEach({…})``, which every value has."""
    if len(arguments) != 1 or not isinstance(arguments[0], ScriptBlock):
        raise unspoken(f".{name}() with anything but one script block")
    out: list[Value] = []
    for item in target if isinstance(target, list) else [target]:
        ev.budget.step()
        found = call_block(ev, arguments[0], item=item)
        if name.lower() == "foreach":
            ev.put(found, out)
        elif to_bool(found):
            out.append(item)
    return out
