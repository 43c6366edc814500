"""Statements, blocks and parameters: concrete tree to syntax tree."""

from __future__ import annotations

import tree_sitter

from nestkit.practice.hyperv.powershell.errors import ParseError, unspoken_syntax
from nestkit.practice.hyperv.powershell.lowering_base import children, lower, named, refuse, rule
from nestkit.practice.hyperv.powershell.lowering_expressions import type_text
from nestkit.practice.hyperv.powershell.parsing import Source
from nestkit.practice.hyperv.powershell.tree import (
    ArrayLiteral,
    Block,
    BlockBody,
    BlockLiteral,
    Cast,
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
            body.source, outside, body.begin, body.process, body.end, _is_advanced(outside)
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
            declared, attributes = _param_block(source, child)
            advanced = attributes or _is_advanced(declared)
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


def _is_advanced(declared: tuple[ParameterDeclaration, ...]) -> bool:
    return any(p.mandatory or p.position is not None or p.from_pipeline for p in declared)


def _param_block(
    source: Source, node: tree_sitter.Node
) -> tuple[tuple[ParameterDeclaration, ...], bool]:
    declared: tuple[ParameterDeclaration, ...] = ()
    binding = False
    for child in named(node):
        if child.type == "parameter_list":
            declared = parameters(source, child)
        elif child.type == "attribute_list":
            for attribute in named(child):
                name = source.text(attribute).strip("[] \t\r\n").partition("(")[0].strip().lower()
                if name != "cmdletbinding":
                    raise unspoken_syntax(f"the attribute {name}", source.place(attribute))
                binding = True
        else:
            raise refuse(source, child)
    return declared, binding


def parameters(source: Source, node: tree_sitter.Node) -> tuple[ParameterDeclaration, ...]:
    """The parameters of a list.

    The grammar reads ``$a = 1, $b`` as one parameter whose default is an array; PowerShell takes
    no bare array there, so the array's tail is more parameters.
    """
    found: list[ParameterDeclaration] = []
    for child in named(node):
        if child.type != "script_parameter":
            raise refuse(source, child)
        found += _parameter(source, child)
    names = [p.name.lower() for p in found]
    for name in names:
        if names.count(name) > 1:
            raise ParseError(
                f"Duplicate parameter ${name} in parameter list.",
                error_id="DuplicateFormalParameter",
                place=source.place(node),
            )
    return tuple(found)


def _parameter(source: Source, node: tree_sitter.Node) -> list[ParameterDeclaration]:
    facts: dict[str, object] = {}
    name = ""
    default: Node | None = None
    more: list[ParameterDeclaration] = []
    for child in named(node):
        if child.type == "attribute_list":
            for attribute in named(child):
                _attribute(source, attribute, facts)
        elif child.type == "variable":
            name = source.text(child).strip()[1:]
        elif child.type == "script_parameter_default":
            value = named(child)[-1]
            if value.type == "array_literal_expression":
                first, *rest = named(value)
                default = lower(source, first)
                more = [_bare_parameter(source, one) for one in rest]
            else:
                default = lower(source, value)
        else:
            raise refuse(source, child)
    return [ParameterDeclaration(name=name, default=default, **facts), *more]  # type: ignore[arg-type]


def _bare_parameter(source: Source, node: tree_sitter.Node) -> ParameterDeclaration:
    made = lower(source, node)
    if isinstance(made, Variable):
        return ParameterDeclaration(made.name)
    if isinstance(made, Cast) and isinstance(made.operand, Variable):
        return ParameterDeclaration(made.operand.name, made.type_name)
    raise ParseError("Missing ')' in function parameter list.", place=source.place(node))


def _attribute(source: Source, node: tree_sitter.Node, facts: dict[str, object]) -> None:
    inner = named(node)
    if inner[0].type == "type_literal":
        facts["type_name"] = type_text(source, inner[0])
        return
    kind = source.text(inner[0]).strip().lower()
    arguments = [a for c in inner[1:] for a in named(c)]
    if kind == "validateset" or kind == "alias":
        made = [lower(source, a) for a in arguments]
        words = [w for m in made for w in (m.items if isinstance(m, ArrayLiteral) else (m,))]
        if not all(isinstance(w, Literal) for w in words):
            raise refuse(source, node)
        texts = tuple(str(w.value) for w in words if isinstance(w, Literal))
        facts["values" if kind == "validateset" else "aliases"] = texts
    elif kind == "parameter":
        for argument in arguments:
            _parameter_fact(source, argument, facts)
    elif kind not in {"allownull", "allowemptystring", "allowemptycollection"}:
        raise unspoken_syntax(f"the attribute {kind}", source.place(node))


_PARAMETER_FACTS = {
    "mandatory": "mandatory",
    "valuefrompipeline": "from_pipeline",
    "valuefrompipelinebypropertyname": "from_pipeline_by_name",
}


def _parameter_fact(source: Source, node: tree_sitter.Node, facts: dict[str, object]) -> None:
    parts = named(node)
    key = source.text(parts[0]).strip().lower()
    value = lower(source, parts[-1]) if len(parts) > 1 else Variable("true")
    if key == "position" and isinstance(value, Literal):
        facts["position"] = int(value.value)
    elif key in _PARAMETER_FACTS and isinstance(value, (Variable, Literal)):
        truth = value.name == "true" if isinstance(value, Variable) else bool(value.value)
        facts[_PARAMETER_FACTS[key]] = truth
    elif key != "helpmessage":
        raise unspoken_syntax(f"the parameter attribute {key}", source.place(node))
