"""Assignments: to variables, properties, elements."""

from __future__ import annotations

from nestkit.practice.hyperv.powershell import members, statics
from nestkit.practice.hyperv.powershell.convert import cast
from nestkit.practice.hyperv.powershell.errors import unspoken
from nestkit.practice.hyperv.powershell.evaluator import Evaluator
from nestkit.practice.hyperv.powershell.session import NOTHING
from nestkit.practice.hyperv.powershell.text import Statics, to_text, type_name
from nestkit.practice.hyperv.powershell.tree import (
    ArrayLiteral,
    Cast,
    Index,
    Member,
    Node,
    Variable,
)
from nestkit.practice.hyperv.values import PsError, Value

_OBEYED = frozenset({"formatenumerationlimit", "ofs", "psdefaultparametervalues"})
_ACTIONS = frozenset({
    "erroractionpreference", "progresspreference", "warningpreference", "verbosepreference",
})  # fmt: skip
_ACTION_NAMES = frozenset({"0", "1", "2", "4", "silentlycontinue", "stop", "continue", "ignore"})
_READ_ONLY = frozenset({"true", "false", "null", "error", "psversiontable"})


def type_named(value: Value) -> str:
    """The type that ``[name]`` stands for."""
    if isinstance(value, Statics):
        return value.name
    raise unspoken(f"static members of a value of type {type_name(value)}")


def assign_to(ev: Evaluator, target: Node, value: Value) -> None:
    """Assign to a variable, property, element, or several of them."""
    plain = None if value is NOTHING else value
    match target:
        case Variable():
            _assign_variable(ev, target, value)
        case Member(static=True):
            name = to_text(ev.value(target.name))
            statics.set_static(type_named(ev.value(target.target)), name, plain)
        case Member():
            name = to_text(ev.value(target.name))
            members.set_member(ev.value(target.target), name, plain)
        case Index():
            members.set_index(ev.value(target.target), ev.value(target.index), plain)
        case Cast():
            if isinstance(target.operand, Variable):
                name = target.operand.name
                ev.scope.types.pop(name, None)
                made = cast(target.type_name, plain)
                _assign_variable(ev, target.operand, made)
                ev.scope.types[name] = target.type_name
            else:
                assign_to(ev, target.operand, cast(target.type_name, plain))
        case ArrayLiteral():
            items = plain if isinstance(plain, list) else [plain]
            last = len(target.items) - 1
            for at, item in enumerate(target.items):
                part: Value = items[at] if at < len(items) else None
                if at == last and len(items) > len(target.items):
                    part = items[at:]
                assign_to(ev, item, part)
        case _:
            raise unspoken("an assignment to that")


def _assign_variable(ev: Evaluator, target: Variable, value: Value) -> None:
    name = "_" if target.name == "psitem" else target.name
    if target.scope in {"env", "using"}:
        raise unspoken(f"setting ${target.scope}:{name}")
    if name == "null":
        return
    if name in _OBEYED:
        raise unspoken(f"setting ${name}")
    if name in _ACTIONS and str(getattr(value, "name", value)).lower() not in _ACTION_NAMES:
        raise unspoken(f"${name} = '{to_text(value)[:60]}'")
    if name in _READ_ONLY or name == "?":
        raise PsError(
            f"Cannot overwrite variable {name} because it is read-only or constant.",
            error_id="VariableNotWritable",
            category="WriteError",
            target=name,
        )
    scope = ev.scope.top() if target.scope in {"script", "global"} else ev.scope
    scope.set(name, value)
