"""What statements do."""

from __future__ import annotations

from nestkit.practice.hyperv.powershell import comparison, operators
from nestkit.practice.hyperv.powershell.convert_numbers import to_bool, to_integer
from nestkit.practice.hyperv.powershell.errors import (
    Exit,
    LeaveLoop,
    Return,
    Thrown,
    catches,
)
from nestkit.practice.hyperv.powershell.evaluator import Evaluator, statement
from nestkit.practice.hyperv.powershell.pipelines import run_pipeline
from nestkit.practice.hyperv.powershell.records import ErrorRecord
from nestkit.practice.hyperv.powershell.session import NOTHING
from nestkit.practice.hyperv.powershell.text import to_text
from nestkit.practice.hyperv.powershell.tree import (
    Assign,
    Block,
    Cast,
    Flow,
    Foreach,
    FunctionDefinition,
    If,
    Loop,
    Pipeline,
    Step,
    Switch,
    Try,
)
from nestkit.practice.hyperv.values import PsError, ScriptBlock, Value


@statement(Block)
def _block(ev: Evaluator, node: Block, out: list[Value]) -> None:
    ev.run(node, out)


@statement(Pipeline)
def _pipeline(ev: Evaluator, node: Pipeline, out: list[Value]) -> None:
    first = node.parts[0]
    if len(node.parts) == 1 and isinstance(first, (Step, Cast)):
        ev.session.place = node.place
        value = ev.raw(first)
        ev.session.ok = True
        if not isinstance(first, Step):
            ev.put(value, out)
        return
    run_pipeline(ev, node, out)


@statement(Assign)
def _assign(ev: Evaluator, node: Assign, out: list[Value]) -> None:
    ev.session.place = node.place
    ev.raw(node)


@statement(If)
def _if(ev: Evaluator, node: If, out: list[Value]) -> None:
    for condition, body in node.clauses:
        if to_bool(ev.value(condition)):
            ev.run(body, out)
            return
    if node.otherwise is not None:
        ev.run(node.otherwise, out)


def _once(ev: Evaluator, body: Block, out: list[Value]) -> bool:
    """Run a loop's body; False after ``break``."""
    try:
        ev.run(body, out)
    except LeaveLoop as leave:
        return leave.kind == "continue"
    return True


@statement(Loop)
def _loop(ev: Evaluator, node: Loop, out: list[Value]) -> None:
    if node.start is not None:
        ev.emit(node.start, [])
    first = node.body_first
    while True:
        ev.budget.step()
        condition = None if first else node.condition
        if condition is not None and to_bool(ev.value(condition)) == node.until:
            return
        first = False
        if not _once(ev, node.body, out):
            return
        if node.advance is not None:
            ev.emit(node.advance, [])


@statement(Foreach)
def _foreach(ev: Evaluator, node: Foreach, out: list[Value]) -> None:
    found = ev.raw(node.collection)
    if found is NOTHING or found is None:
        return
    for item in list(found) if isinstance(found, list) else [found]:
        ev.budget.step()
        ev.scope.set(node.variable.name, item)
        if not _once(ev, node.body, out):
            return


@statement(Switch)
def _switch(ev: Evaluator, node: Switch, out: list[Value]) -> None:
    subject = ev.raw(node.subject)
    if subject is NOTHING:
        return
    before = ev.scope.get("_")
    try:
        for item in list(subject) if isinstance(subject, list) else [subject]:
            ev.scope.set("_", item)
            try:
                if not _switch_one(ev, node, item, out):
                    return
            except LeaveLoop as leave:
                if leave.kind != "continue":
                    raise
    finally:
        ev.scope.variables["_"] = before


def _switch_one(ev: Evaluator, node: Switch, item: Value, out: list[Value]) -> bool:
    """Run the clauses that fit one item; False after ``break``."""
    hit = False
    for condition, body in node.clauses:
        if condition is None or not _fits(ev, node, item, ev.value(condition)):
            continue
        hit = True
        if not _clause(ev, body, out):
            return False
    default = next((body for condition, body in node.clauses if condition is None), None)
    return hit or default is None or _clause(ev, default, out)


def _clause(ev: Evaluator, body: Block, out: list[Value]) -> bool:
    try:
        ev.run(body, out)
    except LeaveLoop as leave:
        if leave.kind == "continue":
            raise
        return False
    return True


def _fits(ev: Evaluator, node: Switch, item: Value, condition: Value) -> bool:
    if isinstance(condition, ScriptBlock):
        out: list[Value] = []
        ev.block(condition.body.end or Block(()), out)
        return to_bool(out)
    if node.mode == "wildcard":
        return comparison.like(item, condition, node.case_sensitive, ev.budget)
    if node.mode == "regex":
        ignore = not node.case_sensitive
        return operators.find(condition, to_text(item), ev.budget, ignore_case=ignore) is not None
    if isinstance(condition, str) or item is None or isinstance(item, str):
        first, second = to_text(item), to_text(condition)
        if not node.case_sensitive:
            first, second = first.lower(), second.lower()
        return first == second
    return comparison.equal(item, condition, case_sensitive=node.case_sensitive)


@statement(Try)
def _try(ev: Evaluator, node: Try, out: list[Value]) -> None:
    """``finally`` runs for errors and flow, not when a limit or the client ends the script."""
    try:
        _try_catch(ev, node, out)
    except (PsError, LeaveLoop, Return, Exit):
        if node.final is not None:
            ev.run(node.final, out)
        raise
    if node.final is not None:
        ev.run(node.final, out)


def _try_catch(ev: Evaluator, node: Try, out: list[Value]) -> None:
    session = ev.session
    if not node.catches:
        ev.run(node.body, out)
        return
    session.tries += 1
    try:
        try:
            ev.run(node.body, out)
        finally:
            session.tries -= 1
    except PsError as error:
        for types, body in node.catches:
            if not types or any(catches(name, error) for name in types):
                _handle(ev, error, body, out)
                return
        raise


def _handle(ev: Evaluator, error: PsError, body: Block, out: list[Value]) -> None:
    session = ev.session
    if error.place is None:
        error.place = session.place
    session.record(error)
    before = ev.scope.variables.get("_")
    ev.scope.variables["_"] = session.errors[0]
    session.ok = True
    try:
        ev.run(body, out)
    finally:
        ev.scope.variables["_"] = before


@statement(Flow)
def _flow(ev: Evaluator, node: Flow, out: list[Value]) -> None:
    ev.session.place = node.place
    if node.kind in {"break", "continue"}:
        raise LeaveLoop(node.kind)
    if node.kind == "return":
        if node.value is not None:
            ev.emit(node.value, out)
        raise Return
    value = None if node.value is None else ev.value(node.value)
    if node.kind == "exit":
        raise Exit(0 if value is None else to_integer(value, "int32"))
    if node.value is None and isinstance(current := ev.scope.get("_"), ErrorRecord):
        raise current.error
    raise _thrown(ev, value)


def _thrown(ev: Evaluator, value: Value) -> PsError:
    if isinstance(value, ErrorRecord):
        return value.error
    message = "ScriptHalted" if value is None else to_text(value)
    error = Thrown(message, value)
    error.place = ev.session.place
    error.target = message[:60]
    return error


@statement(FunctionDefinition)
def _function(ev: Evaluator, node: FunctionDefinition, out: list[Value]) -> None:
    ev.scope.functions[node.name.lower()] = (node.name, node.body)
