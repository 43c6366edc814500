"""What PowerShell values are here, and what a cmdlet is.

The evaluator (``powershell/``) knows the language and nothing of Hyper-V; the model
(``model.py``, ``cmdlets_*.py``) knows Hyper-V and nothing of syntax. Both meet here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

# A value is None, bool, int, float, str, list (array), Hashtable, ScriptBlock, EnumValue,
# datetime, uuid.UUID or PsObject. Nothing else ever reaches a script.
Value = Any


@dataclass(frozen=True, slots=True)
class EnumValue:
    """A member of a .NET enumeration: 5.1 prints its name and serializes its number."""

    type_name: str
    name: str
    number: int


class PsObject(Protocol):
    """An object with properties; names are case-insensitive."""

    @property
    def type_name(self) -> str:
        """As `Get-Member` would show it."""

    def names(self) -> Iterator[str]:
        """The properties' names, in order."""

    def get(self, name: str) -> Value:
        """A property's value. Raises KeyError where there is none."""

    def set(self, name: str, value: Value) -> None:
        """Change a property. Raises KeyError (none) or AttributeError (read-only)."""


class PsError(Exception):
    """A terminating error as a script sees it in ``$_``."""

    def __init__(
        self, message: str, *, error_id: str, category: str = "NotSpecified", target: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_id = error_id
        self.category = category
        self.target = target


@dataclass(slots=True)
class Streams:
    """Where a cmdlet may write besides its output."""

    error: Callable[[PsError], None]  # non-terminating error; obeys -ErrorAction
    warning: Callable[[str], None]
    verbose: Callable[[str], None]
    progress: Callable[[str], None]


@dataclass(slots=True)
class Invocation:
    """One call of a cmdlet, its parameters bound against the cmdlet table."""

    name: str  # canonical: "Get-VM"
    parameter_set: str
    bound: Mapping[str, Value]  # canonical parameter names; only those given
    pipeline: list[Value] | None  # None: not in a pipeline; []: an empty pipeline
    streams: Streams
    what_if: bool = False
    call_block: Callable[..., list[Value]] | None = None  # runs a ScriptBlock argument
    extra: dict[str, Any] = field(default_factory=dict)


Cmdlet = Callable[[Invocation], "list[Value]"]
