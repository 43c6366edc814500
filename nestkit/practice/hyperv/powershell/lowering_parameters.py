"""Param blocks: concrete tree to syntax tree."""

from __future__ import annotations

import tree_sitter

from nestkit.practice.hyperv.powershell.errors import ParseError, unspoken_syntax
from nestkit.practice.hyperv.powershell.lowering_base import lower, named, refuse
from nestkit.practice.hyperv.powershell.lowering_expressions import type_text
from nestkit.practice.hyperv.powershell.parsing import Source
from nestkit.practice.hyperv.powershell.tree import (
    ArrayLiteral,
    Cast,
    Literal,
    Node,
    ParameterDeclaration,
    Variable,
)


def is_advanced(declared: tuple[ParameterDeclaration, ...]) -> bool:
    return any(p.mandatory or p.position is not None or p.from_pipeline for p in declared)


def param_block(
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
                if source.text(attribute).partition("(")[2].strip(" \t\r\n)]"):
                    raise unspoken_syntax("arguments of CmdletBinding", source.place(attribute))
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
