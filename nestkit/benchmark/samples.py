"""One sample of one workload in one layer: a row of the frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Final, Literal, get_type_hints

from nestkit.errors import RunError

Direction = Literal["higher", "lower"]  # which way is better


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A row. Its fields are the frame's columns, in the frame's order.

    ``value`` is what the tool said, in ``unit``. ``host_s`` and ``guest_s`` are the same span,
    around the tool's whole run, by the controller's and by the layer's own clock. ``steal_frac``
    is the part of the machine's time that was stolen during it. ``canary_ns`` is the round's
    ALU canary, ns per iteration. ``valid`` is False only where the row cannot be compared;
    ``reason`` says why, and carries the flags of rows that still count.
    """

    run_id: str
    round: int  # 0 for a warm-up
    order: int  # position in the run
    layer: str
    depth: int
    stack: str
    workload: str
    metric: str
    unit: str
    direction: Direction
    value: float
    guest_s: float
    host_s: float
    steal_frac: float
    canary_ns: float
    warmup: bool
    valid: bool
    reason: str
    env_id: str
    cpu_percent: float | None = None  # of one CPU in that layer, where the tool says it

    @property
    def time_per_operation(self) -> float:
        """What ratios are taken of: the value, or its reciprocal where higher is better."""
        return 1 / self.value if self.direction == "higher" else self.value


COLUMNS: Final = tuple(field.name for field in fields(Sample))
SINCE_SCHEMA_2: Final = ("cpu_percent",)
_TYPES: Final = {
    name: str if hint is Direction else hint for name, hint in get_type_hints(Sample).items()
}


def columns(schema: int) -> tuple[str, ...]:
    """The columns of a run file of that schema."""
    return COLUMNS if schema > 1 else tuple(c for c in COLUMNS if c not in SINCE_SCHEMA_2)


def sample_to_json(sample: Sample, schema: int) -> dict[str, Any]:
    """A sample as a JSON object, with the columns of that schema."""
    return {name: getattr(sample, name) for name in columns(schema)}


def _fits(value: Any, kind: Any) -> bool:
    if kind == float | None:
        return value is None or (_fits(value, float) and value >= 0)
    if kind is float:
        # bool is an int to Python, and no measurement
        return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
    return type(value) is kind


def sample_from_json(data: Mapping[str, Any], schema: int) -> Sample:
    """A sample from a JSON object; every column of that schema must be there and of its type.

    Raises
    ------
    RunError
        If the row has other columns, a value of the wrong type, or a value that is not a
        positive number.
    """
    remedy = "take the run again, or use an unedited copy of the file"
    if not isinstance(data, dict) or set(data) != set(columns(schema)):
        raise RunError("a sample does not have the columns of a sample", remedy=remedy)
    for name in data:
        if not _fits(data[name], _TYPES[name]):
            raise RunError(f"a sample's {name} is {data[name]!r}"[:120], remedy=remedy)
    if data["direction"] not in ("higher", "lower") or data["value"] <= 0:
        raise RunError(
            f"a sample's value is {data['value']!r} ({data['direction']!r})", remedy=remedy
        )
    values: dict[str, Any] = {
        k: float(v) if type(v) is int and _TYPES[k] not in (int, bool) else v
        for k, v in data.items()
    }
    return Sample(**values)
