"""Numbers, strings and variables: concrete tree to syntax tree."""

from __future__ import annotations

import tree_sitter

from nestkit.practice.hyperv.powershell import literals
from nestkit.practice.hyperv.powershell.errors import ParseError, unspoken_syntax
from nestkit.practice.hyperv.powershell.lowering_base import (
    lower,
    named,
    rule,
)
from nestkit.practice.hyperv.powershell.parsing import Source
from nestkit.practice.hyperv.powershell.tree import (
    Expandable,
    Literal,
    Node,
    Variable,
)

_SCOPES = frozenset({"script", "global", "local", "private", "using", "env"})


@rule("integer_literal", "real_literal")
def _number(source: Source, node: tree_sitter.Node) -> Node:
    text = source.text(node).strip()
    return Literal(literals.number(text), text=text)


@rule("string_literal")
def _string(source: Source, node: tree_sitter.Node) -> Node:
    return lower(source, named(node)[0])


@rule("verbatim_string_characters")
def _verbatim(source: Source, node: tree_sitter.Node) -> Node:
    return Literal(literals.verbatim(source.text(node).strip()))


@rule("verbatim_here_string_characters")
def _verbatim_here(source: Source, node: tree_sitter.Node) -> Node:
    return Literal(literals.here_string(source.text(node).strip()))


@rule("expandable_string_literal")
def _expandable(source: Source, node: tree_sitter.Node) -> Node:
    text = source.text(node)
    lead = len(text) - len(text.lstrip())
    start = node.start_byte + len(text[:lead].encode()) + 1
    return _expand(source, node, start, node.end_byte - 1, doubled=True)


@rule("expandable_here_string_literal")
def _expandable_here(source: Source, node: tree_sitter.Node) -> Node:
    raw = source.bytes[node.start_byte : node.end_byte]
    start = node.start_byte + raw.index(b"\n") + 1
    end = node.start_byte + raw.rindex(b"\n")
    if end > start and source.bytes[end - 1 : end] == b"\r":
        end -= 1
    return _expand(source, node, start, max(start, end), doubled=False)


def _expand(source: Source, node: tree_sitter.Node, start: int, end: int, *, doubled: bool) -> Node:
    """Text between the expressions is whatever no child covers."""
    parts: list[str | Node] = []

    def take(first: int, last: int) -> None:
        raw = source.slice(first, last)
        if doubled:
            literals.check_double(raw)
        if raw:
            parts.append(literals.unescape(raw, doubled_quote=doubled))

    position = start
    for child in node.children:
        if child.type not in {"variable", "sub_expression"} or child.start_byte < position:
            continue
        text = source.text(child)
        begins = child.start_byte + len(text[: len(text) - len(text.lstrip())].encode())
        take(position, begins)
        parts.append(lower(source, child))
        position = child.end_byte
        is_bare = child.type == "variable" and not text.lstrip().startswith("${")
        if is_bare and source.bytes[position : position + 1] == b":":
            raise ParseError(
                "Variable reference is not valid. ':' was not followed by a valid variable name "
                "character. Consider using ${} to delimit the name.",
                error_id="InvalidVariableReferenceWithDrive",
                place=source.place(child),
            )
    take(position, end)
    if not parts:
        return Literal("")
    if all(isinstance(part, str) for part in parts):
        return Literal("".join(str(part) for part in parts))
    return Expandable(tuple(parts))


@rule("variable")
def variable(source: Source, node: tree_sitter.Node) -> Node:
    """``$name``."""
    text = source.text(node).strip()
    if text.startswith("@"):
        raise ParseError(
            "The splatting operator '@' cannot be used to reference variables in an expression. "
            f"'{text}' can be used only as an argument to a command.",
            error_id="SplattingNotPermitted",
            place=source.place(node),
        )
    name = text[1:]
    if name.startswith("{") and name.endswith("}"):
        name = literals.unescape(name[1:-1], doubled_quote=False)
    scope, colon, bare = name.partition(":")
    if not colon:
        return Variable(name.lower())
    if scope.lower() not in _SCOPES:
        raise unspoken_syntax(f"the drive in ${scope}:{bare}", source.place(node))
    return Variable(bare.lower(), scope.lower())
