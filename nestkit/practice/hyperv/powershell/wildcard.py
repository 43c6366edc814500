"""``-like`` patterns: ``*``, ``?``, ``[a-z]``, in time text × pattern at worst."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from nestkit.practice.hyperv.powershell.text import units

Test = Callable[[str], bool]
_STAR = None


@lru_cache(maxsize=256)
def _tokens(pattern: str) -> tuple[Test | None, ...]:
    tokens: list[Test | None] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        end = pattern.find("]", at + 2) if char == "[" else -1
        if char == "*":
            if not tokens or tokens[-1] is not _STAR:
                tokens.append(_STAR)
        elif char == "?":
            tokens.append(lambda c: True)
        elif end > 0:
            tokens.append(_set(pattern[at + 1 : end]))
            at = end
        else:
            if char == "`" and at + 1 < len(pattern):
                at += 1
                char = pattern[at]
            tokens.append(_set(char))
        at += 1
    return tuple(tokens)


def _set(inner: str) -> Test:
    spans = []
    at = 0
    while at < len(inner):
        if inner[at + 1 : at + 2] == "-" and at + 2 < len(inner):
            spans.append((inner[at], inner[at + 2]))
            at += 3
        else:
            spans.append((inner[at], inner[at]))
            at += 1
    return lambda c: any(low <= c <= high for low, high in spans)


def matches(
    pattern: str,
    text: str,
    *,
    case_sensitive: bool = False,
    spend: Callable[[int], None] | None = None,
) -> bool:
    """Whether the whole text fits the pattern."""
    if not case_sensitive:
        pattern, text = pattern.lower(), text.lower()
    text, tokens = units(text), _tokens(units(pattern))
    at = token = 0
    star, back = -1, 0
    while at < len(text):
        if spend is not None:
            spend(1)
        test = tokens[token] if token < len(tokens) else False
        if test is _STAR and token < len(tokens):
            star, back = token, at
            token += 1
        elif callable(test) and test(text[at]):
            at += 1
            token += 1
        elif star >= 0:
            back += 1
            at, token = back, star + 1
        else:
            return False
    while token < len(tokens) and tokens[token] is _STAR:
        token += 1
    return token == len(tokens)


def has_wildcard(text: str) -> bool:
    """Whether a name is a pattern."""
    return any(mark in text for mark in "*?[")
