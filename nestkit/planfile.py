"""Read a plan back from JSON. The data may be damaged or hostile: everything is looked at."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from reprlib import repr as brief
from typing import Any, Final, NoReturn, get_args

from nestkit.errors import PlanError
from nestkit.plans import (
    PLAN_SCHEMA,
    POWER_OPS,
    Consent,
    CreateGoal,
    Goal,
    Json,
    NestedGoal,
    Op,
    Plan,
    Step,
    Target,
)

MAX_BYTES: Final = 4 * 2**20  # a plan has a few steps
MAX_TIMEOUT_S: Final = 86_400.0
_REMEDY: Final = "make a new plan with `nestkit plan`"
_PLAN: Final = ("host", "host_name", "platform", "is_practice", "vm", "goal", "steps", "notes")


class _Wrong(Exception):
    """What is wrong with the data, and where."""


def load(path: Path) -> Plan:
    """Read a plan from a file. See :meth:`nestkit.plans.Plan.load`."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PlanError(
            f"{path} cannot be read: {error.strerror}", remedy="check the path"
        ) from error
    if len(text) > MAX_BYTES:
        raise PlanError(f"{path} is too large for a plan", remedy=_REMEDY)
    try:
        data = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise PlanError(f"{path} is not JSON: {error}", remedy=_REMEDY) from error
    return read(data, str(path))


def read(data: Json, source: str) -> Plan:
    """The plan in the data. See :meth:`nestkit.plans.Plan.from_json`."""
    if not isinstance(data, dict):
        raise PlanError(f"{source} does not hold a plan", remedy=_REMEDY)
    schema = data.get("schema")
    if type(schema) is not int or schema != PLAN_SCHEMA:
        raise PlanError(
            f"{source} has schema {brief(schema)}, this nestkit reads {PLAN_SCHEMA}",
            remedy="use the nestkit that made it, or make a new plan",
        )
    try:
        plan = _plan({name: value for name, value in data.items() if name != "digest"})
    except _Wrong as error:
        raise PlanError(f"{source} is not a whole plan: {error}", remedy=_REMEDY) from None
    if "digest" in data and data["digest"] != plan.digest:
        raise PlanError(f"{source} was edited after it was saved", remedy=_REMEDY)
    return plan


def _plan(data: dict[str, Any]) -> Plan:
    _names(data, "plan", {*_PLAN, "schema"}, {*_PLAN, "schema"})
    _texts(data, "plan", "host", "host_name", "platform")
    _flags(data, "plan", "is_practice")
    notes = _list(data["notes"], "notes")
    if not all(isinstance(note, str) for note in notes):
        _wrong("notes", "must be texts")
    vm = _target(data["vm"], "vm")
    if vm.kind != "vm":
        _wrong("vm.kind", "must be 'vm'")
    steps = tuple(
        _step(item, f"steps[{number}]", vm)
        for number, item in enumerate(_list(data["steps"], "steps"))
    )
    if len({step.id for step in steps}) < len(steps):
        _wrong("steps", "two steps have the same id")
    return Plan(
        host=data["host"],
        host_name=data["host_name"],
        platform=data["platform"],
        is_practice=data["is_practice"],
        vm=vm,
        goal=_goal(data["goal"]),
        steps=steps,
        notes=tuple(notes),
    )


def _goal(data: Json) -> Goal:
    """A goal with a name is that of a new VM: an existing one is named by the plan."""
    if isinstance(data, Mapping) and "name" in data:
        return CreateGoal(**_goal_fields(data, CreateGoal(name="")))
    return NestedGoal(**_goal_fields(data, NestedGoal()))


def _goal_fields(data: Json, model: Goal) -> dict[str, Any]:
    """The data, each field of the type that the model has there."""
    _names(data, "goal", set(), {field.name for field in fields(model)})
    found = dict(data)
    for name, value in data.items():
        kind = type(getattr(model, name))
        if kind is tuple:
            if not all(isinstance(item, str) for item in _list(value, f"goal.{name}")):
                _wrong(f"goal.{name}", "must be texts")
            found[name] = tuple(value)
        elif type(value) is not kind:
            _wrong(f"goal.{name}", f"cannot be {brief(value)}")
        elif kind is int and value < 0:
            _wrong(f"goal.{name}", "cannot be negative")
    return found


def _target(data: Json, place: str) -> Target:
    names = {"kind", "id", "name"}
    _names(data, place, names, names)
    _texts(data, place, *names)
    return Target(**data)


def _step(data: Json, place: str, vm: Target) -> Step:
    known = fields(Step)
    needed = {field.name for field in known if field.default is MISSING}
    _names(data, place, needed, {field.name for field in known})
    _texts(data, place, "id", "property", *({"why"} & data.keys()))
    _flags(data, place, *({"needs_off", "reversible"} & data.keys()))
    if data["op"] not in get_args(Op):
        _wrong(f"{place}.op", f"there is no operation {brief(data['op'])}")
    if data.get("consent", "") not in get_args(Consent):
        _wrong(f"{place}.consent", f"cannot be {brief(data['consent'])}")
    timeout = data.get("timeout_s", 1.0)
    # not > and <=: neither holds for NaN
    if type(timeout) not in (int, float) or not 0 < timeout <= MAX_TIMEOUT_S:
        _wrong(f"{place}.timeout_s", f"must be seconds up to {MAX_TIMEOUT_S:g}")
    step = Step(**{**data, "target": _target(data["target"], f"{place}.target")})
    if step.target.kind == "vm" and step.target.id != vm.id:
        _wrong(f"{place}.target", "is another VM than the plan's")
    if step.target.kind == "nic" and vm.id.lower() not in step.target.id.lower():
        _wrong(f"{place}.target", "is a NIC of another VM than the plan's")
    if (step.op == "install_role") != (step.property == "hyperv_role"):
        _wrong(f"{place}.property", f"{step.op} cannot act on {step.property!r}")
    if (step.op in POWER_OPS) != (step.property == "power"):
        _wrong(f"{place}.property", f"{step.op} cannot act on {step.property!r}")
    if step.op == "destroy_vm":
        _wrong(f"{place}.op", "no plan destroys a VM")  # only a rollback does, what it created
    if (step.op == "create_vm") != (step.property == "vm"):
        _wrong(f"{place}.property", f"{step.op} cannot act on {step.property!r}")
    if step.op == "create_vm":
        if step.target.kind != "vm" or step.before is not None or type(step.after) is not dict:
            _wrong(place, "a VM is created where there is none, from a description")
    elif not _alike(step.before, step.after):
        _wrong(f"{place}.after", "has another form than `before`")
    return step


def _alike(before: Json, after: Json) -> bool:
    """Whether a step leads from one value of a property to another of the same form."""
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(
            _alike(part, after[name]) for name, part in before.items()
        )
    if isinstance(before, float) or isinstance(after, float):
        return all(type(v) in (int, float) and math.isfinite(v) for v in (before, after))
    return type(before) is type(after)


# --- small checks -----------------------------------------------------------------------


def _wrong(place: str, what: str) -> NoReturn:
    raise _Wrong(f"{place}: {what}")


def _names(data: Json, place: str, needed: set[str], known: set[str]) -> None:
    if not isinstance(data, Mapping):
        _wrong(place, "must be an object")
    for name in sorted(needed - data.keys()):
        _wrong(place, f"{name!r} is missing")
    for name in sorted(data.keys() - known):
        _wrong(place, f"{name!r} is not known")


def _list(data: Json, place: str) -> list[Any]:
    if not isinstance(data, list):
        _wrong(place, "must be a list")
    return data


def _each(kind: type, word: str) -> Callable[..., None]:
    def check(data: Mapping[str, Any], place: str, *names: str) -> None:
        for name in names:
            if not isinstance(data[name], kind):
                _wrong(f"{place}.{name}", f"must be {word}, is {brief(data[name])}")

    return check


_texts: Final = _each(str, "text")
_flags: Final = _each(bool, "true or false")
