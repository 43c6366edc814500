"""What a practice host can be asked for, the same for every way of asking."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from nestkit.errors import PracticeError
from nestkit.practice.faults import Faults, parse

KINDS: Final = {
    "esx": "nestkit.practice.esx.service:EsxService",
    "vpx": "nestkit.practice.esx.service:VpxService",
    "hyperv": "nestkit.practice.hyperv.service:HypervService",
}
MAX_VMS: Final = 50_000
_CONNECTION: Final = frozenset({"pin", "insecure"})  # concern the client, not the host


@dataclass(frozen=True, slots=True)
class Options:
    """Which practice host, and how it is to be.

    Parameters
    ----------
    kind
        "esx", "vpx" or "hyperv".
    profile
        A profile of the inventory.
    vms
        How many further VMs.
    faults
        What goes wrong.
    inventory
        Path of another inventory; "" is the one that comes with nestkit.
    seed
        Decides which VM has which fault, and which further VMs there are.
    session_s
        Sessions end after so many idle seconds; Hyper-V's shells after 180 at the latest.
    """

    kind: str
    profile: str = "default"
    vms: int = 0
    faults: Faults = field(default_factory=Faults)
    inventory: str = ""
    seed: int | None = None
    session_s: float = 1800.0

    def to_json(self) -> str:
        """The options as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Options:
        """Read :meth:`to_json` back."""
        data: dict[str, Any] = json.loads(text)
        return cls(**{**data, "faults": Faults(**data["faults"])})

    @property
    def key(self) -> str:
        """The same for the same options: names the shared host's state file."""
        return f"{self.kind}-{hashlib.sha256(self.to_json().encode()).hexdigest()[:16]}"


def check_kind(kind: str) -> None:
    """Refuse kinds that cannot be started.

    Raises
    ------
    PracticeError
        There is no such practice host.
    """
    if kind in KINDS:
        return
    raise PracticeError(
        f"there is no practice host {kind!r}", remedy="use one of " + ", ".join(KINDS)
    )


def _count(name: str, value: Any, high: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number <= high:
        raise PracticeError(
            f"the option {name} cannot be {value!r}",
            remedy=f"give a whole number from 0 to {high}",
        )
    return number


def make(kind: str, given: Mapping[str, Any]) -> Options:
    """Options from keyword arguments or from those of an address.

    Raises
    ------
    PracticeError
        There is no such kind or option, or a value does not fit.
    """
    check_kind(kind)
    names = {"profile", "vms", "faults", "inventory", "seed", "session_s"}
    for name in given:
        if name not in names and name not in _CONNECTION:
            raise PracticeError(
                f"practice hosts have no option {name!r}",
                remedy="use some of " + ", ".join(sorted(names)),
            )
    inventory = given.get("inventory") or ""
    seed = given.get("seed")
    return Options(
        kind=kind,
        profile=str(given.get("profile") or "default"),
        vms=_count("vms", given.get("vms") or 0, MAX_VMS),
        faults=parse(given.get("faults")),
        inventory=str(Path(inventory).expanduser().resolve()) if inventory else "",
        seed=None if seed is None else _count("seed", seed, 2**31),
        session_s=float(_count("session_s", given.get("session_s", 1800), 86_400)),
    )
