"""Statements, blocks and parameters: concrete tree to syntax tree."""

from __future__ import annotations

import tree_sitter

from nestkit.practice.hyperv.powershell.errors import unspoken_syntax
from nestkit.practice.hyperv.powershell.lowering_base import children, lower, named, refuse, rule
from nestkit.practice.hyperv.powershell.lowering_expressions import type_text
from nestkit.practice.hyperv.powershell.lowering_parameters import (
    is_advanced,
    param_block,
    parameters,
)
from nestkit.practice.hyperv.powershell.parsing import Source
from nestkit.practice.hyperv.powershell.tree import (
    Block,
    BlockBody,
    BlockLiteral,
    Flow,
    Foreach,
    FunctionDefinition,
    If,
    Literal,
    Loop,
    Node,
    ParameterDeclaration,
    Switch,
    Try,
    Variable,
)


@rule("statement_list")
def statements(source: Source, node: tree_sitter.Node) -> Node:
    """Statements in turn."""
    return Block(tuple(lower(source, c) for c in named(node) if c.type != "empty_statement"))


@rule("statement_block")
def _statement_block(source: Source, node: tree_sitter.Node) -> Node:
    return _block(source, node)


def _block(source: Source, node: tree_sitter.Node) -> Block:
    found: list[Node] = []
    for child in named(node):
        made = lower(source, child)
        found += made.statements if isinstance(made, Block) else [made]
    return Block(tuple(found))


@rule("if_statement")
def _if(source: Source, node: tree_sitter.Node) -> Node:
    clauses: list[tuple[Node, Block]] = []
    otherwise: Block | None = None
    condition: Node | None = None
    for child in named(node):
        if child.type == "statement_block" and condition is not None:
            clauses.append((condition, _block(source, child)))
        elif child.type == "elseif_clauses":
            for clause in named(child):
                test, body = named(clause)
                clauses.append((lower(source, test), _block(source, body)))
        elif child.type == "else_clause":
            otherwise = _block(source, named(child)[-1])
        else:
            condition = lower(source, child)
    return If(tuple(clauses), otherwise)


@rule("while_statement")
def _while(source: Source, node: tree_sitter.Node) -> Node:
    condition, body = named(node)
    return Loop(lower(source, named(condition)[0]), _block(source, body))


@rule("do_statement")
def _do(source: Source, node: tree_sitter.Node) -> Node:
    body, condition = named(node)
    until = any(c.type == "until" for c in node.children)
    return Loop(
        lower(source, named(condition)[0]), _block(source, body), body_first=True, until=until
    )


@rule("for_statement")
def _for(source: Source, node: tree_sitter.Node) -> Node:
    found: dict[str, Node] = {}
    body = Block(())
    for child in named(node):
        if child.type == "statement_block":
            body = _block(source, child)
        elif child.type in {"for_initializer", "for_condition", "for_iterator"}:
            if len(named(child)) != 1:
                raise refuse(source, child)
            found[child.type] = lower(source, named(child)[0])
        else:
            raise refuse(source, child)
    return Loop(
        found.get("for_condition"),
        body,
        start=found.get("for_initializer"),
        advance=found.get("for_iterator"),
    )


@rule("foreach_statement")
def _foreach(source: Source, node: tree_sitter.Node) -> Node:
    parts = named(node)
    if len(parts) != 3:
        raise unspoken_syntax("foreach with options", source.place(node))
    variable = lower(source, parts[0])
    if not isinstance(variable, Variable):
        raise refuse(source, parts[0])
    return Foreach(variable, lower(source, parts[1]), _block(source, parts[2]))


@rule("switch_statement")
def _switch(source: Source, node: tree_sitter.Node) -> Node:
    mode, sensitive = "exact", False
    subject: Node = Literal(None)
    clauses: list[tuple[Node | None, Block]] = []
    for child in named(node):
        if child.type == "switch_parameters":
            for option in named(child):
                word = source.text(option).strip().lower().lstrip("-")
                if word in {"regex", "wildcard", "exact"}:
                    mode = word
                elif word == "casesensitive":
                    sensitive = True
                else:
                    raise unspoken_syntax(f"switch -{word}", source.place(option))
        elif child.type == "switch_condition":
            if len(named(child)) != 1:
                raise refuse(source, child)
            subject = lower(source, named(child)[0])
        elif child.type == "switch_body":
            for group in named(child):
                clauses += [_clause(source, one) for one in named(group)]
        else:
            raise refuse(source, child)
    return Switch(subject, mode, sensitive, tuple(clauses))


def _clause(source: Source, node: tree_sitter.Node) -> tuple[Node | None, Block]:
    condition, body = named(node)
    inner = named(condition)
    block = _block(source, body)
    if len(inner) == 1 and inner[0].type not in {"simple_name", "generic_token"}:
        return lower(source, inner[0]), block
    text = source.text(condition).strip()
    return (None if text.lower() == "default" else Literal(text)), block


@rule("try_statement")
def _try(source: Source, node: tree_sitter.Node) -> Node:
    body, final = Block(()), None
    catches: list[tuple[tuple[str, ...], Block]] = []
    for child in named(node):
        if child.type == "statement_block":
            body = _block(source, child)
        elif child.type == "finally_clause":
            final = _block(source, named(child)[-1])
        elif child.type == "catch_clauses":
            for clause in named(child):
                types = [
                    type_text(source, t)
                    for c in named(clause)
                    if c.type == "catch_type_list"
                    for t in named(c)
                ]
                catches.append((tuple(types), _block(source, named(clause)[-1])))
        else:
            raise refuse(source, child)
    return Try(body, tuple(catches), final)


@rule("flow_control_statement")
def _flow(source: Source, node: tree_sitter.Node) -> Node:
    kind = source.text(children(node)[0]).strip().lower()
    rest = children(node)[1:]
    if any(c.type == "label_expression" for c in rest):
        raise unspoken_syntax("loop labels", source.place(node))
    return Flow(kind, lower(source, rest[0]) if rest else None, source.place(node))


@rule("function_statement")
def _function(source: Source, node: tree_sitter.Node) -> Node:
    keyword = source.text(children(node)[0]).strip().lower()
    if keyword == "workflow":
        raise unspoken_syntax("workflows", source.place(node))
    name = ""
    outside: tuple[ParameterDeclaration, ...] = ()
    body = BlockBody("")
    for child in named(node):
        if child.type == "function_name":
            name = source.text(child).strip()
        elif child.type == "function_parameter_declaration":
            outside = tuple(p for c in named(child) for p in parameters(source, c))
        elif child.type == "script_block":
            body = block_body(source, child, child)
        else:
            raise refuse(source, child)
    scope, colon, bare = name.partition(":")
    if colon:
        if scope.lower() not in {"script", "global", "local"}:
            raise unspoken_syntax(f"the drive in {name}", source.place(node))
        name = bare
    if keyword == "filter":
        body = BlockBody(body.source, body.parameters, process=body.end)
    if outside:
        body = BlockBody(
            body.source, outside, body.begin, body.process, body.end, is_advanced(outside)
        )
    return FunctionDefinition(name, body)


@rule("script_block_expression")
def _block_literal(source: Source, node: tree_sitter.Node) -> Node:
    text = source.text(node).strip()
    return BlockLiteral(block_body(source, node, node, text[1:-1]))


@rule("program")
def _program(source: Source, node: tree_sitter.Node) -> Node:
    return BlockLiteral(block_body(source, node, node))


def block_body(
    source: Source, outer: tree_sitter.Node, node: tree_sitter.Node, text: str | None = None
) -> BlockBody:
    """The body of a script, function or script block, its param block with it."""
    declared: tuple[ParameterDeclaration, ...] = ()
    blocks: dict[str, Block] = {}
    advanced = False
    queue = named(node)
    while queue:
        child = queue.pop(0)
        if child.type == "param_block":
            declared, attributes = param_block(source, child)
            advanced = attributes or is_advanced(declared)
        elif child.type in {"script_block", "script_block_body", "named_block_list"}:
            queue = named(child) + queue
        elif child.type == "named_block":
            kind = source.text(named(child)[0]).strip().lower()
            if kind not in {"begin", "process", "end"}:
                raise unspoken_syntax(f"{kind} blocks", source.place(child))
            blocks[kind] = _block(source, named(child)[-1])
        elif child.type == "empty_statement":
            continue
        else:
            made = lower(source, child)
            before = blocks.get("end", Block(()))
            inside = made.statements if isinstance(made, Block) else (made,)
            blocks["end"] = Block(before.statements + inside)
    return BlockBody(
        text if text is not None else source.text(outer),
        declared,
        blocks.get("begin"),
        blocks.get("process"),
        blocks.get("end"),
        advanced,
    )
