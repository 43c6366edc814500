"""Words that several parts show, and names shown safely."""

from __future__ import annotations

import unicodedata
from typing import Final

PRACTICE: Final = "Practice host: a model, no proof for a real one."
_UNSEEN: Final = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # control, format, line ends


def counted(number: int, what: str) -> str:
    """A number with its noun: "1 practice host", "2 practice hosts"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def harmless(text: str) -> str:
    """Text of several lines for a terminal, with all other control characters made visible."""
    return "\n".join(map(plain, text.split("\n")))


def plain(text: str) -> str:
    """Text on one line, with control characters made visible: names are not trusted."""
    if text.isprintable():
        return text
    return "".join(
        char
        if unicodedata.category(char) not in _UNSEEN
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
