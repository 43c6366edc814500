"""Regular expressions to instructions of the Pike machine in ``regex.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nestkit.practice.hyperv.values import PsError

MAX_PATTERN = 1_000
_MAX_PROGRAM = 4_000
_MAX_REPEAT = 500
_MAX_NESTING = 30
_MAX_GROUPS = 50

Test = Callable[[str], bool]


@dataclass(slots=True)
class Op:
    """One instruction: char, split, save, assert, match."""

    kind: str
    test: Test | None = None
    to: int = 0
    other: int = 0
    what: str = ""


def bad_pattern(pattern: str, why: str) -> PsError:
    return PsError(
        f"The regular expression pattern {pattern[:100]} is not valid here: {why}.",
        error_id="InvalidRegularExpression",
        category="InvalidOperation",
        target=pattern[:100],
    )


def is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


_CLASSES: dict[str, Test] = {
    "d": str.isdigit,
    "D": lambda c: not c.isdigit(),
    "w": is_word,
    "W": lambda c: not is_word(c),
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


class Compiler:
    def __init__(self, pattern: str, ignore_case: bool) -> None:
        self.pattern = pattern
        self.ignore_case = ignore_case
        self.at = 0
        self.groups = 0
        self.names: list[tuple[str, int]] = []
        self.depth = 0

    def fail(self, why: str) -> PsError:
        return bad_pattern(self.pattern, why)

    def peek(self) -> str:
        return self.pattern[self.at] if self.at < len(self.pattern) else ""

    def take(self) -> str:
        char = self.peek()
        if not char:
            raise self.fail("it ends too early")
        self.at += 1
        return char

    def compile(self) -> list[Op]:
        if self.pattern.startswith("(?i)"):
            self.ignore_case, self.at = True, 4
        body = self.alternatives()
        if self.peek():
            raise self.fail("too many )'s")
        return [Op("save", to=0), *body, Op("save", to=1), Op("match")]

    def alternatives(self) -> list[Op]:
        self.depth += 1
        if self.depth > _MAX_NESTING:
            raise self.fail("its groups nest too deeply")
        code = self.sequence()
        while self.peek() == "|":
            self.at += 1
            other = self.sequence()
            code = [
                Op("split", to=1, other=len(code) + 2),
                *code,
                Op("jump", to=len(other) + 1),
                *other,
            ]
            self.check(code)
        self.depth -= 1
        return code

    def check(self, code: list[Op]) -> None:
        if len(code) > _MAX_PROGRAM:
            raise self.fail("it is too complicated")

    def sequence(self) -> list[Op]:
        code: list[Op] = []
        while self.peek() not in {"", "|", ")"}:
            code += self.repeated(self.atom())
            self.check(code)
        return code

    def repeated(self, atom: list[Op]) -> list[Op]:
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
    def unrolled(atom: list[Op], low: int, high: int, lazy: bool) -> list[Op]:
        def split(to: int, other: int) -> Op:
            return Op("split", to=other, other=to) if lazy else Op("split", to=to, other=other)

        code = [op for _ in range(low) for op in atom]
        if high == -1:
            code += [split(1, len(atom) + 2), *atom, Op("jump", to=-len(atom) - 1)]
        for left in range(max(0, high - low), 0, -1):
            code += [split(1, left * (len(atom) + 1)), *atom]
        return code

    def atom(self) -> list[Op]:
        char = self.take()
        if char == "(":
            return self.group()
        if char == "[":
            return [Op("char", test=self.char_class())]
        if char == ".":
            return [Op("char", test=lambda c: c != "\n")]
        if char in "^$":
            return [Op("assert", what=char)]
        if char in "*+?":
            raise self.fail("quantifier {x,y} following nothing")
        if char == "\\":
            return self.escape()
        return [Op("char", test=self.literal(char))]

    def literal(self, char: str) -> Test:
        if self.ignore_case and char.lower() != char.upper():
            low = char.lower()
            return lambda c: c.lower() == low
        return lambda c: c == char

    def escape(self) -> list[Op]:
        char = self.take()
        if char in "bBAzZ":
            return [Op("assert", what="\\" + char)]
        if char in _CLASSES:
            return [Op("char", test=_CLASSES[char])]
        return [Op("char", test=self.literal(self.escaped(char)))]

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

    def group(self) -> list[Op]:
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
        return [Op("save", to=2 * number), *body, Op("save", to=2 * number + 1)]

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
