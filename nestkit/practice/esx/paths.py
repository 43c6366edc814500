"""Property paths: ``config.hardware.numCPU``, ``config.hardware.device[4000]``."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from nestkit.practice.esx.api import VmomiSupport, vmodl

_STEP: Final = re.compile(r'([A-Za-z_]\w*)(?:\[(?:"([^"]*)"|(-?\w+))\])?(?:\.|$)')


@lru_cache(maxsize=4096)
def resolve(kind: Any, path: str, version: str) -> tuple[tuple[tuple[str, str | None], ...], Any]:
    """The steps of a path and the declared type at its end.

    Raises
    ------
    vmodl.query.InvalidProperty
        If objects of this kind have no such property in this version of the API.
    """
    steps: list[tuple[str, str | None]] = []
    position = 0
    if path.endswith("."):
        raise vmodl.query.InvalidProperty(name=path)
    while position < len(path) or not steps:
        match = _STEP.match(path, position)
        if match is None or not hasattr(kind, "_GetPropertyInfo"):
            raise vmodl.query.InvalidProperty(name=path)
        name = match[1]
        try:
            info = kind._GetPropertyInfo(name)
        except AttributeError:
            raise vmodl.query.InvalidProperty(name=path) from None
        if not VmomiSupport.IsChildVersion(version, info.version):
            raise vmodl.query.InvalidProperty(name=path)
        key = match[2] if match[2] is not None else match[3]
        kind = info.type
        if key is not None:
            if not issubclass(kind, list):
                raise vmodl.query.InvalidProperty(name=path)
            kind = kind.Item
        steps.append((name, key))
        position = match.end()
    return tuple(steps), kind


def walk(value: Any, steps: tuple[tuple[str, str | None], ...]) -> Any:
    """Follow steps below a value; None where something on the way is unset."""
    for name, key in steps:
        if value is None:
            return None
        value = pick(getattr(value, name, None), key)
    return value


def pick(value: Any, key: str | None) -> Any:
    """The element of a list with this key, or the value itself."""
    if key is None or value is None:
        return value
    return next((item for item in value if str(getattr(item, "key", None)) == key), None)


def declared(value: Any, kind: Any) -> Any:
    """The value in its declared type: an ``int`` that is an xsd:long, a ``str`` of an enum."""
    if value is None or kind is object:
        return value
    if issubclass(kind, list):
        return kind(declared(item, kind.Item) for item in value) if value else None
    if isinstance(value, (bool, VmomiSupport.DataObject, VmomiSupport.ManagedObject)):
        return value
    if isinstance(value, (str, int, float)) and issubclass(kind, (str, int, float)):
        return value if type(value) is kind else kind(value)
    return value
