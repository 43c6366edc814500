"""Regular expressions that cannot run away: a Pike machine, linear in the text.

Python's ``re`` backtracks, and a script could hang the host with one pattern. This one speaks
the common part of .NET's syntax; backreferences and look-around are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from nestkit.practice.hyperv.values import PsError

_MAX_PATTERN = 1_000
_MAX_PROGRAM = 4_000
_MAX_REPEAT = 500
_MAX_NESTING = 30
_MAX_GROUPS = 50

Test = Callable[[str], bool]


@dataclass(slots=True)
class _Op:
    """One instruction: char, split, save, assert, match."""

    kind: str
    test: Test | None = None
    to: int = 0
    other: int = 0
    what: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a pattern matched; ``groups[0]`` is the whole."""

    text: str
    spans: tuple[tuple[int, int] | None, ...]
    names: tuple[tuple[str, int], ...]

    def group(self, number: int) -> str | None:
        """The text of a group; None where it took no part."""
        span = self.spans[number] if number < len(self.spans) else None
        return None if span is None else self.text[span[0] : span[1]]

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


def _bad(pattern: str, why: str) -> PsError:
    return PsError(
        f"The regular expression pattern {pattern[:100]} is not valid here: {why}.",
        error_id="InvalidRegularExpression",
        category="InvalidOperation",
        target=pattern[:100],
    )


def _word(char: str) -> bool:
    return char.isalnum() or char == "_"


_CLASSES: dict[str, Test] = {
    "d": str.isdigit,
    "D": lambda c: not c.isdigit(),
    "w": _word,
    "W": lambda c: not _word(c),
    "s": str.isspace,
    "S": lambda c: not c.isspace(),
}
_CONTROL = {
    "t": "\t",
    "n": "\n",
    "r": "\r",
    "f": "\f",
    "v": "\v",
    "a": "\a",
    "e": "\x1b",
    "0": "\0",
}


class _Compiler:
    def __init__(self, pattern: str, ignore_case: bool) -> None:
        self.pattern = pattern
        self.ignore_case = ignore_case
        self.at = 0
        self.groups = 0
        self.names: list[tuple[str, int]] = []
        self.depth = 0

    def fail(self, why: str) -> PsError:
        return _bad(self.pattern, why)

    def peek(self) -> str:
        return self.pattern[self.at] if self.at < len(self.pattern) else ""

    def take(self) -> str:
        char = self.peek()
        if not char:
            raise self.fail("it ends too early")
        self.at += 1
        return char

    def compile(self) -> list[_Op]:
        if self.pattern.startswith("(?i)"):
            self.ignore_case, self.at = True, 4
        body = self.alternatives()
        if self.peek():
            raise self.fail("too many )'s")
        return [_Op("save", to=0), *body, _Op("save", to=1), _Op("match")]

    def alternatives(self) -> list[_Op]:
        self.depth += 1
        if self.depth > _MAX_NESTING:
            raise self.fail("its groups nest too deeply")
        code = self.sequence()
        while self.peek() == "|":
            self.at += 1
            other = self.sequence()
            code = [
                _Op("split", to=1, other=len(code) + 2),
                *code,
                _Op("jump", to=len(other) + 1),
                *other,
            ]
            self.check(code)
        self.depth -= 1
        return code

    def check(self, code: list[_Op]) -> None:
        if len(code) > _MAX_PROGRAM:
            raise self.fail("it is too complicated")

    def sequence(self) -> list[_Op]:
        code: list[_Op] = []
        while self.peek() not in {"", "|", ")"}:
            code += self.repeated(self.atom())
            self.check(code)
        return code

    def repeated(self, atom: list[_Op]) -> list[_Op]:
        char = self.peek()
        low, high = 1, 1
        if char == "*":
            low, high, self.at = 0, -1, self.at + 1
        elif char == "+":
            low, high, self.at = 1, -1, self.at + 1
        elif char == "?":
            low, high, self.at = 0, 1, self.at + 1
        elif char == "{" and (bounds := self.bounds()):
            low, high = bounds
        else:
            return atom
        lazy = self.peek() == "?"
        if lazy:
            self.at += 1
        if self.peek() in {"*", "+", "?"}:
            raise self.fail("nested quantifier")
        if max(low, high) > _MAX_REPEAT or len(atom) * max(low, high, 1) > _MAX_PROGRAM:
            raise self.fail("it repeats too often")
        return self.unrolled(atom, low, high, lazy)

    def bounds(self) -> tuple[int, int] | None:
        end = self.pattern.find("}", self.at)
        inner = self.pattern[self.at + 1 : end] if end > 0 else ""
        first, comma, second = inner.partition(",")
        if len(inner) > 9 or not first.isascii() or not first.isdigit():
            return None
        if second and not (second.isascii() and second.isdigit()):
            return None
        self.at = end + 1
        low = int(first)
        high = low if not comma else (int(second) if second else -1)
        if high != -1 and high < low:
            raise self.fail("illegal {x,y} with x > y")
        return low, high

    @staticmethod
    def unrolled(atom: list[_Op], low: int, high: int, lazy: bool) -> list[_Op]:
        def split(to: int, other: int) -> _Op:
            return _Op("split", to=other, other=to) if lazy else _Op("split", to=to, other=other)

        code = [op for _ in range(low) for op in atom]
        if high == -1:
            code += [split(1, len(atom) + 2), *atom, _Op("jump", to=-len(atom) - 1)]
        for left in range(max(0, high - low), 0, -1):
            code += [split(1, left * (len(atom) + 1)), *atom]
        return code

    def atom(self) -> list[_Op]:
        char = self.take()
        if char == "(":
            return self.group()
        if char == "[":
            return [_Op("char", test=self.char_class())]
        if char == ".":
            return [_Op("char", test=lambda c: c != "\n")]
        if char in "^$":
            return [_Op("assert", what=char)]
        if char in "*+?":
            raise self.fail("quantifier {x,y} following nothing")
        if char == "\\":
            return self.escape()
        return [_Op("char", test=self.literal(char))]

    def literal(self, char: str) -> Test:
        if self.ignore_case and char.lower() != char.upper():
            low = char.lower()
            return lambda c: c.lower() == low
        return lambda c: c == char

    def escape(self) -> list[_Op]:
        char = self.take()
        if char in "bBAzZ":
            return [_Op("assert", what="\\" + char)]
        if char in _CLASSES:
            return [_Op("char", test=_CLASSES[char])]
        return [_Op("char", test=self.literal(self.escaped(char)))]

    def escaped(self, char: str) -> str:
        if char in "xu":
            width = 2 if char == "x" else 4
            digits = self.pattern[self.at : self.at + width]
            if len(digits) != width or any(d not in "0123456789abcdefABCDEF" for d in digits):
                raise self.fail("insufficient hexadecimal digits")
            self.at += width
            return chr(int(digits, 16))
        if char in _CONTROL:
            return _CONTROL[char]
        if char.isalnum():
            raise self.fail(f"this practice host does not speak \\{char}")
        return char

    def group(self) -> list[_Op]:
        capture = True
        if self.peek() == "?":
            self.at += 1
            kind = self.take()
            if kind == ":":
                capture = False
            elif kind in "<'" and self.peek() not in {"=", "!"}:
                end = self.pattern.find(">" if kind == "<" else "'", self.at)
                name = self.pattern[self.at : end] if end > 0 else ""
                if not name.isidentifier():
                    raise self.fail("invalid group name")
                self.at = end + 1
                self.names.append((name, self.groups + 1))
            else:
                raise self.fail("this practice host does not speak look-around or options")
        number = 0
        if capture:
            self.groups += 1
            number = self.groups
            if number > _MAX_GROUPS:
                raise self.fail("it has too many groups")
        body = self.alternatives()
        if self.peek() != ")":
            raise self.fail("not enough )'s")
        self.at += 1
        if not capture:
            return body
        return [_Op("save", to=2 * number), *body, _Op("save", to=2 * number + 1)]

    def char_class(self) -> Test:
        negate = self.peek() == "^"
        if negate:
            self.at += 1
        tests: list[Test] = []
        first = True
        while self.peek() != "]" or first:
            first = False
            char = self.take()
            if char == "\\":
                char = self.take()
                if char in _CLASSES:
                    tests.append(_CLASSES[char])
                    continue
                char = "\b" if char == "b" else self.escaped(char)
            if self.peek() == "-" and self.pattern[self.at + 1 : self.at + 2] not in {"]", ""}:
                self.at += 1
                last = self.take()
                if last == "\\":
                    last = self.escaped(self.take())
                if last < char:
                    raise self.fail("[x-y] range in reverse order")
                tests.append(self.span(char, last))
            else:
                tests.append(self.literal(char))
        self.at += 1
        return lambda c: any(test(c) for test in tests) != negate

    def span(self, low: str, high: str) -> Test:
        if self.ignore_case:
            return lambda c: (
                low <= c <= high or low <= c.lower() <= high or low <= c.upper() <= high
            )
        return lambda c: low <= c <= high


class Pattern:
    """A compiled pattern."""

    def __init__(self, pattern: str, *, ignore_case: bool = True) -> None:
        if len(pattern) > _MAX_PATTERN:
            raise _bad(pattern, f"it is longer than {_MAX_PATTERN} characters")
        compiler = _Compiler(pattern, ignore_case)
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
    before = position > 0 and _word(text[position - 1])
    after = position < len(text) and _word(text[position])
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
