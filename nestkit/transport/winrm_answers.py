"""What a script left behind: its document, its error, or noise. Pure: bytes in, values out.

Only ids and categories decide what an error means; they are the same in every language of
Windows, words are not.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import unescape
from typing import Any, Final

from nestkit.errors import (
    ConnectionFailed,
    DeadlineExceeded,
    HostRefused,
    NestkitError,
    NotFound,
    PermissionRefused,
)

SCHEMA: Final = 1
_CLIXML: Final = "#< CLIXML"
_ERROR_LINES: Final = re.compile(r'<S S="Error">(.*?)(?:</S>|$)', re.DOTALL)
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_ID: Final = re.compile(r"FullyQualifiedErrorId\s*:\s*(\S[^\r\n]*)")
_CATEGORY: Final = re.compile(r"CategoryInfo\s*:\s*([A-Za-z]+)")
_SHOWN: Final = 600


@dataclass(frozen=True, slots=True)
class Said:
    """An error of a script. ``id`` is its FullyQualifiedErrorId."""

    message: str
    id: str = ""
    category: str = ""
    command: str = ""
    line: int = 0


class ScriptRefused(HostRefused):
    """A script ended with an error; ``said`` holds the id and category for who knows more."""

    def __init__(self, message: str, *, remedy: str, said: Said | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.said = said or Said(message)


def read_answer(
    name: str, out: bytes, err: bytes, exit_code: int, begin: str, end: str
) -> tuple[Any, NestkitError | None]:
    """The data of a script's document, or what went wrong.

    Success is exit status 0, one document between the two lines, and its ``ok``. Progress and
    warnings on standard error count for nothing.
    """
    text = out.decode("utf-8", "replace")
    body = _between(text, begin, end)
    if body is None or exit_code != 0:
        said = error_of(err)
        if said is not None:
            return None, refusal(name, said)
        return None, _broken(name, text, exit_code, begin)
    try:
        document = json.loads(body, parse_constant=lambda word: None)
    except (ValueError, RecursionError):
        return None, _unusable(name, "its document is not JSON")
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        return None, _unusable(name, f"its document is not of schema {SCHEMA}")
    if document.get("ok") is True:
        return document.get("data"), None
    error = document.get("error")
    if not isinstance(error, dict):
        return None, _unusable(name, "it failed and does not say why")
    return None, refusal(
        name,
        Said(
            message=tidy(str(error.get("message") or "")),
            id=str(error.get("id") or ""),
            category=str(error.get("category") or ""),
            command=str(error.get("command") or ""),
            line=line if isinstance(line := error.get("line"), int) else 0,
        ),
    )


def _between(text: str, begin: str, end: str) -> str | None:
    lines = re.split(r"\r?\n", text)  # splitlines() would also split names at U+2028
    try:
        first = lines.index(begin)
        last = lines.index(end, first)
    except ValueError:
        return None
    return "\n".join(lines[first + 1 : last])


def _broken(name: str, text: str, exit_code: int, begin: str) -> NestkitError:
    if exit_code != 0:
        return _unusable(name, f"it ended with exit status {exit_code} and said nothing about it")
    if begin in text:
        return _unusable(name, "its output is cut off")
    shown = tidy(text)[:80]
    return _unusable(name, f"its output holds no document ({shown!r})" if shown else "no output")


def _unusable(name: str, why: str) -> ConnectionFailed:
    return ConnectionFailed(
        f"the script {name} ran, but what came back cannot be used: {why}",
        remedy="try again; if it stays so, something on the host writes to the output or cuts it: "
        "look at its PowerShell policies, and at `winrm get winrm/config/winrs`",
    )


def error_of(err: bytes) -> Said | None:
    """The first error on standard error, CLIXML or plain; None where there is only noise."""
    text = err.decode("utf-8", "replace").removeprefix("\ufeff")
    if text.lstrip().startswith(_CLIXML):
        text = decode("".join(_ERROR_LINES.findall(text)))
    if not text.strip():
        return None
    found_id, category = _ID.search(text), _CATEGORY.search(text)
    return Said(
        message=_message(text),
        id=found_id[1].strip() if found_id else "",
        category=category[1] if category else "",
    )


def decode(text: str) -> str:
    """Text out of CLIXML: ``_x000A_`` and XML's own escapes."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), unescape(text))


def _message(text: str) -> str:
    """The words before the place where it happened, which every language marks with ``+``."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("+ "):
            if lines and re.search(r":\d+\s+\S+:\d+\s*$", lines[-1]):
                lines.pop()  # "At line:1 char:5", "In Zeile:1 Zeichen:5"
            if any(lines):
                break
            continue  # a parse error shows the place first
        if line.strip():
            lines.append(line)
    return tidy(" ".join(lines) or text)


def tidy(text: str) -> str:
    """One line, no control characters, not endless."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return words if len(words) <= _SHOWN else words[:_SHOWN] + " …"


_GROUP: Final = (
    "run as a member of the group Hyper-V Administrators of that host "
    "(Add-LocalGroupMember -SID S-1-5-32-578 -Member NAME), or as its administrator"
)
_ROLE: Final = (
    "install the role on the host and restart it: Install-WindowsFeature -Name Hyper-V "
    "-IncludeManagementTools -Restart"
)
_BY_ID: Final[dict[str, tuple[type[NestkitError], str]]] = {
    "CommandNotFoundException": (HostRefused, _ROLE),
    "CouldNotAutoLoadModule": (HostRefused, _ROLE),
    "AccessDenied": (PermissionRefused, _GROUP),
    "UnauthorizedAccess": (PermissionRefused, _GROUP),
    "ObjectNotFound": (NotFound, "it was deleted or moved meanwhile: read the host again"),
    "OutOfMemory": (HostRefused, "stop other VMs or give this one less memory, then try again"),
    "InvalidState": (HostRefused, "wait for what it is doing, or bring it into the state needed"),
    "OperationTimeout": (DeadlineExceeded, "look what the VM is doing, then try again"),
}
_BY_CATEGORY: Final[dict[str, str]] = {
    "PermissionDenied": "AccessDenied",
    "SecurityError": "AccessDenied",
    "ObjectNotFound": "ObjectNotFound",
    "OperationTimeout": "OperationTimeout",
}


def refusal(name: str, said: Said) -> NestkitError:
    """A script's error as an error with a remedy."""
    head = said.id.partition(",")[0].strip()
    key = head if head in _BY_ID else _BY_CATEGORY.get(said.category, "")
    kind, remedy = _BY_ID.get(
        key, (HostRefused, "look up the error in the host's Hyper-V-VMMS event log and settle it")
    )
    where = f", {said.command}" if said.command else ""
    shown = f" ({head})" if head and len(head) <= 60 and head != said.message else ""
    message = f"{name}{where}: {said.message or 'an error without words'}{shown}"
    if kind is HostRefused:
        return ScriptRefused(message, remedy=remedy, said=said)
    return kind(message, remedy=remedy)
