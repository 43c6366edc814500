"""Numbers and strings as they are written."""

from __future__ import annotations

import re

from nestkit.practice.hyperv.powershell.errors import ParseError

_ESCAPES = {
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
_NUMBER = re.compile(
    r"(?P<hex>0x[0-9a-f]+)?(?P<dec>\d*\.?\d*(?:e[+-]?\d+)?)?(?P<kind>[ld])?(?P<unit>[kmgtp]b)?\Z",
    re.IGNORECASE,
)
_UNITS = {"": 0, "kb": 10, "mb": 20, "gb": 30, "tb": 40, "pb": 50}
_PAIR_SINGLE = re.compile("['‘’‚‛]{2}")
_LONE_SINGLE = re.compile("['‘’‚‛]")
INT64_MAX = 2**63 - 1


def number(text: str) -> int | float:
    """``4GB``, ``0x1f``, ``1.5e3``, ``2048L``."""
    match = _NUMBER.match(text)
    if match is None or len(text) > 60 or not (match["hex"] or match["dec"]):
        raise ParseError(
            f"The numeric constant {text[:60]} is not valid.", error_id="BadNumericConstant"
        )
    factor = 1 << _UNITS[(match["unit"] or "").lower()]
    if match["hex"]:
        value = int(match["hex"], 16)
        # 5.1 reads 0xFFFFFFFF as the 32 bits they are.
        if len(match["hex"]) <= 10 and value > 2**31 - 1:
            value -= 2**32
        elif value > INT64_MAX:
            value -= 2**64
        return value * factor
    digits = match["dec"]
    try:
        if digits.isdigit():
            whole = int(digits) * factor
            # Beyond 64 bits .NET has decimals and doubles; up to UInt64 the integer is kept.
            return whole if whole < 2**64 else float(whole)
        return float(digits) * factor
    except (ValueError, OverflowError) as error:
        raise ParseError(
            f"The numeric constant {text[:60]} is not valid.", error_id="BadNumericConstant"
        ) from error


def unescape(text: str, *, doubled_quote: bool = True) -> str:
    """Resolve backtick escapes, and ``""`` inside a double-quoted string."""
    if doubled_quote:
        text = text.replace('""', '"')
    if "`" not in text:
        return text
    out: list[str] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char == "`" and position + 1 < len(text):
            position += 1
            following = text[position]
            if text.startswith("\r\n", position):
                position += 1
                out.append("\n")
            else:
                out.append(_ESCAPES.get(following, following))
        else:
            out.append(char)
        position += 1
    return "".join(out)


def verbatim(text: str) -> str:
    """The content of ``'…'``."""
    inner = text[1:-1]
    if _LONE_SINGLE.search(_PAIR_SINGLE.sub("", inner)):
        raise typographic(inner)
    return _PAIR_SINGLE.sub(lambda match: match[0][0], inner)


def check_double(text: str) -> None:
    """Refuse curly double quotes in the content of ``"…"``."""
    if any(mark in text for mark in "“”„"):
        raise typographic(text)


def here_string(text: str) -> str:
    """The content between the lines of ``@'`` and ``'@``, or of their double-quoted twins."""
    first = text.index("\n") + 1
    last = text.rindex("\n")
    if last > first and text[last - 1] == "\r":
        last -= 1
    return text[first:last] if last >= first else ""


def typographic(text: str) -> ParseError:
    """5.1 reads curly quotes as straight ones, which here would end the string."""
    return ParseError(
        f"The string is missing the terminator: a typographic quotation mark in {text[:60]!r} "
        "counts as a quotation mark in Windows PowerShell. Double it, or pass the text as data.",
        error_id="TerminatorExpectedAtEndOfString",
    )
