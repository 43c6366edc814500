"""Any text as a literal of a script's language, and as a comment that cannot end early.

Scripts are pure ASCII: Windows PowerShell 5.1 reads a file without a byte-order mark in the
machine's own code page, and would turn other characters into something else.
"""

from __future__ import annotations

import re
import shlex
from typing import Final

_PLAIN: Final = re.compile(r"[ -~]*")


def powershell(text: str) -> str:
    """A PowerShell expression whose value is the text.

    Only ``'`` ends a single-quoted literal, and so do the curly quotes U+2018 to U+201B; these
    and all else beyond printable ASCII are written as escapes that .NET's Regex.Unescape reads.
    """
    if _PLAIN.fullmatch(text):
        return "'" + text.replace("'", "''") + "'"
    units = text.encode("utf-16-le", "surrogatepass")
    escaped = "".join(
        chr(unit) if 32 <= unit < 127 and unit != 92 else f"\\u{unit:04x}"
        for unit in (int.from_bytes(units[i : i + 2], "little") for i in range(0, len(units), 2))
    )
    return "[regex]::Unescape('" + escaped.replace("'", "''") + "')"


def python(text: str) -> str:
    """A Python string literal, in ASCII."""
    return ascii(text)


def shell(variable: str, text: str) -> list[str]:
    """Lines that set a variable of a POSIX shell to the text, in ASCII."""
    if _PLAIN.fullmatch(text):
        return [f"{variable}={shlex.quote(text)}"]
    octal = "".join(f"\\{byte:03o}" for byte in text.encode("utf-8", "surrogatepass"))
    # the dot keeps what $() would strip: line ends at the end of the text
    return [f"{variable}=$(printf '{octal}.')", f"{variable}=${{{variable}%.}}"]


def remark(text: str) -> str:
    """Text for a comment: one line of ASCII, whatever it held."""
    return text.encode("unicode_escape").decode("ascii")


def constant(value: bool | int) -> str:
    """A number or truth value that is the same in a shell and in Python's and Go's eyes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value))
