"""Answers of a PropertyCollector as rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nestkit.facts import Unknown


@dataclass(frozen=True, slots=True)
class Row:
    """The properties of one managed object."""

    ref: Any
    values: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, Unknown] = field(default_factory=dict)

    def fact(self, path: str) -> Any:
        """The value, or an Unknown that says why there is none."""
        if path in self.missing:
            return self.missing[path]
        return self.values.get(path, Unknown(f"the host does not report {path}"))

    def get(self, path: str, default: Any) -> Any:
        """The value, or the default where the host left an optional property out."""
        return self.missing.get(path, self.values.get(path, default))


def short_name(name: str) -> str:
    """A type's name without its packages."""
    return name.rpartition(".")[2]


def signed_in(page: Any) -> Any:
    """The page, unless it shows that the session has ended: reading is allowed to anybody."""
    for item in page.objects if page is not None else ():
        for entry in item.missingSet or ():
            fault = _fault_of(entry)
            if short_name(type(fault).__name__) == "NotAuthenticated":
                raise fault
    return page


def _fault_of(entry: Any) -> Any:
    """The fault itself: servers wrap it, with its text in a language, or do not."""
    return getattr(entry.fault, "fault", None) or entry.fault


def row_of(item: Any) -> Row:
    """One object of an answer."""
    values = {prop.name: prop.val for prop in item.propSet}
    missing = {}
    for entry in item.missingSet or []:
        fault = _fault_of(entry)
        name = short_name(type(fault).__name__)
        reason = "the user may not read it" if name == "NoPermission" else f"the host says {name}"
        missing[entry.path] = Unknown(reason)
    return Row(item.obj, values, missing)
