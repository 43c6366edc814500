"""What will be changed: steps, plans and their digest.

A plan is data. It is made from facts by :mod:`nestkit.configure`, shown,
saved, turned into text by :mod:`nestkit.scripts`, and carried out step by step
by a host's ``perform``. Its JSON shape is pinned by :data:`PLAN_SCHEMA`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from nestkit.errors import PlanError

PLAN_SCHEMA: Final = 1

Json = Any  # str, int, float, bool, None, list or dict: what json.dumps takes

Op = Literal["shutdown_guest", "power_off", "set_property", "power_on"]
Consent = Literal["", "hard_power_off", "upgrade_hardware_version"]
POWER_OPS: Final = frozenset({"shutdown_guest", "power_off", "power_on"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a step acts on: ``kind`` is "vm" or "port_group"."""

    kind: str
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of one property of one target.

    ``before`` and ``after`` are JSON values in the shape that the host's
    ``current(target, property)`` returns, so that they can be compared.
    """

    id: str
    op: Op
    target: Target
    property: str
    before: Json
    after: Json
    needs_off: bool = False
    reversible: bool = True
    consent: Consent = ""
    why: str = ""
    timeout_s: float = 120.0

    def inverse(self, *, hard_power_off: bool = False) -> Step:
        """The step that takes this one back."""
        op: Op = self.op
        if op in ("shutdown_guest", "power_off"):
            op = "power_on"
        elif op == "power_on":
            op = "power_off" if hard_power_off else "shutdown_guest"
        return replace(
            self, id=f"undo-{self.id}", op=op, before=self.after, after=self.before, consent=""
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedGoal:
    """What a VM must be to host a hypervisor.

    Parameters
    ----------
    cpu_count
        Virtual CPUs to give; 0 keeps what is there and raises it to 2, the minimum of ESXi 8.
    memory_gib
        Memory to give, GiB; 0 keeps what is there and raises it to the required minimum.
    reserve_memory
        Reserve all of the VM's memory (static memory).
    network
        "promiscuous": promiscuous mode and forged transmits on the VM's own port groups;
        "leave": do not touch the network.
    start
        Start the VM at the end, so that the change can be verified.
    hard_power_off
        Allow pulling the plug where the guest cannot be asked to shut down.
    """

    cpu_count: int = 0
    memory_gib: int = 0
    reserve_memory: bool = True
    network: Literal["promiscuous", "leave"] = "promiscuous"
    start: bool = True
    hard_power_off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be changed on which host, and what must be true for it to be applied."""

    host: str  # the host's identity
    host_name: str
    platform: str
    is_practice: bool
    vm: Target
    goal: NestedGoal
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()  # what the plan leaves alone, and why
    schema: int = field(default=PLAN_SCHEMA)

    def __str__(self) -> str:
        from nestkit.planview import as_text

        return as_text(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))  # IPython would show the dataclass

    def _repr_html_(self) -> str:
        from nestkit.planview import as_html

        return as_html(self)

    @property
    def is_empty(self) -> bool:
        """True when nothing is left to change."""
        return not self.steps

    @property
    def digest(self) -> str:
        """SHA-256 of the plan's canonical JSON: what the person who applies it agrees to."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def to_json(self) -> dict[str, Json]:
        """The plan as JSON values."""
        # through JSON once, so that tuples become lists as they will be in a file
        data: dict[str, Json] = json.loads(json.dumps(asdict(self)))
        return data

    def save(self, path: str | Path) -> Path:
        """Write the plan to a UTF-8 JSON file."""
        path = Path(path)
        path.write_text(
            json.dumps(self.to_json() | {"digest": self.digest}, indent=2, ensure_ascii=False)
            + "\n",
            encoding="utf-8",
        )
        return path

    @classmethod
    def from_json(cls, data: Json, *, source: str = "the plan") -> Plan:
        """Read a plan back.

        Raises
        ------
        PlanError
            If the data is of a newer schema, or does not have a plan's shape.
        """
        remedy = "make a new plan with `nestkit plan`"
        if not isinstance(data, dict):
            raise PlanError(f"{source} does not hold a plan", remedy=remedy)
        if data.get("schema") != PLAN_SCHEMA:
            raise PlanError(
                f"{source} has schema {data.get('schema')!r}, this nestkit reads {PLAN_SCHEMA}",
                remedy="use the nestkit that made it, or make a new plan",
            )
        try:
            steps = tuple(
                Step(**{**item, "target": Target(**item["target"])}) for item in data["steps"]
            )
            plan = cls(
                host=data["host"],
                host_name=data["host_name"],
                platform=data["platform"],
                is_practice=data["is_practice"],
                vm=Target(**data["vm"]),
                goal=NestedGoal(**data["goal"]),
                steps=steps,
                notes=tuple(data["notes"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise PlanError(f"{source} is not a whole plan: {error}", remedy=remedy) from error
        for step in steps:
            if step.op not in get_args(Op):
                raise PlanError(f"{source}: unknown operation {step.op!r}", remedy=remedy)
        if "digest" in data and data["digest"] != plan.digest:
            raise PlanError(f"{source} was edited after it was saved", remedy=remedy)
        return plan

    @classmethod
    def load(cls, path: str | Path) -> Plan:
        """Read a plan from a file written by :meth:`save`."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise PlanError(
                f"{path} cannot be read: {error.strerror}", remedy="check the path"
            ) from error
        except ValueError as error:
            raise PlanError(
                f"{path} is not JSON: {error}", remedy="make a new plan with `nestkit plan`"
            ) from error
        return cls.from_json(data, source=str(path))

    def script(self, kind: str) -> str:
        """The plan as text to run or follow elsewhere; see :func:`nestkit.scripts.render`."""
        from nestkit.scripts import render

        return render(self, kind)
