"""Names of types: short, full, and as messages show them."""

from __future__ import annotations

from nestkit.practice.hyperv.powershell.text import to_text
from nestkit.practice.hyperv.values import (
    PsError,
    Value,
)

_SHORT = {
    "int": "int32",
    "long": "int64",
    "short": "int16",
    "ushort": "uint16",
    "uint": "uint32",
    "ulong": "uint64",
    "float": "single",
    "switch": "switchparameter",
    "management.automation.switchparameter": "switchparameter",
    "psobject": "pscustomobject",
    "management.automation.psobject": "pscustomobject",
    "management.automation.pscustomobject": "pscustomobject",
    "management.automation.scriptblock": "scriptblock",
    "management.automation.pscredential": "pscredential",
    "collections.hashtable": "hashtable",
    "security.securestring": "securestring",
    "management.automation.actionpreference": "actionpreference",
    "array": "object[]",
    "boolean": "bool",
}
INTEGERS = {
    "byte": (0, 2**8 - 1),
    "sbyte": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
_DISPLAY = {
    **{name: "System." + name.capitalize() for name in ("byte", "int16", "int32", "int64")},
    "sbyte": "System.SByte",
    "uint16": "System.UInt16",
    "uint32": "System.UInt32",
    "uint64": "System.UInt64",
    "double": "System.Double",
    "single": "System.Single",
    "string": "System.String",
    "char": "System.Char",
    "bool": "System.Boolean",
    "guid": "System.Guid",
    "version": "System.Version",
    "datetime": "System.DateTime",
    "timespan": "System.TimeSpan",
    "hashtable": "System.Collections.Hashtable",
    "object": "System.Object",
    "switchparameter": "System.Management.Automation.SwitchParameter",
    "scriptblock": "System.Management.Automation.ScriptBlock",
    "pscredential": "System.Management.Automation.PSCredential",
    "actionpreference": "System.Management.Automation.ActionPreference",
    "securestring": "System.Security.SecureString",
    "pscustomobject": "System.Management.Automation.PSObject",
}


def canonical(name: str) -> str:
    """``System.Int32``, ``int`` and ``Int32`` as ``int32``."""
    low = name.lower().replace(" ", "")
    if low.endswith("[]"):
        return canonical(low[:-2]) + "[]"
    low = low.removeprefix("system.")
    return _SHORT.get(low, low)


def display(name: str) -> str:
    """A type's full name for messages."""
    if name.endswith("[]"):
        return display(name[:-2]) + "[]"
    return _DISPLAY.get(canonical(name), name)


def cast_error(value: Value, target: str, why: str, error_id: str) -> PsError:
    """``Cannot convert value …``."""
    return PsError(
        f'Cannot convert value "{to_text(value)[:200]}" to type "{display(target)}". '
        f'Error: "{why}"',
        error_id=error_id,
        category="InvalidArgument",
    )
