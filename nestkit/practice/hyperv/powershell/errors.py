"""How the evaluator refuses, and how control leaves a construct."""

from __future__ import annotations

from nestkit.practice.hyperv.powershell.tree import Place
from nestkit.practice.hyperv.values import PsError, Value


class ParseError(Exception):
    """The script cannot be read; nothing of it ran."""

    def __init__(
        self, message: str, *, error_id: str = "UnexpectedToken", place: Place | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_id = error_id
        self.place = place or Place()


class Thrown(PsError):
    """``throw``: ends the script unless something catches it."""

    def __init__(self, message: str, value: Value, *, error_id: str | None = None) -> None:
        super().__init__(message, error_id=error_id or message, category="OperationStopped")
        self.value = value


class LeaveLoop(Exception):
    """``break`` or ``continue`` on its way to its loop."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Return(Exception):
    """``return`` on its way to its function."""


class Exit(Exception):
    """``exit`` on its way out of the script."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def unspoken(what: str) -> PsError:
    """A refusal: real PowerShell may know this, the practice host does not."""
    return PsError(
        f"This practice host does not speak {what}.",
        error_id="PracticeHostNotSpoken",
        category="NotImplemented",
    )


def unspoken_syntax(what: str, place: Place | None = None) -> ParseError:
    """The same for syntax: nothing of the script runs."""
    return ParseError(
        f"This practice host does not speak {what}.", error_id="PracticeHostNotSpoken", place=place
    )


# The .NET exception behind an error id, as `catch [type]` and `.Exception.GetType()` see it.
_EXCEPTIONS = {
    "CommandNotFoundException": "System.Management.Automation.CommandNotFoundException",
    "NamedParameterNotFound": "System.Management.Automation.ParameterBindingException",
    "PositionalParameterNotFound": "System.Management.Automation.ParameterBindingException",
    "AmbiguousParameter": "System.Management.Automation.ParameterBindingException",
    "AmbiguousParameterSet": "System.Management.Automation.ParameterBindingException",
    "MissingMandatoryParameter": "System.Management.Automation.ParameterBindingException",
    "MissingArgument": "System.Management.Automation.ParameterBindingException",
    "ParameterAlreadyBound": "System.Management.Automation.ParameterBindingException",
    "InputObjectNotBound": "System.Management.Automation.ParameterBindingException",
    "CannotConvertArgumentNoMessage": "System.Management.Automation.ParameterBindingException",
    "ParameterArgumentTransformationError": (
        "System.Management.Automation.ParameterBindingArgumentTransformationException"
    ),
    "ParameterArgumentValidationError": (
        "System.Management.Automation.ParameterBindingValidationException"
    ),
    "DivideByZero": "System.DivideByZeroException",
    "RuntimeException": "System.Management.Automation.RuntimeException",
    "InvalidCastFromStringToInteger": "System.Management.Automation.PSInvalidCastException",
    "InvalidCastParseTargetInvocation": "System.Management.Automation.PSInvalidCastException",
    "ConvertToFinalInvalidCastException": "System.Management.Automation.PSInvalidCastException",
}
_BASES = {
    "system.exception",
    "exception",
    "system.management.automation.runtimeexception",
    "runtimeexception",
    "management.automation.runtimeexception",
}
_KNOWN = {name.lower() for name in _EXCEPTIONS.values()} | {
    "microsoft.hyperv.powershell.virtualizationexception",
    "system.argumentexception",
    "microsoft.powershell.commands.writeerrorexception",
}


def exception_type(error: PsError) -> str:
    """The name of the exception class a script sees."""
    head, _, tail = error.error_id.partition(",")
    if head in _EXCEPTIONS:
        return _EXCEPTIONS[head]
    if head.startswith("System."):
        return head
    if tail.startswith("Microsoft.HyperV."):
        return "Microsoft.HyperV.PowerShell.VirtualizationException"
    if tail.endswith("WriteErrorException"):
        return "Microsoft.PowerShell.Commands.WriteErrorException"
    return "System.Management.Automation.RuntimeException"


# The inner exception of a RuntimeException, which a catch clause may name as well.
_INNER = {"Attempted to divide by zero.": "system.dividebyzeroexception"}


def catches(type_name: str, error: PsError) -> bool:
    """Whether ``catch [type_name]`` takes this error. Raises PsError for a type nobody knows."""
    wanted = type_name.lower()
    if wanted in _BASES:
        return True
    if wanted not in _KNOWN and not any(k.endswith("." + wanted) for k in _KNOWN):
        raise PsError(
            f"Unable to find type [{type_name}].",
            error_id="TypeNotFound",
            category="InvalidOperation",
            target=type_name,
        )
    actual = exception_type(error).lower()
    inner = _INNER.get(error.message, "")
    if inner and inner in {wanted, "system." + wanted}:
        return True
    if wanted.endswith("parameterbindingexception"):
        return "parameterbinding" in actual
    return actual == wanted or actual == "system." + wanted or actual.endswith("." + wanted)
