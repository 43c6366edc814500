"""Script text to syntax tree."""

from __future__ import annotations

from functools import lru_cache

# Importing the rules registers them.
from nestkit.practice.hyperv.powershell import (  # noqa: F401
    lowering_commands,
    lowering_expressions,
    lowering_literals,
    lowering_statements,
)
from nestkit.practice.hyperv.powershell.errors import ParseError
from nestkit.practice.hyperv.powershell.limits import LimitExceededError, Limits
from nestkit.practice.hyperv.powershell.lowering_base import lower
from nestkit.practice.hyperv.powershell.parsing import parse
from nestkit.practice.hyperv.powershell.tree import BlockBody, BlockLiteral

_KEPT_CHARS = 30_000  # longer scripts are read anew: their trees would fill memory


def read_script(text: str, limits: Limits) -> BlockBody:
    """The syntax tree of a script; the same text is read once.

    Raises
    ------
    ParseError
        If 5.1 would refuse it, or this host does not speak it.
    LimitExceededError
        If it is too long or nests too deeply.
    """
    return _read_once(text, limits) if len(text) <= _KEPT_CHARS else _read(text, limits)


def _read(text: str, limits: Limits) -> BlockBody:
    source, root = parse(text, limits)
    try:
        made = lower(source, root)
    except RecursionError as error:
        raise LimitExceededError(
            "the script nests too deeply", error_id="ScriptTooComplicated"
        ) from error
    if not isinstance(made, BlockLiteral):
        raise ParseError("The script cannot be read.")
    return made.block


_read_once = lru_cache(maxsize=64)(_read)
