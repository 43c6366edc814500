"""Words that several parts show, and names shown safely."""

from __future__ import annotations

import unicodedata
from typing import Final

PRACTICE: Final = "Practice host: a model, no proof for a real one."
_UNSEEN: Final = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # control, format, line ends


def plain(text: str) -> str:
    """Text on one line, with control characters made visible: names are not trusted."""
    return "".join(
        char
        if unicodedata.category(char) not in _UNSEEN
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
