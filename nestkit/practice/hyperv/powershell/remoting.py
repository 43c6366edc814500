"""Values that come back from another computer: copies, without their methods."""

from __future__ import annotations

from nestkit.practice.hyperv.powershell.limits import Budget
from nestkit.practice.hyperv.powershell.text import is_object, to_text
from nestkit.practice.hyperv.values import Hashtable, PropertyObject, Value

_DEPTH = 2
_CUSTOM = "System.Management.Automation.PSCustomObject"
_KEPT = ("PSCredential",)


def received(values: list[Value], budget: Budget) -> list[Value]:
    """Output of a remote script, as deserialized."""
    return [_copy(value, budget, 0) for value in values]


def _copy(value: Value, budget: Budget, level: int) -> Value:
    budget.step()
    if isinstance(value, list):
        if level > _DEPTH:
            return to_text(value)
        return [_copy(item, budget, level + 1) for item in value]
    if isinstance(value, Hashtable):
        if level > _DEPTH:
            return to_text(value)
        return Hashtable({k: _copy(v, budget, level + 1) for k, v in value.items()})
    if not is_object(value) or str(value.type_name).endswith(_KEPT):
        return value
    if level > _DEPTH:
        return to_text(value)
    budget.items(1)
    name = str(value.type_name)
    text = to_text(value)
    return PropertyObject(
        {key: _copy(value.get(key), budget, level + 1) for key in value.names()},
        type_name=name if name == _CUSTOM else f"Deserialized.{name}",
        methods=None if name == _CUSTOM else {"tostring": lambda: text},
    )
