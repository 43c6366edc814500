"""What PowerShell values are here, and what a cmdlet is.

The evaluator (``powershell/``) knows the language and nothing of Hyper-V; the model
(``model.py``, ``cmdlets_*.py``) knows Hyper-V and nothing of syntax. Both meet here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

# A value is None, bool, int, float, str, list (array), Hashtable, ScriptBlock, EnumValue,
# datetime, timedelta, uuid.UUID, Version, SecureString or PsObject. Nothing else ever reaches a
# script. A PSCredential is a PropertyObject of that type with UserName and Password.
Value = Any


@dataclass(frozen=True, slots=True)
class EnumValue:
    """A member of a .NET enumeration: 5.1 prints its name and serializes its number."""

    type_name: str
    name: str
    number: int


class Char(str):
    """A ``[char]``: text to most operators, yet a number to a cast, and a type of its own.

    Source: Windows PowerShell Language Specification 3.0, chapters 4.2.2, 6.2 and 6.4.
    """

    __slots__ = ()


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


class PropertyObject:
    """A PsObject over a dictionary: what ``[PSCustomObject]@{}`` makes."""

    __slots__ = ("_keys", "_type_name", "_values", "methods")

    def __init__(
        self,
        values: Mapping[str, Value] | None = None,
        *,
        type_name: str = "System.Management.Automation.PSCustomObject",
        methods: Mapping[str, Callable[..., Value]] | None = None,
    ) -> None:
        self._type_name = type_name
        self._values: dict[str, Value] = {}
        self._keys: dict[str, str] = {}
        self.methods = {k.lower(): v for k, v in (methods or {}).items()}
        for name, value in (values or {}).items():
            self.add(name, value)

    @property
    def type_name(self) -> str:
        return self._type_name

    def names(self) -> Iterator[str]:
        return iter(list(self._values))

    def get(self, name: str) -> Value:
        return self._values[self._keys[name.lower()]]

    def set(self, name: str, value: Value) -> None:
        self._values[self._keys[name.lower()]] = value

    def add(self, name: str, value: Value) -> None:
        """Add a property, or change it."""
        self._values[self._keys.setdefault(name.lower(), name)] = value


class Hashtable:
    """``@{}``: case-insensitive string keys; keeps the order written."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[Any, Value] | None = None) -> None:
        self._items: dict[Any, tuple[Any, Value]] = {}
        for key, value in (items or {}).items():
            self[key] = value

    @staticmethod
    def _fold(key: Any) -> Any:
        if isinstance(key, Char):
            return (Char, str(key))  # no string, and with its case
        return key.lower() if isinstance(key, str) else key

    def __setitem__(self, key: Any, value: Value) -> None:
        folded = self._fold(key)
        kept = self._items[folded][0] if folded in self._items else key
        self._items[folded] = (kept, value)

    def __getitem__(self, key: Any) -> Value:
        return self._items[self._fold(key)][1]

    def __contains__(self, key: Any) -> bool:
        return self._fold(key) in self._items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return iter([key for key, _ in self._items.values()])

    def get(self, key: Any, default: Value = None) -> Value:
        """The value under a key, or a default."""
        pair = self._items.get(self._fold(key))
        return pair[1] if pair else default

    def items(self) -> Iterator[tuple[Any, Value]]:
        """Keys as written, with their values."""
        return iter(list(self._items.values()))

    def remove(self, key: Any) -> None:
        """Take a key out; nothing happens where there is none."""
        self._items.pop(self._fold(key), None)


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """``[version]``: -1 stands for a part that was not given, as in .NET."""

    major: int
    minor: int
    build: int = -1
    revision: int = -1

    def __str__(self) -> str:
        parts = (self.major, self.minor, self.build, self.revision)
        return ".".join(str(p) for p in parts if p >= 0)


@dataclass(frozen=True, slots=True, eq=False)
class ScriptBlock:
    """``{ … }``: its source, and what the evaluator needs to run it."""

    source: str
    body: Any = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class SecureString:
    """``ConvertTo-SecureString``: the text never shows itself."""

    text: str = field(repr=False)


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
        self.stops = False  # -ErrorAction Stop: ends the script whatever the callers prefer
        self.command = ""  # set by the evaluator: the command, and where it stands
        self.place: Any = None


@dataclass(slots=True)
class Streams:
    """Where a cmdlet may write besides its output."""

    error: Callable[[PsError], None]  # non-terminating error; obeys -ErrorAction
    warning: Callable[[str], None]
    verbose: Callable[[str], None]
    progress: Callable[[str], None]


@dataclass(slots=True)
class Invocation:
    """One call of a cmdlet, its parameters bound against the cmdlet table.

    As in PowerShell, a cmdlet that takes pipeline input is called once for each object of the
    pipeline; that object is in ``pipeline`` and, converted, in ``bound`` under the parameter it
    fits. An empty pipeline calls nothing. Cmdlets whose table entry says ``aggregate`` are called
    once with the whole pipeline. Parameters of an array type are always bound to a list.

    ``extra`` holds ``interpreter`` (the running Interpreter: ``sub()`` makes one for a guest),
    ``write_host`` (a function that prints one line) and ``sink`` (where the output goes). An error
    id without a comma gets the cmdlet's class appended. ``WhatIf`` is only in ``what_if``;
    ``Confirm`` is in ``bound``.
    """

    name: str  # canonical: "Get-VM"
    parameter_set: str
    bound: Mapping[str, Value]  # canonical parameter names; only those given
    pipeline: list[Value] | None  # None: not in a pipeline; []: an empty pipeline
    streams: Streams
    what_if: bool = False
    call_block: Callable[..., list[Value]] | None = None  # runs a ScriptBlock argument
    extra: dict[str, Any] = field(default_factory=dict)


Cmdlet = Callable[[Invocation], "list[Value]"]
