"""The cmdlets the practice host knows: parameters, sets, types, as the vendor documents them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from nestkit.errors import DataFileError
from nestkit.resources import data_path

ALL_SETS = "__AllParameterSets"
_REMEDY = "reinstall nestkit to get the shipped file back"

# Parameters every cmdlet has, with the short names PowerShell gives them:
# https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_commonparameters
_COMMON: dict[str, tuple[str, tuple[str, ...]]] = {
    "Verbose": ("SwitchParameter", ("vb",)),
    "Debug": ("SwitchParameter", ("db",)),
    "ErrorAction": ("ActionPreference", ("ea",)),
    "WarningAction": ("ActionPreference", ("wa",)),
    "InformationAction": ("ActionPreference", ("infa",)),
    "ErrorVariable": ("String", ("ev",)),
    "WarningVariable": ("String", ("wv",)),
    "InformationVariable": ("String", ("iv",)),
    "OutVariable": ("String", ("ov",)),
    "OutBuffer": ("Int32", ("ob",)),
    "PipelineVariable": ("String", ("pv",)),
}
COMMON_NAMES = frozenset(_COMMON)
_SHOULD_PROCESS: dict[str, tuple[str, ...]] = {"WhatIf": ("wi",), "Confirm": ("cf",)}


@dataclass(frozen=True, slots=True)
class Slot:
    """How a parameter stands in one parameter set."""

    mandatory: bool = False
    position: int | None = None
    by_value: bool = False
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a cmdlet; ``slots`` by parameter set name."""

    name: str
    type_name: str
    slots: Mapping[str, Slot]
    aliases: tuple[str, ...] = ()
    values: tuple[str, ...] = ()  # accepted values; empty: any
    common: bool = False

    def in_set(self, name: str) -> Slot | None:
        """The slot in a set, if the parameter is in it."""
        return self.slots.get(name) or self.slots.get(ALL_SETS)


@dataclass(frozen=True, slots=True)
class CmdletSpec:
    """What is known of one cmdlet."""

    name: str
    module: str
    class_name: str
    page: str
    sets: tuple[str, ...]
    default_set: str | None
    parameters: Mapping[str, Parameter]  # keys in lower case
    aggregate: bool = False
    played: bool = True  # False: the vendor has it, this host only knows its name
    rest: str | None = None  # the parameter that takes all remaining arguments
    extra_aliases: tuple[str, ...] = field(default=())

    @property
    def should_process(self) -> bool:
        """Whether it takes ``-WhatIf`` and ``-Confirm``."""
        return "whatif" in self.parameters


class CmdletTable:
    """Cmdlets and command aliases by name, whatever the case.

    Parameters
    ----------
    specs
        The cmdlets.
    aliases
        Command aliases; an alias of something that is not here is still an alias.
    enums
        Numbers of enumeration names, by type.
    natives
        Programs that are played, without ``.exe``.
    """

    def __init__(
        self,
        specs: Iterable[CmdletSpec],
        *,
        aliases: Mapping[str, str] | None = None,
        enums: Mapping[str, Mapping[str, int]] | None = None,
        natives: Iterable[str] = (),
    ) -> None:
        self._specs = {spec.name.lower(): spec for spec in specs}
        self.aliases = {k.lower(): v for k, v in (aliases or {}).items()}
        self.enums = {k: dict(v) for k, v in (enums or {}).items()}
        self.natives = frozenset(n.lower() for n in natives)
        for spec in self._specs.values():
            for alias in spec.extra_aliases:
                self.aliases[alias.lower()] = spec.name

    def __iter__(self) -> Iterator[CmdletSpec]:
        return iter(self._specs.values())

    def get(self, name: str) -> CmdletSpec | None:
        """A cmdlet by its name or alias, qualified by its module (``Hyper-V\\Get-VM``) or not."""
        module, _, bare = name.rpartition("\\")
        spec = self._specs.get(bare.lower())
        if spec is None and not module and bare.lower() in self.aliases:
            spec = self._specs.get(self.aliases[bare.lower()].lower())
        if spec is not None and module and spec.module.lower() != module.lower():
            return None
        return spec

    def enum_number(self, type_name: str, name: str) -> int | None:
        """The number behind an enumeration's name; None where the enumeration is unknown."""
        members = self.enums.get(type_name.rpartition(".")[2])
        return None if members is None else members.get(name)


def common_parameters(*, should_process: bool) -> dict[str, Parameter]:
    """The parameters that PowerShell adds to every cmdlet."""
    slot = {ALL_SETS: Slot()}
    made = {
        name.lower(): Parameter(name, kind, slot, aliases, common=True)
        for name, (kind, aliases) in _COMMON.items()
    }
    if should_process:
        for name, aliases in _SHOULD_PROCESS.items():
            made[name.lower()] = Parameter(name, "SwitchParameter", slot, aliases)
    return made


def _slot(raw: Any) -> Slot:
    mandatory, position, pipeline = raw
    return Slot(bool(mandatory), position, "v" in pipeline, "n" in pipeline)


def _vendor_spec(name: str, raw: Mapping[str, Any], page: str) -> CmdletSpec:
    parameters: dict[str, Parameter] = common_parameters(should_process=raw["should_process"])
    for key, given in raw["parameters"].items():
        sets = given["sets"]
        slots = (
            {s: _slot(given["slot"]) for s in sets}
            if isinstance(sets, list)
            else {s: _slot(v) for s, v in sets.items()}
        )
        parameters[key.lower()] = Parameter(
            key,
            given["type"],
            slots,
            tuple(given.get("aliases", ())),
            tuple(given.get("values", ())),
        )
    return CmdletSpec(
        name=name,
        module="Hyper-V",
        class_name="Microsoft.HyperV.PowerShell.Commands." + name.replace("-", ""),
        page=page + name.lower(),
        sets=tuple(raw["sets"]) or (ALL_SETS,),
        default_set=raw["default"],
        parameters=parameters,
    )


def _declared_spec(name: str, raw: Mapping[str, Any]) -> CmdletSpec:
    sets = tuple(raw.get("sets", ())) or (ALL_SETS,)
    parameters = common_parameters(should_process=raw.get("should_process", False))
    for key, given in raw.get("parameters", {}).items():
        slot = _slot(
            (given.get("mandatory", False), given.get("position"), given.get("pipeline", ""))
        )
        slots = dict.fromkeys(given.get("sets", sets), slot)
        slots.update({s: _slot((*v[:2], v[2])) for s, v in given.get("slots", {}).items()})
        parameters[key.lower()] = Parameter(
            key,
            given["type"],
            slots,
            tuple(given.get("aliases", ())),
            tuple(given.get("values", ())),
        )
    return CmdletSpec(
        name=name,
        module=raw["module"],
        class_name=raw["class"],
        page=raw["page"],
        sets=sets,
        default_set=raw.get("default", sets[0]),
        parameters=parameters,
        aggregate=raw.get("aggregate", False),
        extra_aliases=tuple(raw.get("aliases", ())),
        rest=raw.get("rest"),
    )


def _known_only(name: str, page: str) -> CmdletSpec:
    return CmdletSpec(
        name=name,
        module="Hyper-V",
        class_name="Microsoft.HyperV.PowerShell.Commands." + name.replace("-", ""),
        page=page + name.lower(),
        sets=(ALL_SETS,),
        default_set=None,
        parameters={},
        played=False,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".json":
            data = json.loads(path.read_text(encoding="utf-8"))
        else:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataFileError(f"{path}:1: file: cannot be read: {error}", remedy=_REMEDY) from error
    if not isinstance(data, dict) or data.get("schema") != 1:
        raise DataFileError(f"{path}:1: schema: is not 1", remedy=_REMEDY)
    return data


@cache
def load(edition: str = "ws2022") -> CmdletTable:
    """The shipped table.

    Parameters
    ----------
    edition
        ``ws2022``, or ``ws2025`` for the parameters that Windows Server 2025 adds.

    Raises
    ------
    DataFileError
        If a data file is missing or malformed.
    """
    vendor_path = data_path("practice", "cmdlets_hyperv.json")
    other_path = data_path("practice", "cmdlets_other.toml")
    vendor, other = _read(vendor_path), _read(other_path)
    try:
        raw = dict(vendor["cmdlets"])
        if edition != "ws2022":
            raw.update(vendor[edition])
        page = vendor["page"]
        specs = [_vendor_spec(name, entry, page) for name, entry in raw.items()]
        specs += [_known_only(name, page) for name in vendor["known"] if name not in raw]
        enums = {t: {n: i for i, n in enumerate(names)} for t, names in vendor["enums"].items()}
    except (KeyError, TypeError, ValueError) as error:
        raise DataFileError(f"{vendor_path}:1: {error!r}", remedy=_REMEDY) from error
    try:
        specs += [_declared_spec(name, entry) for name, entry in other["cmdlet"].items()]
        enums.update(other["enums"])
        aliases, natives = other["aliases"], other["native"]
    except (KeyError, TypeError, ValueError) as error:
        raise DataFileError(f"{other_path}:1: {error!r}", remedy=_REMEDY) from error
    return CmdletTable(specs, aliases=aliases, enums=enums, natives=natives)
