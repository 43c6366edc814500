"""Pipelines, commands and their arguments: concrete tree to syntax tree."""

from __future__ import annotations

import re

import tree_sitter

from nestkit.practice.hyperv.powershell import literals
from nestkit.practice.hyperv.powershell.errors import ParseError, unspoken_syntax
from nestkit.practice.hyperv.powershell.limits import Limits
from nestkit.practice.hyperv.powershell.lowering_base import children, lower, named, refuse, rule
from nestkit.practice.hyperv.powershell.parsing import Source, parse
from nestkit.practice.hyperv.powershell.tree import (
    ArrayLiteral,
    Assign,
    Block,
    BlockLiteral,
    Cast,
    Command,
    Expandable,
    Index,
    Literal,
    Member,
    Named,
    Node,
    Paren,
    Pipeline,
    Splat,
    Variable,
)

# `1..3`, `7/2`: the grammar takes an expression that starts with a number for a command's name.
_NUMERIC = re.compile(r"(-?\d+(?:\.\d+)?(?:[kmgtp]b)?)(\.\.|[*/%+-])(?=\S)", re.IGNORECASE)
_DASHES = "-–—―"
_TYPOGRAPHIC_SWITCH = re.compile(r"[–—―][A-Za-z]\w*:")  # the grammar knows the plain one
_QUOTES = "‘’‚‛“”„"


@rule("pipeline")
def _pipeline(source: Source, node: tree_sitter.Node) -> Node:
    inner = named(node)
    if len(inner) != 1 or len(children(node)) != 1:
        raise refuse(source, node)
    return lower(source, inner[0])


@rule("pipeline_chain", "assignment_value")
def _chain(source: Source, node: tree_sitter.Node) -> Node:
    parts: list[Node] = []
    silenced: frozenset[str] = frozenset()
    if node.type == "assignment_value" and len(named(node)) == 1:
        return lower(source, named(node)[0])
    for child in named(node):
        if child.type == "redirections":
            silenced = frozenset(_redirection(source, one) for one in named(child))
            continue
        made = lower(source, child)
        if parts and (not isinstance(made, Command) or _is_number(made)):
            raise ParseError(
                "Expressions are only allowed as the first element of a pipeline.",
                error_id="ExpressionsMustBeFirstInPipeline",
                place=source.place(child),
            )
        parts.append(made)
    if not parts:
        raise refuse(source, node)
    return Pipeline(tuple(parts), source.place(node), silenced)


def _is_number(command: Command) -> bool:
    name = command.name
    return isinstance(name, Literal) and str(name.value).isdigit() and not command.operator


@rule("assignment_expression")
def _assign(source: Source, node: tree_sitter.Node) -> Node:
    parts = named(node)
    if len(parts) != 3:
        raise refuse(source, node)
    target = lower(source, named(parts[0])[0])
    _check_target(source, parts[0], target)
    operator = source.text(parts[1]).strip()
    if operator not in {"=", "+=", "-=", "*=", "/=", "%="}:
        raise refuse(source, parts[1])
    return Assign(target, operator, lower(source, parts[2]), source.place(node))


def _check_target(source: Source, node: tree_sitter.Node, target: Node) -> None:
    if isinstance(target, ArrayLiteral):
        for item in target.items:
            _check_target(source, node, item)
    elif isinstance(target, Cast):
        _check_target(source, node, target.operand)
    elif not isinstance(target, (Variable, Member, Index)):
        raise ParseError(
            "The assignment expression is not valid. The input to an assignment operator must be "
            "an object that is able to accept assignments, such as a variable or a property.",
            error_id="InvalidLeftHandSide",
            place=source.place(node),
        )


def _redirection(source: Source, node: tree_sitter.Node) -> str:
    parts = named(node)
    operator = source.text(parts[0]).strip()
    if parts[0].type == "merging_redirection_operator":
        return operator
    if operator == "<":
        raise _reserved(source, node)
    target = named(parts[1])[-1] if len(parts) > 1 and named(parts[1]) else None
    if target is None or source.text(target).strip().lower() != "$null":
        raise unspoken_syntax("redirection to files", source.place(node))
    stream = operator.rstrip(">")
    return stream or "1"


def _reserved(source: Source, node: tree_sitter.Node) -> ParseError:
    return ParseError(
        "The '<' operator is reserved for future use.",
        error_id="RedirectionNotSupported",
        place=source.place(node),
    )


@rule("command")
def _command(source: Source, node: tree_sitter.Node) -> Node:
    operator, name = "", None
    elements: list[Node] = []
    silenced: set[str] = set()
    for child in children(node):
        if child.type == "command_invocation_operator":
            operator = source.text(child).strip()
        elif child.type in {"command_name", "command_name_expr"} and name is None:
            name = child
        elif child.type == "command_elements":
            _elements(source, child, elements, silenced)
        else:
            raise refuse(source, child)
    if name is None:
        raise refuse(source, node)
    text = source.text(name).strip()
    if not operator and (match := _NUMERIC.match(text)):
        return _numeric(source, node, match)
    return Command(
        _command_name(source, name, operator),
        operator,
        tuple(elements),
        frozenset(silenced),
        source.place(node),
    )


def _numeric(source: Source, node: tree_sitter.Node, match: re.Match[str]) -> Node:
    """Read it again as an expression."""
    rest = source.text(node).strip()[match.end() :]
    again, root = parse(f"({match[1]}){match[2]}{rest}", Limits())
    made = lower(again, root)
    if isinstance(made, BlockLiteral) and made.block.end is not None:
        statements = made.block.end.statements
        if len(statements) == 1 and isinstance(statements[0], Pipeline):
            inner = statements[0].parts
            if len(inner) == 1 and not isinstance(inner[0], Command):
                return inner[0]
    raise refuse(source, node)


def _command_name(source: Source, node: tree_sitter.Node, operator: str) -> Node:
    if node.type == "command_name_expr":
        inner = named(node)[0]
        if inner.type == "path_command_name":
            parts = named(inner)
            if len(parts) == 1 and parts[0].type == "variable":
                return lower(source, parts[0])
            raise unspoken_syntax("programs and script files", source.place(node))
        if inner.type != "command_name":
            return lower(source, inner)
        node = inner
    text = source.text(node).strip()
    _check_quotes(source, node, text)
    if text.lower() == "using":
        raise unspoken_syntax("using statements", source.place(node))
    if operator == "." and not text.startswith("{"):
        raise unspoken_syntax("dot-sourcing of files", source.place(node))
    return Literal(literals.unescape(text, doubled_quote=False))


def _elements(
    source: Source, node: tree_sitter.Node, elements: list[Node], silenced: set[str]
) -> None:
    attach = False
    for child in children(node):
        if child.type == "command_argument_sep":
            attach = attach or source.text(child).strip().startswith(":")
            continue
        if child.type == "redirection":
            silenced.add(_redirection(source, child))
            continue
        made = _argument(source, child)
        if attach and isinstance(made, (Named, Splat)):
            raise ParseError(
                "The parameter before this requires an argument after its colon.",
                error_id="ParameterRequiresArgument",
                place=source.place(child),
            )
        if attach and elements and isinstance(elements[-1], Named):
            elements[-1] = Named(elements[-1].name, made)
        else:
            elements.append(made)
        attach = False


def _argument(source: Source, node: tree_sitter.Node) -> Node:
    if node.type == "unary_expression" and named(node)[0].type == "variable":
        node = named(node)[0]
    text = source.text(node).strip()
    if node.type == "command_parameter":
        return Named(text.lstrip(_DASHES))
    if node.type == "variable" and text.startswith("@"):
        return Splat(Variable(text[1:].lower()))
    if node.type in {"generic_token", "escape_character", "simple_name"}:
        return _bareword(source, node, text)
    if node.type == "bareword_argument_list":
        return ArrayLiteral(tuple(_argument(source, one) for one in named(node)))
    if node.type in {"concatenated_command_argument", "expandable_bareword"}:
        first, *rest = children(node)
        if len(rest) == 1 and _TYPOGRAPHIC_SWITCH.fullmatch(source.text(first).strip()):
            return Named(source.text(first).strip()[1:-1], _argument(source, rest[0]))
        parts = tuple(_piece(source, one) for one in children(node))
        if all(isinstance(p, Literal) for p in parts):
            return Literal("".join(str(p.value) for p in parts if isinstance(p, Literal)), True)
        return Expandable(parts)
    if node.type == "argument_list":  # `New-Object Type(1, 2)`: an array, not a call
        listed = [lower(source, one) for inner in named(node) for one in named(inner)]
        return Paren(listed[0]) if len(listed) == 1 else ArrayLiteral(tuple(listed))
    if node.type == "type_literal":  # `Get-VM [abc]*`: an argument is text, not a type
        return Literal(text, True)
    return lower(source, node)


def _piece(source: Source, node: tree_sitter.Node) -> Node:
    """A part of a word: text where it would be a parameter or a splat alone."""
    made = _argument(source, node)
    if isinstance(made, (Named, Splat)):
        return Literal(source.text(node).strip(), True)
    return made


def _bareword(source: Source, node: tree_sitter.Node, text: str) -> Node:
    if node.type == "generic_token":
        if "<" in text:
            raise _reserved(source, node)
        if ">" in text:
            raise unspoken_syntax("redirection to files", source.place(node))
        _check_quotes(source, node, text)
        if len(text) > 1 and text[0] in _DASHES and text[1].isalpha():
            name, colon, value = text[1:].partition(":")
            return Named(name, Literal(value, True) if colon and value else None)
    return Literal(literals.unescape(text, doubled_quote=False), True)


def _check_quotes(source: Source, node: tree_sitter.Node, text: str) -> None:
    """Outside strings 5.1 reads curly quotes as straight ones; this host's grammar does not."""
    if any(mark in text for mark in _QUOTES):
        what = "typographic quotation marks, as word processors make them: type straight ones"
        raise unspoken_syntax(what, source.place(node))


@rule("generic_token", "escape_character")
def _generic(source: Source, node: tree_sitter.Node) -> Node:
    return _argument(source, node)


@rule("empty_statement")
def _empty(source: Source, node: tree_sitter.Node) -> Node:
    return Block(())
