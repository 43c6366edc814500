"""The rules' register: which function turns which concrete node into a tree node."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tree_sitter

from nestkit.practice.hyperv.powershell.errors import unspoken_syntax
from nestkit.practice.hyperv.powershell.parsing import Source
from nestkit.practice.hyperv.powershell.tree import Node

Rule = Callable[[Source, tree_sitter.Node], Node]
_F = TypeVar("_F", bound=Rule)

_RULES: dict[str, Rule] = {}
# Wrappers that the grammar puts around a single child.
_PASS = frozenset(
    {
        "unary_expression",
        "expression_with_unary_operator",
        "argument_expression",
        "attribute_argument",
    }
)

_NAMES = {
    "class_statement": "classes",
    "enum_statement": "enumerations of its own",
    "using_statement": "using statements",
    "using_directive_list": "using statements",
    "trap_statement": "trap (use try and catch)",
    "data_statement": "data sections",
    "inlinescript_statement": "workflows",
    "parallel_statement": "workflows",
    "sequence_statement": "workflows",
    "stop_parsing": "the stop-parsing token --%",
    "verbatim_command_argument": "the stop-parsing token --%",
    "generic_type_name": "generic types",
    "label": "loop labels",
    "requires_statement": "#requires",
    "requires_directive_list": "#requires",
}


def rule(*types: str) -> Callable[[_F], _F]:
    """Register a function for these node types."""

    def register(function: _F) -> _F:
        for name in types:
            _RULES[name] = function
        return function

    return register


def children(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    """Children without comments."""
    return [c for c in node.children if c.type != "comment"]


def named(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    """Named children without comments."""
    return [c for c in node.children if c.is_named and c.type != "comment"]


def refuse(source: Source, node: tree_sitter.Node) -> Exception:
    """The refusal of a construct."""
    return unspoken_syntax(
        _NAMES.get(node.type, f"this construct ({node.type.replace('_', ' ')})"),
        source.place(node),
    )


def lower(source: Source, node: tree_sitter.Node) -> Node:
    """The tree node for a concrete node. Raises ParseError for what the host does not speak."""
    while node.type in _PASS:
        inner = named(node)
        if len(inner) != 1 or len(children(node)) != 1:
            break
        node = inner[0]
    found = _RULES.get(node.type)
    if found is None:
        raise refuse(source, node)
    return found(source, node)
