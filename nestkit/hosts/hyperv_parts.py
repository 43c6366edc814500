"""Parts of the document of ``read.ps1``: ``data``, a list, or ``error`` with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nestkit.facts import Fact, Unknown
from nestkit.transport.winrm_answers import tidy

Part = Mapping[str, Any]

NO_CMDLET: Final = ("CommandNotFoundException", "CouldNotAutoLoadModule")
_DENIED: Final = ("PermissionDenied", "SecurityError")
_DENIED_IDS: Final = ("AccessDenied", "UnauthorizedAccess")


def listed(value: Any) -> list[Any]:
    """A list, also where 5.1 wrapped it, or left out the brackets around a single item."""
    if isinstance(value, dict) and set(value) == {"value", "Count"}:
        value = value["value"]
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def part(found: Part) -> Fact[list[Any]]:
    """The data of a part, or why there is none."""
    return because(found["error"]) if found.get("error") else listed(found.get("data"))


def one(found: Part, field: str = "") -> Any:
    """The only item of a part, or a field of it; unknown where Windows leaves it out."""
    data = part(found)
    if isinstance(data, Unknown):
        return data
    value = data[0] if data else None
    if field and value is not None:
        value = value[field]
    return Unknown("Windows does not say") if value is None or value == "" else value


def because(error: Mapping[str, Any]) -> Unknown:
    """Why something could not be read."""
    head = str(error["id"]).partition(",")[0]
    if head in NO_CMDLET:
        return Unknown("the Hyper-V role, or its PowerShell module, is not installed")
    said = tidy(str(error["message"]))
    if error["category"] in _DENIED or head in _DENIED_IDS:
        return Unknown(f"the user is no member of Hyper-V Administrators: {said}")
    return Unknown(f"{error['command']} failed: {said}" if error["command"] else said)
