"""One argument against one parameter's type: does it fit, can it be converted, what if not."""

from __future__ import annotations

from nestkit.practice.hyperv.cmdlet_table import CmdletSpec, CmdletTable, Parameter
from nestkit.practice.hyperv.powershell.convert import (
    INTEGERS,
    canonical,
    cast,
    display,
    known_type,
)
from nestkit.practice.hyperv.powershell.convert_numbers import to_bool
from nestkit.practice.hyperv.powershell.text import is_object, to_text, type_name
from nestkit.practice.hyperv.values import EnumValue, PsError, ScriptBlock, Value

_HYPERV = "Microsoft.HyperV.PowerShell."
# Types that stand for more than themselves, from the reference's parameter descriptions.
_WIDER = {
    "VMNetworkAdapterBase": {"VMNetworkAdapter", "VMInternalNetworkAdapter"},
    "VirtualMachineBase": {"VirtualMachine", "VMSnapshot"},
    "VMDriveController": {"VMScsiController", "VMIdeController"},
}
_PREFERENCES = {
    "silentlycontinue": 0,
    "stop": 1,
    "continue": 2,
    "inquire": 3,
    "ignore": 4,
    "suspend": 5,
}


def binding_error(
    spec: CmdletSpec, message: str, error_id: str, category: str = "InvalidArgument"
) -> PsError:
    """An error of parameter binding, named after the cmdlet."""
    return PsError(message, error_id=f"{error_id},{spec.class_name}", category=category)


def full_name(kind: str) -> str:
    """The .NET name of a type as the reference abbreviates it."""
    if kind.endswith("[]"):
        return full_name(kind[:-2]) + "[]"
    if known_type(kind) or canonical(kind) in {"actionpreference", "object"}:
        return display(kind)
    return kind if "." in kind else _HYPERV + kind


def fits(parameter: Parameter, value: Value) -> bool:
    """Whether a value is of the parameter's type without any conversion."""
    kind = parameter.type_name.removesuffix("[]")
    if parameter.type_name.endswith("[]") and isinstance(value, list):
        return all(_fits_one(kind, item) for item in value)
    return _fits_one(kind, value)


def _fits_one(kind: str, value: Value) -> bool:
    low = canonical(kind)
    if low in {"object", "pscustomobject"}:
        return True
    if low in INTEGERS:
        span = INTEGERS[low]
        return (
            isinstance(value, int) and not isinstance(value, bool) and span[0] <= value <= span[1]
        )
    if low in {"bool", "switchparameter"}:
        return isinstance(value, bool)
    if low == "scriptblock":
        return isinstance(value, ScriptBlock)
    if isinstance(value, EnumValue):
        return value.type_name.rpartition(".")[2] == kind
    if known_type(kind):
        return canonical(type_name(value)) == low
    return _is_a(value, kind)


def _is_a(value: Value, kind: str) -> bool:
    if not is_object(value):
        return False
    actual = str(value.type_name).rpartition(".")[2]
    wanted = kind.rpartition(".")[2]
    if wanted == "VMComponentObject":
        return str(value.type_name).startswith(_HYPERV)
    return actual == wanted or actual in _WIDER.get(wanted, ())


def convert(
    spec: CmdletSpec, table: CmdletTable, parameter: Parameter, value: Value, text: str = ""
) -> Value:
    """A value as the parameter's type.

    ``text`` is how a number was written: a string parameter gets that. Raises PsError where the
    value cannot be converted.
    """
    if value is None and not _takes_null(parameter):
        raise binding_error(
            spec,
            f"Cannot bind argument to parameter '{parameter.name}' because it is null.",
            "ParameterArgumentValidationErrorNullNotAllowed",
            "InvalidData",
        )
    kind = parameter.type_name
    if kind.endswith("[]"):
        items = value if isinstance(value, list) else [value]
        if not items and _required(parameter):
            raise _empty(spec, parameter, "array")
        return [_convert_one(spec, table, parameter, kind[:-2], item, text) for item in items]
    return _convert_one(spec, table, parameter, kind, value, text)


def _takes_null(parameter: Parameter) -> bool:
    return canonical(parameter.type_name) in {"object", "pscustomobject", "object[]"} or (
        not _required(parameter) and canonical(parameter.type_name) in {"string", "string[]"}
    )


def _required(parameter: Parameter) -> bool:
    return any(slot.mandatory for slot in parameter.slots.values())


def _empty(spec: CmdletSpec, parameter: Parameter, what: str) -> PsError:
    return binding_error(
        spec,
        f"Cannot bind argument to parameter '{parameter.name}' because it is an empty {what}.",
        f"ParameterArgumentValidationErrorEmpty{what.capitalize()}NotAllowed",
        "InvalidData",
    )


def _convert_one(
    spec: CmdletSpec,
    table: CmdletTable,
    parameter: Parameter,
    kind: str,
    value: Value,
    text: str,
) -> Value:
    low = canonical(kind)
    if low in {"object", "pscustomobject"}:
        return value
    if low == "actionpreference":
        return preference(spec, parameter.name, value)
    if low == "string" and isinstance(value, list):
        raise binding_error(
            spec,
            f"Cannot convert 'System.Object[]' to the type 'System.String' required by parameter "
            f"'{parameter.name}'. Specified method is not supported.",
            "CannotConvertArgument",
        )
    if low == "string":
        made: Value = text or to_text(value)
        if made == "" and _required(parameter):
            raise _empty(spec, parameter, "string")
        return _validated(spec, parameter, made)
    if low == "switchparameter":
        if isinstance(value, (bool, int, float)):
            return to_bool(value)
        raise _cannot(spec, parameter, kind, value)
    if low == "bool":
        if isinstance(value, (bool, int, float)):
            return to_bool(value)
        raise binding_error(
            spec,
            f"Cannot bind parameter '{parameter.name}'. Cannot convert value "
            f'"{to_text(value)[:200]}" to type "System.Boolean". Boolean parameters accept only '
            "Boolean values and numbers, such as $True, $False, 1 or 0.",
            "CannotConvertArgumentNoMessage",
        )
    if parameter.values and low not in INTEGERS:
        return _enumerated(spec, table, parameter, kind, value)
    if low in INTEGERS or known_type(kind):
        try:
            return _validated(spec, parameter, cast(kind, value))
        except PsError as error:
            if error.error_id.startswith("ParameterArgument"):
                raise
            raise binding_error(
                spec,
                f"Cannot bind parameter '{parameter.name}'. {error.message}",
                "CannotConvertArgumentNoMessage",
            ) from None
    if _is_a(value, kind):
        return value
    raise _cannot(spec, parameter, kind, value)


def _validated(spec: CmdletSpec, parameter: Parameter, value: Value) -> Value:
    if not parameter.values:
        return value
    for word in parameter.values:
        if word.lower() == to_text(value).lower():
            return value
    raise binding_error(
        spec,
        f"Cannot validate argument on parameter '{parameter.name}'. The argument "
        f'"{to_text(value)[:200]}" does not belong to the set "{",".join(parameter.values)}" '
        "specified by the ValidateSet attribute. Supply an argument that is in the set and then "
        "try the command again.",
        "ParameterArgumentValidationError",
        "InvalidData",
    )


def _cannot(spec: CmdletSpec, parameter: Parameter, kind: str, value: Value) -> PsError:
    return binding_error(
        spec,
        f"Cannot bind parameter '{parameter.name}'. Cannot convert the \"{to_text(value)[:200]}\" "
        f'value of type "{type_name(value)}" to type "{full_name(kind)}".',
        "CannotConvertArgumentNoMessage",
    )


def _enumerated(
    spec: CmdletSpec, table: CmdletTable, parameter: Parameter, kind: str, value: Value
) -> Value:
    """A member by its name, an unmistakable start of it, or its number."""
    names = parameter.values
    numbers = {n: table.enum_number(kind, n) for n in names}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        found = [n for n in names if numbers[n] == value]
    else:
        word = to_text(value).strip().lower()
        found = [n for n in names if n.lower() == word]
        if not found and word:
            found = [n for n in names if n.lower().startswith(word)]
    if len(found) == 1:
        name = found[0]
        number = numbers[name]
        return EnumValue(full_name(kind), name, names.index(name) if number is None else number)
    raise binding_error(
        spec,
        f"Cannot bind parameter '{parameter.name}'. Cannot convert value "
        f'"{to_text(value)[:200]}" to type "{full_name(kind)}". Error: "Unable to match the '
        f"identifier name {to_text(value)[:200]} to a valid enumerator name. Specify one of the "
        f'following enumerator names and try again: {", ".join(names)}"',
        "CannotConvertArgumentNoMessage",
    )


def preference(spec: CmdletSpec, parameter: str, value: Value) -> str:
    """``-ErrorAction`` and its kin, in lower case."""
    if isinstance(value, int) and not isinstance(value, bool):
        found = [name for name, number in _PREFERENCES.items() if number == value]
    else:
        word = to_text(value).strip().lower()
        found = [n for n in _PREFERENCES if n == word] or [
            n for n in _PREFERENCES if word and n.startswith(word)
        ]
    if len(found) == 1 and found[0] not in {"inquire", "suspend"}:
        return found[0]
    raise binding_error(
        spec,
        f"Cannot bind parameter '{parameter}'. Cannot convert value \"{to_text(value)[:100]}\" to "
        'type "System.Management.Automation.ActionPreference". Error: "Unable to match the '
        f"identifier name {to_text(value)[:100]} to a valid enumerator name. Specify one of the "
        'following enumerator names and try again: SilentlyContinue, Stop, Continue, Ignore"',
        "CannotConvertArgumentNoMessage",
    )
