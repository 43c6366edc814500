"""Regular expressions that cannot run away: a Pike machine, linear in the text.

Python's ``re`` backtracks, and a script could hang the host with one pattern. This one speaks
the common part of .NET's syntax; backreferences and look-around are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from nestkit.practice.hyperv.powershell.regex_compile import (
    MAX_PATTERN,
    Compiler,
    bad_pattern,
    is_word,
)
from nestkit.practice.hyperv.powershell.text import whole


@dataclass(frozen=True, slots=True)
class Match:
    """Where a pattern matched; ``groups[0]`` is the whole."""

    text: str
    spans: tuple[tuple[int, int] | None, ...]
    names: tuple[tuple[str, int], ...]

    def group(self, number: int) -> str | None:
        """The text of a group; None where it took no part."""
        span = self.spans[number] if number < len(self.spans) else None
        return None if span is None else whole(self.text[span[0] : span[1]])

    @property
    def start(self) -> int:
        """Where the match begins."""
        assert self.spans[0] is not None
        return self.spans[0][0]

    @property
    def end(self) -> int:
        """Where it ends."""
        assert self.spans[0] is not None
        return self.spans[0][1]


class Pattern:
    """A compiled pattern."""

    def __init__(self, pattern: str, *, ignore_case: bool = True) -> None:
        if len(pattern) > MAX_PATTERN:
            raise bad_pattern(pattern, f"it is longer than {MAX_PATTERN} characters")
        compiler = Compiler(pattern, ignore_case)
        self._code = compiler.compile()
        self.groups = compiler.groups
        self._names = tuple(compiler.names)

    def search(self, text: str, start: int, spend: Callable[[int], None]) -> Match | None:
        """The leftmost match at or after ``start``; ``spend`` is told the work done."""
        found: tuple[int, ...] | None = None
        threads: list[tuple[int, tuple[int, ...]]] = []
        blank = (-1,) * (2 * self.groups + 2)
        seen: set[int] = set()
        for position in range(start, len(text) + 1):
            if found is None:
                seen.update(at for at, _ in threads)
                self._follow(threads, 0, blank, text, position, seen)
            if not threads:
                break
            spend(len(threads) + len(seen) // 4)
            char = text[position] if position < len(text) else ""
            following: list[tuple[int, tuple[int, ...]]] = []
            seen = set()
            for at, saved in threads:
                op = self._code[at]
                if op.kind == "match":
                    found = saved
                    break
                if char and op.test is not None and op.test(char):
                    self._follow(following, at + 1, saved, text, position + 1, seen)
            threads = following
        if found is None:
            return None
        spans = tuple(
            None if found[i] < 0 or found[i + 1] < 0 else (found[i], found[i + 1])
            for i in range(0, len(found), 2)
        )
        return Match(text, spans, self._names)

    def _follow(
        self,
        threads: list[tuple[int, tuple[int, ...]]],
        at: int,
        saved: tuple[int, ...],
        text: str,
        position: int,
        seen: set[int],
    ) -> None:
        """Add the threads reachable without reading, in order of preference."""
        stack = [(at, saved)]
        visited = seen
        while stack:
            at, saved = stack.pop()
            if at in visited:
                continue
            visited.add(at)
            op = self._code[at]
            if op.kind == "jump":
                stack.append((at + op.to, saved))
            elif op.kind == "split":
                stack.append((at + op.other, saved))
                stack.append((at + op.to, saved))
            elif op.kind == "save":
                stack.append((at + 1, (*saved[: op.to], position, *saved[op.to + 1 :])))
            elif op.kind == "assert":
                if _holds(op.what, text, position):
                    stack.append((at + 1, saved))
            else:
                threads.append((at, saved))

    def finditer(self, text: str, spend: Callable[[int], None]) -> list[Match]:
        """All matches, left to right, none overlapping."""
        found = []
        position = 0
        while position <= len(text):
            match = self.search(text, position, spend)
            if match is None:
                break
            found.append(match)
            position = match.end if match.end > match.start else match.end + 1
        return found


def _holds(what: str, text: str, position: int) -> bool:
    if what in {"^", "\\A"}:
        return position == 0
    if what in {"$", "\\Z"}:
        return position == len(text) or (position == len(text) - 1 and text[position] == "\n")
    if what == "\\z":
        return position == len(text)
    before = position > 0 and is_word(text[position - 1])
    after = position < len(text) and is_word(text[position])
    return (before != after) == (what == "\\b")


@lru_cache(maxsize=128)
def compiled(pattern: str, ignore_case: bool = True) -> Pattern:
    """A pattern, compiled once. Raises PsError where it is not valid or not spoken."""
    return Pattern(pattern, ignore_case=ignore_case)


def substitute(match: Match, template: str) -> str:
    """A replacement text with ``$1``, ``${name}``, ``$&`` and ``$$`` resolved."""
    if "$" not in template:
        return template
    out: list[str] = []
    at = 0
    while at < len(template):
        if template[at] != "$":
            end = template.find("$", at)
            end = len(template) if end < 0 else end
            out.append(template[at:end])
            at = end
            continue
        rest = template[at + 1 :]
        if rest.startswith("$"):
            out.append("$")
            at += 2
        elif rest.startswith("&"):
            out.append(match.group(0) or "")
            at += 2
        elif rest[:1].isascii() and rest[:1].isdigit():
            width = 2 if rest[1:2].isdigit() and int(rest[:2]) < len(match.spans) else 1
            number = int(rest[:width])
            out.append(
                (match.group(number) or "") if number < len(match.spans) else "$" + rest[:width]
            )
            at += 1 + width
        elif rest.startswith("{") and "}" in rest:
            name = rest[1 : rest.index("}")]
            number = _group_number(match, name)
            out.append((match.group(number) or "") if number >= 0 else "${" + name + "}")
            at += len(name) + 3
        else:
            out.append("$")
            at += 1
    return "".join(out)


def _group_number(match: Match, name: str) -> int:
    if name.isascii() and name.isdigit() and len(name) < 4 and int(name) < len(match.spans):
        return int(name)
    return dict(match.names).get(name, -1)
