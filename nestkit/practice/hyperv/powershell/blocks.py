"""Calling functions and script blocks."""

from __future__ import annotations

from nestkit.practice.hyperv.cmdlet_table import (
    ALL_SETS,
    CmdletSpec,
    Parameter,
    Slot,
    common_parameters,
)
from nestkit.practice.hyperv.powershell.binding import Argument, Binder
from nestkit.practice.hyperv.powershell.convert import canonical, cast, known_type, unknown_type
from nestkit.practice.hyperv.powershell.evaluator import Evaluator
from nestkit.practice.hyperv.powershell.session import Scope
from nestkit.practice.hyperv.powershell.tree import BlockBody, ParameterDeclaration
from nestkit.practice.hyperv.values import Hashtable, PsError, Value

_EMPTY = {"string": "", "bool": False, "switchparameter": False, "double": 0.0}
_UNSET = object()


def _type_of(declared: ParameterDeclaration) -> str:
    name = declared.type_name or ("String" if declared.values else "Object")
    kind = canonical(name)
    if kind == "object[]":
        return "Object[]"
    if kind == "switchparameter":
        return "SwitchParameter"
    if not known_type(name):
        raise unknown_type(name)
    return name


def spec_of(name: str, body: BlockBody) -> CmdletSpec:
    """A function's parameters in the form of a cmdlet's."""
    explicit = any(p.position is not None for p in body.parameters)
    parameters = common_parameters(should_process=False) if body.advanced else {}
    position = 0
    for declared in body.parameters:
        kind = _type_of(declared)
        place = declared.position
        if not explicit and kind != "SwitchParameter":
            place, position = position, position + 1
        slot = Slot(
            declared.mandatory, place, declared.from_pipeline, declared.from_pipeline_by_name
        )
        parameters[declared.name.lower()] = Parameter(
            declared.name, kind, {ALL_SETS: slot}, declared.aliases, declared.values
        )
    return CmdletSpec(
        name=name,
        module="",
        class_name=name or "ScriptBlock",
        page="",
        sets=(ALL_SETS,),
        default_set=ALL_SETS,
        parameters=parameters,
        aggregate=True,
    )


def invoke(
    ev: Evaluator,
    body: BlockBody,
    arguments: list[Argument],
    out: list[Value],
    *,
    items: list[Value] | None = None,
    name: str = "",
    scope: Scope | None = None,
) -> None:
    """Run a function or script block; ``scope`` is a new one unless given.

    Raises PsError for arguments that do not bind.
    """
    spec = spec_of(name, body)
    binder = Binder(spec, ev.session.table)
    bound = binder.bind(arguments, keep_rest=not body.advanced)
    fed = items is not None and body.process is not None
    binder.parameter_set(bound, input_comes=fed)
    inner = scope if scope is not None else Scope(ev.scope)
    with ev.within(inner):
        if scope is None or body.parameters:
            inner.variables["args"] = bound.rest
            inner.variables["psboundparameters"] = Hashtable(bound.values)
        if "ErrorAction" in bound.common:
            inner.variables["erroractionpreference"] = bound.common["ErrorAction"]
        _set_parameters(ev, body, bound.values)
        if items is not None:
            inner.variables["input"] = list(items)
        if body.begin is not None:
            ev.block(body.begin, out)
        if body.process is not None:
            for item in items if items is not None else [_UNSET]:
                ev.budget.step()
                if item is not _UNSET:
                    inner.variables["_"] = item
                    _feed(ev, binder, body, bound.values, item)
                ev.block(body.process, out)
        if body.end is not None:
            ev.block(body.end, out)


def _feed(
    ev: Evaluator, binder: Binder, body: BlockBody, given: dict[str, Value], item: Value
) -> None:
    """Set the parameters that take one object of the pipeline."""
    takers = [p for p in body.parameters if p.from_pipeline or p.from_pipeline_by_name]
    if not takers:
        return
    bound = binder.bind([Argument(name, value) for name, value in given.items()])
    for name, value in binder.with_input(bound, item).values.items():
        if name not in given:
            ev.scope.set(name.lower(), value)


def _set_parameters(ev: Evaluator, body: BlockBody, given: dict[str, Value]) -> None:
    for declared in body.parameters:
        low = declared.name.lower()
        ev.scope.types.pop(low, None)
        if declared.name in given:
            value = given[declared.name]
        elif declared.default is not None:
            value = ev.value(declared.default)
            if declared.type_name:
                value = _default(declared, value)
        else:
            value = _blank(declared.type_name)
        ev.scope.variables[low] = value
        if declared.type_name and canonical(declared.type_name) != "switchparameter":
            ev.scope.types[low] = declared.type_name


def _default(declared: ParameterDeclaration, value: Value) -> Value:
    try:
        return cast(declared.type_name, value)
    except PsError as error:
        raise PsError(
            f"Cannot process argument transformation on parameter '{declared.name}'. "
            f"{error.message}",
            error_id="ParameterArgumentTransformationError",
            category="InvalidData",
        ) from None


def _blank(type_name: str) -> Value:
    kind = canonical(type_name) if type_name else ""
    if kind in _EMPTY:
        return _EMPTY[kind]
    return 0 if kind.startswith(("int", "uint", "byte")) and not kind.endswith("[]") else None
