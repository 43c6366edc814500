"""Command lines: which program, which script, how text becomes bytes.

``powershell.exe`` and a few programs of cmd are played; everything else is "not recognized".
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

# Microsoft Support, "Command prompt (Cmd.exe) command-line string limitation"
CMD_LIMIT: Final = 8_191
DIRECT_LIMIT: Final = 32_767  # CreateProcess

NOT_RECOGNIZED: Final = 1
BAD_ARGUMENT: Final = 0xFFFD0000 - 2**32  # what powershell.exe returns for its own arguments

# about_PowerShell_exe (5.1): short names that are no plain abbreviation
_SHORT: Final = {
    "e": "encodedcommand", "ec": "encodedcommand", "ep": "executionpolicy",
    "ex": "executionpolicy", "nop": "noprofile", "noni": "noninteractive", "nol": "nologo",
    "noe": "noexit", "if": "inputformat", "of": "outputformat",
    "c": "command", "f": "file",
}  # fmt: skip
_SWITCHES: Final = ("noprofile", "noninteractive", "nologo", "sta", "mta")
_VALUED: Final = ("executionpolicy", "inputformat", "outputformat", "windowstyle", "version")
_SCRIPTED: Final = ("encodedcommand", "command", "file", "noexit", "help")


class Unusable(Exception):
    """The command line cannot be run; ``exit_code`` is what the program would return."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.message, self.exit_code = message, exit_code


@dataclass(frozen=True, slots=True)
class Script:
    """A call of powershell.exe. ``text`` None: the script is standard input."""

    text: str | None
    clixml: bool  # errors leave as CLIXML, not as plain text


@dataclass(frozen=True, slots=True)
class Builtin:
    """A program of cmd."""

    name: str


def codec(codepage: int) -> str | None:
    """Python's name for a Windows code page; None if there is none."""
    if codepage == 65001:
        return "utf-8"
    name = f"cp{codepage}"
    try:
        "".encode(name)
    except LookupError:
        return None
    return name


def split(line: str) -> list[str]:
    """Arguments as Windows' CommandLineToArgvW finds them."""
    found: list[str] = []
    n, size = 0, len(line)
    while True:
        while n < size and line[n] in " \t":
            n += 1
        if n >= size:
            return found
        out, quoted = [], False
        while n < size and (quoted or line[n] not in " \t"):
            slashes = 0
            while n < size and line[n] == "\\":
                slashes, n = slashes + 1, n + 1
            if n < size and line[n] == '"':
                out.append("\\" * (slashes // 2))
                if slashes % 2:
                    out.append('"')
                elif quoted and n + 1 < size and line[n + 1] == '"':
                    out.append('"')
                    n += 1
                else:
                    quoted = not quoted
                n += 1
            else:
                out.append("\\" * slashes)
                if slashes == 0 and n < size:
                    out.append(line[n])
                    n += 1
        found.append("".join(out))


def understand(line: str, arguments: tuple[str, ...], *, skip_cmd: bool) -> Script | Builtin:
    """What a command line asks for.

    Raises
    ------
    Unusable
        No such program here, or arguments it does not take.
    """
    whole = " ".join((line, *arguments)).strip()
    if len(whole) > (DIRECT_LIMIT if skip_cmd else CMD_LIMIT):
        raise Unusable("The command line is too long.", NOT_RECOGNIZED)
    if not skip_cmd and re.search(r"[&|<>^]", re.sub(r'"[^"]*"?', "", whole)):
        raise Unusable("The practice host does not do cmd's & | < > ^ outside quotes.", 1)
    parts = split(whole)
    name = re.sub(r"^.*[\\/]", "", parts[0] if parts else "").lower().removesuffix(".exe")
    if name == "powershell":
        return _powershell(parts[1:])
    if name in ("hostname", "whoami", "ver") and len(parts) == 1:
        return Builtin(name)
    shown = parts[0][:200] if parts else ""
    raise Unusable(
        f"'{shown}' is not recognized as an internal or external command,\r\n"
        "operable program or batch file. (This practice host plays powershell, hostname, whoami "
        "and ver.)",
        NOT_RECOGNIZED,
    )


def _powershell(parts: list[str]) -> Script:
    clixml: bool | None = None
    n = 0
    while n < len(parts):
        part = parts[n]
        n += 1
        if part == "-":
            return Script(None, bool(clixml))
        if part[:1] not in "-/" or not part[1:]:
            return Script(" ".join(parts[n - 1 :]), bool(clixml))
        name = _parameter(part[1:])
        if name in _SWITCHES:
            continue
        if name == "command":
            text = " ".join(parts[n:])
            return Script(None if text.strip() in ("", "-") else text, bool(clixml))
        if name in ("file", "noexit", "help"):
            raise Unusable(f"The practice host does not do powershell.exe -{name}.", BAD_ARGUMENT)
        if n >= len(parts):
            raise Unusable(
                f"The parameter -{name} of powershell.exe lacks its value.", BAD_ARGUMENT
            )
        value = parts[n]
        n += 1
        if name == "encodedcommand":
            # errors are serialized for a parent that is a PowerShell, unless told otherwise
            return Script(_decode(value), clixml is not False)
        if name == "version" and value.partition(".")[0] not in ("3", "4", "5"):
            raise Unusable(
                f"The practice host plays Windows PowerShell 5.1, not version {value[:100]}.",
                BAD_ARGUMENT,
            )
        if name == "outputformat":
            clixml = value.lower() == "xml"
    return Script(None, bool(clixml))


def _parameter(text: str) -> str:
    lower = text.lower()
    if lower in _SHORT:
        return _SHORT[lower]
    hits = [name for name in (*_SWITCHES, *_VALUED, *_SCRIPTED) if name.startswith(lower)]
    if len(hits) != 1:
        raise Unusable(
            f"powershell.exe of the practice host has no parameter -{text[:100]}.", BAD_ARGUMENT
        )
    return hits[0]


def _decode(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("utf-16-le")
    except (binascii.Error, ValueError):
        raise Unusable(
            "The value of -EncodedCommand is not properly encoded: it must be the base64 of "
            "UTF-16LE text.",
            BAD_ARGUMENT,
        ) from None


def decode_input(data: bytes, codepage: int) -> str:
    """Standard input as text."""
    text = data.decode(codec(codepage) or "cp437", "replace")
    return text.removeprefix("\ufeff")


def encode_output(text: str, codepage: int) -> bytes:
    """Text as a console of this code page writes it: what it lacks becomes a question mark."""
    return text.encode(codec(codepage) or "cp437", "replace")
