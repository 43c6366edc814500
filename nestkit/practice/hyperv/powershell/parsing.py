"""Script text to tree-sitter's concrete tree, checked: what is not 5.1 is refused here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

import tree_sitter
import tree_sitter_pwsh

from nestkit.practice.hyperv.powershell.errors import ParseError
from nestkit.practice.hyperv.powershell.limits import LimitExceededError, Limits
from nestkit.practice.hyperv.powershell.tree import Place

_REPAIR_ROUNDS = 6
_MISSING = {
    "}": ("Missing closing '}' in statement block or type definition.", "MissingEndCurlyBrace"),
    ")": ("Missing closing ')' in expression.", "MissingEndParenthesisInExpression"),
    "]": ("Missing ] at end of attribute or type literal.", "EndSquareBracketExpected"),
}
_OPENERS = {"{": "}", "@{": "}", "(": ")", "@(": ")", "$(": ")", "[": "]"}


class Source:
    """A script's bytes, and where in it a node stands.

    ``added`` are bytes that the script does not have, each after the byte offset it was put in at.
    """

    def __init__(self, text: str, added: Sequence[tuple[int, bytes]] = ()) -> None:
        self.original = text.encode("utf-8", "replace")
        pieces, last = [], 0
        for at, byte in added:
            pieces += [self.original[last:at], byte]
            last = at
        self.bytes = b"".join([*pieces, self.original[last:]])
        self.added = tuple(added)
        self._lines = self.original.split(b"\n")

    def offset(self, at: int) -> int:
        """An offset of ``bytes`` as one of the script as given."""
        return at - sum(1 for n, (put, _) in enumerate(self.added) if put + n < at)

    def text(self, node: tree_sitter.Node) -> str:
        """A node's own text."""
        return self.slice(node.start_byte, node.end_byte)

    def slice(self, start: int, end: int) -> str:
        """Text between two byte offsets."""
        return self.bytes[start:end].decode("utf-8", "replace")

    def place(self, node: tree_sitter.Node) -> Place:
        """Line, column and the line's text."""
        at = self.offset(node.start_byte)
        row = self.original.count(b"\n", 0, at)
        column = at - (self.original.rfind(b"\n", 0, at) + 1)
        line = self._lines[row]
        before = line[:column].decode("utf-8", "replace")
        return Place(row + 1, len(before) + 1, line.decode("utf-8", "replace").strip()[:300])


@cache
def _language() -> tree_sitter.Language:
    return tree_sitter.Language(tree_sitter_pwsh.language())


def _parse(source: Source) -> tree_sitter.Node:
    tree = tree_sitter.Parser(_language()).parse(source.bytes)
    return tree.root_node


def walk(root: tree_sitter.Node) -> Iterator[tuple[tree_sitter.Node, int]]:
    """Every node with its depth, in the order of the text, without recursion."""
    cursor = root.walk()
    depth = 0
    while True:
        node = cursor.node
        if node is not None:
            yield node, depth
        if cursor.goto_first_child():
            depth += 1
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return
            depth -= 1


def parse(text: str, limits: Limits) -> tuple[Source, tree_sitter.Node]:
    """The concrete tree of a script.

    Raises
    ------
    ParseError
        If Windows PowerShell 5.1 would not read it, or this host cannot.
    LimitExceededError
        If it is too long or nests too deeply.
    """
    if len(text) > limits.source_chars:
        raise LimitExceededError(f"the script is longer than {limits.source_chars} characters")
    source = Source(text)
    root = _parse(source)
    if root.has_error:
        source, root = _repaired(source, root)
    if root.has_error:
        raise _first_error(source, root)
    for node, depth in walk(root):
        if depth > limits.syntax_depth:
            raise LimitExceededError(
                "the script nests too deeply or chains too many operators",
                error_id="ScriptTooComplicated",
            )
        _check_for_51(source, node)
    return source, root


def _repaired(source: Source, root: tree_sitter.Node) -> tuple[Source, tree_sitter.Node]:
    """Put in what PowerShell does not need but the grammar does.

    The grammar misreads ``switch`` clauses and a function's param block that share a line with
    what follows. A line break after a closing brace or a param block never changes a script that
    PowerShell reads, so the broken version means the same. It also misses bare words in a list of
    arguments that does not begin with one, ``@{n = 'x'}, Name``: such words are put in quotes.
    """
    for _ in range(_REPAIR_ROUNDS):
        places: set[tuple[int, bytes]] = set()
        for node, _depth in walk(root):
            parent = node.parent
            if node.type == "," and (word := _bare_word(source, node)):
                places |= {(source.offset(at), b"'") for at in word}
            if parent is None or (
                parent.type not in {"ERROR", "switch_clause"} or node.type not in _BREAK_AFTER
            ):
                continue
            if not re.match(rb"[ \t]*\r?\n", source.bytes[node.end_byte : node.end_byte + 80]):
                places.add((source.offset(node.end_byte), b"\n"))
        if not places:
            return source, root
        source = Source(
            source.original.decode("utf-8", "replace"), sorted(places.union(source.added))
        )
        root = _parse(source)
        if not root.has_error:
            return source, root
    return source, root


def _bare_word(source: Source, comma: tree_sitter.Node) -> tuple[int, int] | None:
    """Where the bare word after a comma begins and ends, in a list among a command's arguments."""
    found = _BARE_WORD.match(source.bytes, comma.end_byte)
    node: tree_sitter.Node | None = comma
    while found is not None and node is not None:
        before = node.prev_sibling
        while before is not None and (before.is_named or before.type == ","):
            if before.type == "command_argument_sep":
                return found.span(1)
            before = before.prev_sibling
        node = node.parent if before is None else None
        if node is not None and node.type not in {"ERROR", "array_literal_expression"}:
            return None
    return None


_BARE_WORD = re.compile(rb"[ \t]*([A-Za-z_*][\w*.-]*)(?=[\s,|;)}]|\Z)")
_BREAK_AFTER = frozenset({"statement_block", "param_block"})


def _unclosed(source: Source, root: tree_sitter.Node) -> ParseError | None:
    """The innermost bracket that is never closed, where all others fit."""
    stack: list[tree_sitter.Node] = []
    for node, _depth in walk(root):
        if node.child_count or node.is_named or node.is_missing:
            continue
        kind = node.type.strip()
        if kind in _OPENERS:
            stack.append(node)
        elif kind in _MISSING and (not stack or _OPENERS[stack.pop().type.strip()] != kind):
            return None
    if not stack:
        return None
    message, error_id = _MISSING[_OPENERS[stack[-1].type.strip()]]
    return ParseError(message, error_id=error_id, place=source.place(stack[-1]))


def _first_error(source: Source, root: tree_sitter.Node) -> ParseError:
    unclosed = _unclosed(source, root)
    if unclosed is not None:
        return unclosed
    for node, _depth in walk(root):
        if node.is_missing:
            message, error_id = _MISSING.get(
                node.type, (f"Missing '{node.type}' in the script.", "UnexpectedToken")
            )
            return ParseError(message, error_id=error_id, place=source.place(node))
        if node.is_error:
            return _explain(source, node)
    return ParseError("The script cannot be read.", place=source.place(root))


def _explain(source: Source, node: tree_sitter.Node) -> ParseError:
    place = source.place(node)
    text = source.text(node).strip()
    if re.search(r"\?[.\[]", text):
        return _seven("?.", place)
    for quote in ('"', "'"):
        if text.startswith(quote) and text.count(quote) % 2:
            return ParseError(
                f"The string is missing the terminator: {quote}.",
                error_id="TerminatorExpectedAtEndOfString",
                place=place,
            )
    token = text.split(maxsplit=1)[0] if text else ""
    return ParseError(
        f"Unexpected token '{token[:60]}' in expression or statement. "
        "(This practice host reads the part of Windows PowerShell 5.1 that nestkit uses.)",
        place=place,
    )


def _seven(operator: str, place: Place) -> ParseError:
    if operator in {"&&", "||"}:
        return ParseError(
            f"The token '{operator}' is not a valid statement separator in this version.",
            error_id="InvalidEndOfLine",
            place=place,
        )
    return ParseError(f"Unexpected token '{operator}' in expression or statement.", place=place)


_SEVEN = {
    "ternary_expression": "?",
    "ternary_argument_expression": "?",
    "null_coalesce_expression": "??",
    "null_coalesce_argument_expression": "??",
}


def _check_for_51(source: Source, node: tree_sitter.Node) -> None:
    """Refuse what the grammar takes and 5.1 does not."""
    kind = node.type
    if kind in _SEVEN:
        raise _seven(_SEVEN[kind], source.place(node))
    if kind == "pipeline_chain_tail":
        raise _seven(source.text(node).strip() or "&&", source.place(node))
    if kind == "assignment_operator" and source.text(node).strip() == "??=":
        raise _seven("??=", source.place(node))
    if kind == "block_name" and source.text(node).strip().lower() == "clean":
        raise ParseError("Unexpected token 'clean' in expression or statement.")
    if kind == "try_statement" and not any(
        c.type in {"catch_clauses", "finally_clause"} for c in node.children
    ):
        raise ParseError(
            "The Try statement is missing its Catch or Finally block.",
            error_id="MissingCatchOrFinally",
            place=source.place(node),
        )
    if kind == "&" and node.parent is not None and node.parent.type == "pipeline":
        raise ParseError(
            "The ampersand (&) character is not allowed. The & operator is reserved for future use;"
            ' wrap an ampersand in double quotation marks ("&") to pass it as part of a string.',
            error_id="AmpersandNotAllowed",
            place=source.place(node),
        )
