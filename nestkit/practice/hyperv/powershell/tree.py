"""The syntax tree the evaluator walks: one frozen class a construct."""

from __future__ import annotations

from dataclasses import dataclass, field

from nestkit.practice.hyperv.values import Value


@dataclass(frozen=True, slots=True)
class Place:
    """Where a statement stands, for error messages. Line and column count from 1."""

    line: int = 1
    column: int = 1
    text: str = ""


class Node:
    """Anything that can be evaluated."""

    __slots__ = ()


# --- expressions ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant."""

    value: Value
    bareword: bool = False
    text: str = ""  # a number as written: `Get-VM 1.0` passes "1.0" to a string parameter


@dataclass(frozen=True, slots=True)
class Expandable(Node):
    """A double-quoted string; text and expressions in turn."""

    parts: tuple[str | Node, ...]


@dataclass(frozen=True, slots=True)
class Variable(Node):
    """``$name``, ``$scope:name``; names in lower case."""

    name: str
    scope: str = ""


@dataclass(frozen=True, slots=True)
class ArrayLiteral(Node):
    """``1, 2``."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ArrayOf(Node):
    """``@( … )``."""

    body: Block


@dataclass(frozen=True, slots=True)
class SubExpression(Node):
    """``$( … )``."""

    body: Block


@dataclass(frozen=True, slots=True)
class Paren(Node):
    """``( … )``."""

    inner: Node


@dataclass(frozen=True, slots=True)
class HashLiteral(Node):
    """``@{ … }``."""

    pairs: tuple[tuple[Node, Node], ...]
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class BlockLiteral(Node):
    """``{ … }`` as a value."""

    block: BlockBody


@dataclass(frozen=True, slots=True)
class TypeLiteral(Node):
    """``[name]``."""

    name: str


@dataclass(frozen=True, slots=True)
class Cast(Node):
    """``[name] operand``."""

    type_name: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """``-not``, ``-``, ``+``, ``,``, ``-join``, ``-split``, ``-bnot``."""

    op: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Step(Node):
    """``$i++`` and its kin."""

    target: Node
    by: int
    prefix: bool


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Any operator with two operands; ``op`` in lower case without its dash."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Member(Node):
    """``target.name`` or ``[type]::name``."""

    target: Node
    name: Node
    static: bool = False


@dataclass(frozen=True, slots=True)
class Index(Node):
    """``target[index]``."""

    target: Node
    index: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """``target.name(args)`` or ``[type]::name(args)``."""

    target: Node
    name: Node
    args: tuple[Node, ...]
    static: bool = False


# --- commands --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Named(Node):
    """``-Name``, ``-Name:value``; ``value`` is None where none is attached by a colon."""

    name: str
    value: Node | None = None


@dataclass(frozen=True, slots=True)
class Splat(Node):
    """``@name``."""

    variable: Variable


@dataclass(frozen=True, slots=True)
class Command(Node):
    """One command of a pipeline."""

    name: Node
    operator: str  # "", "&" or "."
    elements: tuple[Node, ...]
    silenced: frozenset[str]  # streams sent to $null or merged: "1", "2", "*", "2>&1"
    place: Place


@dataclass(frozen=True, slots=True)
class Pipeline(Node):
    """Commands joined by ``|``; the first may be an expression."""

    parts: tuple[Node, ...]
    place: Place
    silenced: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Assign(Node):
    """``target op value``; the value is any statement."""

    target: Node
    op: str
    value: Node
    place: Place


# --- statements ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Block(Node):
    """Statements in turn."""

    statements: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class If(Node):
    """``if`` and its ``elseif``s in turn."""

    clauses: tuple[tuple[Node, Block], ...]
    otherwise: Block | None


@dataclass(frozen=True, slots=True)
class Loop(Node):
    """``while``, ``for``, ``do … while``, ``do … until``."""

    condition: Node | None
    body: Block
    start: Node | None = None
    advance: Node | None = None
    body_first: bool = False
    until: bool = False


@dataclass(frozen=True, slots=True)
class Foreach(Node):
    """``foreach ($variable in collection)``."""

    variable: Variable
    collection: Node
    body: Block


@dataclass(frozen=True, slots=True)
class Switch(Node):
    """``switch``; a condition of None is ``default``."""

    subject: Node
    mode: str  # "exact", "wildcard", "regex"
    case_sensitive: bool
    clauses: tuple[tuple[Node | None, Block], ...]


@dataclass(frozen=True, slots=True)
class Try(Node):
    """``try``; a catch with no types catches all."""

    body: Block
    catches: tuple[tuple[tuple[str, ...], Block], ...]
    final: Block | None


@dataclass(frozen=True, slots=True)
class Flow(Node):
    """``return``, ``exit``, ``throw``, ``break``, ``continue``."""

    kind: str
    value: Node | None
    place: Place


@dataclass(frozen=True, slots=True)
class ParameterDeclaration:
    """One parameter of a param block."""

    name: str
    type_name: str = ""
    default: Node | None = None
    mandatory: bool = False
    position: int | None = None
    values: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    from_pipeline: bool = False
    from_pipeline_by_name: bool = False


@dataclass(frozen=True, slots=True)
class BlockBody:
    """A script, function or script block."""

    source: str
    parameters: tuple[ParameterDeclaration, ...] = ()
    begin: Block | None = None
    process: Block | None = None
    end: Block | None = None
    advanced: bool = False
    is_script: bool = field(default=False)


@dataclass(frozen=True, slots=True)
class FunctionDefinition(Node):
    """``function name { … }``."""

    name: str
    body: BlockBody
