"""Error records: what ``$_`` is in a catch block, and how an error is displayed."""

from __future__ import annotations

from nestkit.practice.hyperv.powershell.errors import ParseError, Thrown, exception_type
from nestkit.practice.hyperv.powershell.text import type_name
from nestkit.practice.hyperv.powershell.tree import Place
from nestkit.practice.hyperv.values import PropertyObject, PsError


class ErrorRecord(PropertyObject):
    """An error as an object; ``error`` is what was raised."""

    __slots__ = ("error",)

    def __init__(self, error: PsError) -> None:
        message = error.message
        exception = PropertyObject(
            {"Message": message, "InnerException": None, "HResult": -2146233087},
            type_name=exception_type(error),
            methods={"tostring": lambda: f"{exception_type(error)}: {message}"},
        )
        category = PropertyObject(
            {
                "Category": error.category,
                "Activity": error.command,
                "Reason": _reason(error),
                "TargetName": error.target,
                "TargetType": "String" if error.target else "",
            },
            type_name="System.Management.Automation.ErrorCategoryInfo",
            methods={"tostring": lambda: category_text(error)},
        )
        place = error.place or Place()
        invocation = PropertyObject(
            {
                "MyCommand": error.command or None,
                "ScriptLineNumber": place.line,
                "OffsetInLine": place.column,
                "Line": place.text,
                "PositionMessage": "\n".join(position_lines(place)),
            },
            type_name="System.Management.Automation.InvocationInfo",
        )
        super().__init__(
            {
                "Exception": exception,
                "TargetObject": error.value if isinstance(error, Thrown) else error.target or None,
                "CategoryInfo": category,
                "FullyQualifiedErrorId": error.error_id,
                "ErrorDetails": None,
                "InvocationInfo": invocation,
                "ScriptStackTrace": f"at <ScriptBlock>, <No file>: line {place.line}",
            },
            type_name="System.Management.Automation.ErrorRecord",
            methods={"tostring": lambda: message},
        )
        self.error = error


def _reason(error: PsError) -> str:
    return exception_type(error).rpartition(".")[2]


def category_text(error: PsError) -> str:
    """``InvalidArgument: (x:String) [Get-VM], VirtualizationException``."""
    target = error.target.replace("\n", " ")[:60]
    kind = type_name(target).rpartition(".")[2] if target else ""
    return f"{error.category}: ({target}:{kind}) [{error.command}], {_reason(error)}"


def position_lines(place: Place) -> list[str]:
    """Where it happened."""
    return [
        f"At line:{place.line} char:{place.column}",
        f"+ {place.text}",
        "+ " + "~" * max(1, len(place.text)),
    ]


def error_lines(error: PsError) -> list[str]:
    """An error as the console shows it."""
    head = f"{error.command} : {error.message}" if error.command else error.message
    return [
        *head.splitlines(),
        *position_lines(error.place or Place()),
        f"    + CategoryInfo          : {category_text(error)}",
        f"    + FullyQualifiedErrorId : {error.error_id}",
        " ",
    ]


def parse_error_lines(error: ParseError) -> list[str]:
    """A parse error as the console shows it."""
    return [
        *position_lines(error.place),
        *error.message.splitlines(),
        "    + CategoryInfo          : ParserError: (:) [], ParentContainsErrorRecordException",
        f"    + FullyQualifiedErrorId : {error.error_id}",
        " ",
    ]
