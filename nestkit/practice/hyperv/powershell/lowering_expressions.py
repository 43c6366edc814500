"""Expressions: concrete tree to syntax tree."""

from __future__ import annotations

import tree_sitter

from nestkit.practice.hyperv.powershell.errors import ParseError, unspoken_syntax
from nestkit.practice.hyperv.powershell.lowering_base import (
    children,
    lower,
    named,
    refuse,
    rule,
)
from nestkit.practice.hyperv.powershell.parsing import Source
from nestkit.practice.hyperv.powershell.tree import (
    ArrayLiteral,
    ArrayOf,
    Binary,
    Block,
    Call,
    Cast,
    HashLiteral,
    Index,
    Literal,
    Member,
    Node,
    Paren,
    Step,
    SubExpression,
    TypeLiteral,
    Unary,
    Variable,
)

_SCOPES = frozenset({"script", "global", "local", "private", "using", "env"})


@rule("array_literal_expression")
def _array_literal(source: Source, node: tree_sitter.Node) -> Node:
    return ArrayLiteral(tuple(lower(source, child) for child in named(node)))


def _body(source: Source, node: tree_sitter.Node) -> Block:
    statements = [c for c in named(node) if c.type == "statement_list"]
    if not statements:
        return Block(())
    made = lower(source, statements[0])
    assert isinstance(made, Block)
    return made


@rule("array_expression")
def _array_of(source: Source, node: tree_sitter.Node) -> Node:
    return ArrayOf(_body(source, node))


@rule("sub_expression")
def _sub(source: Source, node: tree_sitter.Node) -> Node:
    return SubExpression(_body(source, node))


@rule("parenthesized_expression")
def _paren(source: Source, node: tree_sitter.Node) -> Node:
    inner = named(node)
    if len(inner) != 1:
        raise refuse(source, node)
    return Paren(lower(source, inner[0]))


@rule("hash_literal_expression")
def _hash(source: Source, node: tree_sitter.Node) -> Node:
    pairs = []
    seen = set()
    for body in named(node):
        for entry in named(body):
            if entry.type == "empty_statement":
                continue
            if entry.type != "hash_entry":
                raise refuse(source, entry)
            key_node, value_node = named(entry)[0], named(entry)[-1]
            inner = named(key_node)[0]
            key: Node = (
                Literal(source.text(inner).strip())
                if inner.type == "simple_name"
                else lower(source, inner)
            )
            if isinstance(key, Literal) and isinstance(key.value, str):
                if key.value.lower() in seen:
                    raise ParseError(
                        f"Duplicate keys '{key.value}' are not allowed in hash literals.",
                        error_id="DuplicateKeyInHashLiteral",
                        place=source.place(entry),
                    )
                seen.add(key.value.lower())
            pairs.append((key, lower(source, value_node)))
    return HashLiteral(tuple(pairs))


def type_text(source: Source, node: tree_sitter.Node) -> str:
    """``[ System.String ]`` as ``System.String``."""
    if any(child.type in {"generic_type_name", "generic_type_arguments"} for child in _deep(node)):
        raise unspoken_syntax("generic types", source.place(node))
    return "".join(source.text(node).split())[1:-1]


def _deep(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    found, queue = [], [node]
    while queue:
        one = queue.pop()
        found.append(one)
        queue.extend(one.children)
    return found


@rule("type_literal")
def _type_literal(source: Source, node: tree_sitter.Node) -> Node:
    return TypeLiteral(type_text(source, node))


@rule("cast_expression")
def _cast(source: Source, node: tree_sitter.Node) -> Node:
    kind, operand = named(node)
    name = type_text(source, kind)
    inner = lower(source, operand)
    if name.lower() == "ordered":
        if not isinstance(inner, HashLiteral):
            raise ParseError(
                "The ordered attribute can be specified only on a hash literal node.",
                error_id="OrderedAttributeOnlyOnHashLiteralNode",
                place=source.place(node),
            )
        return HashLiteral(inner.pairs, ordered=True)
    return Cast(name, inner)


@rule("expression_with_unary_operator")
def _unary(source: Source, node: tree_sitter.Node) -> Node:
    parts = children(node)
    if len(parts) != 2:
        raise refuse(source, node)
    operator = source.text(parts[0]).strip().lower().lstrip("–—―")
    operator = operator if operator in {"-", "+", "!", ","} else operator.lstrip("-")
    operand = lower(source, parts[1])
    # -1 is a number, not a subtraction: keep its text for string parameters.
    if operator == "-" and isinstance(operand, Literal) and operand.text:
        return Literal(-operand.value, text="-" + operand.text)
    return Unary("not" if operator == "!" else operator, operand)


@rule(
    "pre_increment_expression",
    "pre_decrement_expression",
    "post_increment_expression",
    "post_decrement_expression",
)
def _step(source: Source, node: tree_sitter.Node) -> Node:
    target = lower(source, named(node)[0])
    if not isinstance(target, (Variable, Member, Index)):
        raise ParseError(
            "The operator works only on variables or on properties.",
            error_id="OperatorRequiresVariableOrProperty",
            place=source.place(node),
        )
    return Step(target, 1 if "increment" in node.type else -1, node.type.startswith("pre"))


@rule(
    "logical_expression",
    "bitwise_expression",
    "comparison_expression",
    "additive_expression",
    "multiplicative_expression",
    "format_expression",
    "range_expression",
    "logical_argument_expression",
    "bitwise_argument_expression",
    "comparison_argument_expression",
    "additive_argument_expression",
    "multiplicative_argument_expression",
    "format_argument_expression",
    "range_argument_expression",
)
def _binary(source: Source, node: tree_sitter.Node) -> Node:
    parts = children(node)
    if len(parts) != 3:
        raise refuse(source, node)
    text = source.text(parts[1]).strip().lower()
    operator = text if text in {"+", "-", "*", "/", "%", ".."} else text.lstrip("-–—―")
    if operator == "\\":
        raise refuse(source, node)
    return Binary(operator, lower(source, parts[0]), lower(source, parts[2]))


def _member_name(source: Source, node: tree_sitter.Node) -> Node:
    inner = named(node)
    if not inner or inner[0].type in {"simple_name", "type_identifier"}:
        return Literal(source.text(node).strip())
    return lower(source, inner[0])


@rule("member_access")
def _member(source: Source, node: tree_sitter.Node) -> Node:
    parts = children(node)
    if len(parts) != 3 or parts[2].type != "member_name":
        raise refuse(source, node)
    static = source.text(parts[1]).strip() == "::"
    return Member(lower(source, parts[0]), _member_name(source, parts[2]), static)


@rule("element_access")
def _element(source: Source, node: tree_sitter.Node) -> Node:
    parts = named(node)
    if len(parts) != 2:
        raise refuse(source, node)
    return Index(lower(source, parts[0]), lower(source, parts[1]))


@rule("invocation_expression")
def _call(source: Source, node: tree_sitter.Node) -> Node:
    parts = children(node)
    if len(parts) == 1:
        return lower(source, parts[0])
    if len(parts) != 4 or parts[3].type != "argument_list":
        raise refuse(source, node)
    return Call(
        lower(source, parts[0]),
        _member_name(source, parts[2]),
        _call_arguments(source, parts[3]),
        source.text(parts[1]).strip() == "::",
    )


_WITH_BLOCK = {
    "invocation_where_expression": "Where",
    "invocation_foreach_expression": "ForEach",
}


@rule(*_WITH_BLOCK)
def _call_with_block(source: Source, node: tree_sitter.Node) -> Node:
    """``.Where({…})`` and ``.ForEach({…})``, also without the parentheses."""
    target, given = named(node)
    is_list = given.type == "argument_list"
    arguments = _call_arguments(source, given) if is_list else (lower(source, given),)
    return Call(lower(source, target), Literal(_WITH_BLOCK[node.type]), arguments, False)


def _call_arguments(source: Source, node: tree_sitter.Node) -> tuple[Node, ...]:
    return tuple(lower(source, one) for listed in named(node) for one in named(listed))
