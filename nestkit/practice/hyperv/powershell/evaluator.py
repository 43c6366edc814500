"""The hub: evaluates nodes by the functions that expressions.py and statements.py register."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from nestkit.practice.hyperv.powershell.errors import Return, Thrown, unspoken
from nestkit.practice.hyperv.powershell.limits import LimitExceededError
from nestkit.practice.hyperv.powershell.session import NOTHING, Scope, Session
from nestkit.practice.hyperv.powershell.tree import Block, Node
from nestkit.practice.hyperv.values import PsError, Value

Evaluate = Callable[["Evaluator", Any], Value]
Execute = Callable[["Evaluator", Any, list[Value]], None]
_E = TypeVar("_E", bound=Evaluate)
_X = TypeVar("_X", bound=Execute)

_EXPRESSIONS: dict[type, Evaluate] = {}
_STATEMENTS: dict[type, Execute] = {}


def expression(kind: type) -> Callable[[_E], _E]:
    """Register the function that gives a node's value."""

    def register(function: _E) -> _E:
        _EXPRESSIONS[kind] = function
        return function

    return register


def statement(kind: type) -> Callable[[_X], _X]:
    """Register the function that runs a node and adds its output to a list."""

    def register(function: _X) -> _X:
        _STATEMENTS[kind] = function
        return function

    return register


def collapsed(values: list[Value]) -> Value:
    """What a pipeline's output is as one value: nothing, the one, or an array."""
    if not values:
        return NOTHING
    return values[0] if len(values) == 1 else values


class Evaluator:
    """Walks the tree. One for each session; ``scope`` is where it stands."""

    def __init__(self, session: Session, scope: Scope) -> None:
        self.session = session
        self.scope = scope
        self.budget = session.budget

    def raw(self, node: Node) -> Value:
        """A node's value; NOTHING where a pipeline put out nothing."""
        budget = self.budget
        budget.step()
        budget.enter()
        try:
            found = _EXPRESSIONS.get(type(node))
            if found is not None:
                return found(self, node)
            run = _STATEMENTS.get(type(node))
            if run is None:
                raise unspoken("this use of a parameter or splat")
            out: list[Value] = []
            run(self, node, out)
            return collapsed(out)
        finally:
            budget.leave()

    def value(self, node: Node) -> Value:
        """A node's value, null for nothing."""
        found = self.raw(node)
        return None if found is NOTHING else found

    def emit(self, node: Node, out: list[Value]) -> None:
        """Run a node as a statement: what it puts out goes to ``out``, arrays member by member."""
        found = _STATEMENTS.get(type(node))
        if found is None:
            self.put(self.raw(node), out)
            return
        budget = self.budget
        budget.step()
        budget.enter()
        try:
            found(self, node, out)
        finally:
            budget.leave()

    def put(self, value: Value, out: list[Value]) -> None:
        """Add a value to output as a pipeline does: arrays are taken apart."""
        if value is NOTHING:
            return
        if isinstance(value, list):
            self.budget.items(len(value))
            out.extend(value)
        else:
            self.budget.items(1)
            out.append(value)
        if len(out) > self.budget.limits.items:
            raise LimitExceededError(
                f"a pipeline holds more than {self.budget.limits.items} objects"
            )

    def run(self, block: Block, out: list[Value]) -> None:
        """Statements in turn; one that fails does not end the others unless it must."""
        for node in block.statements:
            try:
                self.emit(node, out)
            except PsError as error:
                self.settle(error)

    def settle(self, error: PsError) -> None:
        """Report a failed statement and go on, or raise the error again where it must end more."""
        session = self.session
        error.place = error.place or session.place
        if isinstance(error, Thrown) or error.stops or session.tries:
            raise error
        wish = self.preference("erroractionpreference")
        if wish == "stop":
            error.stops = True
            raise error
        if wish in {"silentlycontinue", "ignore"}:
            session.record(error)
        else:
            session.report(error)

    def preference(self, name: str) -> str:
        """A preference variable in lower case."""
        value = self.scope.get(name, "Continue")
        numbers = {0: "silentlycontinue", 1: "stop", 2: "continue", 4: "ignore"}
        if isinstance(value, int):
            return numbers.get(value, "continue")
        return str(getattr(value, "name", value)).lower()

    @contextmanager
    def within(self, scope: Scope) -> Iterator[None]:
        """Stand in another scope for a while."""
        before, self.scope = self.scope, scope
        try:
            yield
        finally:
            self.scope = before

    def block(self, block: Block, out: list[Value]) -> None:
        """Run a block that ``return`` leaves."""
        try:
            self.run(block, out)
        except Return:
            return
