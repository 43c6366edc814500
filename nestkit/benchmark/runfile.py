"""A run: what was measured, where, and how. One UTF-8 JSON file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from nestkit.benchmark.samples import COLUMNS, Sample, sample_from_json, sample_to_json
from nestkit.benchmark.workloads import WORKLOADS
from nestkit.errors import RunError
from nestkit.runners.base import LayerFacts
from nestkit.runners.replay import facts_from_json, facts_to_json, write_file

if TYPE_CHECKING:
    import pandas as pd

RUN_SCHEMA: Final = 2  # 2: samples say how much CPU they took; files of schema 1 stay readable
Origin = Literal["measured", "recorded", "practice", "published"]
Status = Literal["complete", "cancelled", "out of time", "failed"]
NOISY_SHARE: Final = 0.5  # of the counted samples flagged: the machine is too noisy

_RETAKE: Final = "take the run again, or use an unedited copy of the file"


def _canonical(data: Any) -> str:
    return json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Samples with everything needed to judge them.

    Overheads are not part of it: they are derived, by :meth:`summary`.
    """

    run_id: str
    origin: Origin
    suite: str
    status: Status
    seed: int
    rounds: int  # fixed before the start
    workloads: tuple[str, ...]  # planned, also where no sample was taken
    layers: tuple[LayerFacts, ...]
    provenance: Mapping[str, Any]
    samples: tuple[Sample, ...] = field(repr=False)
    notes: tuple[str, ...] = ()  # what a reader must know: flags of the whole run
    schema: int = field(default=RUN_SCHEMA)

    @property
    def counted(self) -> tuple[Sample, ...]:
        """The samples that count: no warm-ups."""
        return tuple(s for s in self.samples if not s.warmup)

    @property
    def flagged(self) -> tuple[Sample, ...]:
        """Counted samples with a flag: steal, clocks that disagree, a canary that drifts, …"""
        return tuple(s for s in self.counted if s.reason)

    @property
    def too_noisy(self) -> bool:
        """True when over half of the counted samples are flagged; the data is kept."""
        return len(self.flagged) > NOISY_SHARE * len(self.counted)

    @property
    def incomplete(self) -> tuple[str, ...]:
        """Workloads with fewer rounds in some layer than were fixed beforehand."""
        done: dict[tuple[str, str], int] = {}
        for sample in self.counted:
            key = (sample.workload, sample.layer)
            done[key] = done.get(key, 0) + 1
        return tuple(
            name
            for name in self.workloads
            if any(done.get((name, f.layer), 0) < self.rounds for f in self.measured_in(name))
        )

    def measured_in(self, workload: str) -> Sequence[LayerFacts]:
        """The layers that a workload is measured in; between two layers, the inner one."""
        known = WORKLOADS.get(workload)
        return known.measured_in(self.layers) if known else self.layers

    @property
    def emulated(self) -> bool:
        """True when some layer runs on an emulator (TCG)."""
        return any(layer.emulated for layer in self.layers)

    def facts(self, layer: str) -> LayerFacts:
        """The facts of a layer.

        Raises
        ------
        RunError
            If the run has no such layer.
        """
        for facts in self.layers:
            if facts.layer == layer:
                return facts
        names = ", ".join(facts.layer for facts in self.layers)
        raise RunError(f"the run has no layer {layer!r}", remedy=f"use one of {names}")

    @property
    def default_baseline(self) -> str:
        """The outermost layer; where layers are emulated, the outermost of the emulated ones.

        Raises
        ------
        RunError
            If the run has no layers.
        """
        if not self.layers:
            raise RunError("the run has no layers", remedy=_RETAKE)
        pool = [f for f in self.layers if f.emulated] or list(self.layers)
        return min(pool, key=lambda f: f.depth).layer

    def to_frame(self) -> pd.DataFrame:
        """One row a sample, with the columns of :class:`~nestkit.benchmark.samples.Sample`."""
        import pandas as pd

        return pd.DataFrame([asdict(s) for s in self.samples], columns=list(COLUMNS))

    def summary(self, baseline: str | None = None) -> pd.DataFrame:
        """What each layer costs; see :func:`nestkit.benchmark.effects.summarize`."""
        from nestkit.benchmark.effects import summarize

        return summarize(self, baseline)

    def __str__(self) -> str:
        from nestkit.benchmark.texts import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from nestkit.benchmark.html import as_html

        return as_html(self)

    # ------------------------------------------------------------------ the file

    def to_json(self) -> dict[str, Any]:
        """The run as JSON values, without the checksum that a file carries."""
        return {
            "schema": self.schema,
            "run_id": self.run_id,
            "origin": self.origin,
            "suite": self.suite,
            "status": self.status,
            "seed": self.seed,
            "rounds": self.rounds,
            "workloads": list(self.workloads),
            "layers": [facts_to_json(facts) for facts in self.layers],
            "acceleration": {facts.layer: facts.acceleration for facts in self.layers},
            "provenance": dict(self.provenance),
            "notes": list(self.notes),
            "samples": [sample_to_json(sample, self.schema) for sample in self.samples],
        }

    def save(self, path: str | Path) -> Path:
        """Write the run to a file; the same run gives the same bytes, one line a sample.

        Raises
        ------
        RunError
            If the file cannot be written.
        """
        data = self.to_json()
        checksum = _checksum(data)
        rows = data.pop("samples")
        head = {"checksum": checksum, **data}
        lines = [f"  {json.dumps(k)}: {_canonical(v)}," for k, v in head.items()]
        body = ",\n".join(f"    {_canonical(row)}" for row in rows)
        text = "\n".join(["{", *lines, '  "samples": [', body, "  ]", "}", ""])
        return write_file(path, text.encode("utf-8"))

    @classmethod
    def load(cls, path: str | Path) -> Run:
        """Read a run from a file written by :meth:`save`.

        Raises
        ------
        RunError
            If the file is missing, cut off, edited, of a newer schema or no run at all.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise RunError(
                f"{path} cannot be read: {error.strerror}", remedy="check the path"
            ) from error
        except UnicodeDecodeError as error:
            raise RunError(f"{path} is not UTF-8 text", remedy=_RETAKE) from error
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RunError(f"{path} is cut off or is not JSON: {error}", remedy=_RETAKE) from error
        if isinstance(data, dict) and "samples" in data and "checksum" not in data:
            raise RunError(f"{path} was edited: it has no checksum", remedy=_RETAKE)
        return cls.from_json(data, source=str(path))

    @classmethod
    def from_json(cls, data: Any, *, source: str = "the run") -> Run:
        """Read a run from JSON values; the checksum is compared where there is one."""
        if not isinstance(data, dict) or "samples" not in data:
            raise RunError(f"{source} does not hold a run", remedy="name a file saved by a run")
        schema = data.get("schema")
        if type(schema) is not int or not 1 <= schema <= RUN_SCHEMA:
            newer = type(schema) is int and schema > RUN_SCHEMA
            raise RunError(
                f"{source} has schema {schema!r}, this nestkit reads up to {RUN_SCHEMA}",
                remedy="upgrade nestkit to read it" if newer else _RETAKE,
            )
        data = dict(data)
        checksum = data.pop("checksum", None)
        try:
            if checksum is not None and checksum != _checksum(data):
                raise RunError(f"{source} was edited or damaged after it was saved", remedy=_RETAKE)
            for name in ("workloads", "layers", "samples", "notes"):
                if not isinstance(data[name], list):
                    raise ValueError(f"{name} is no list")
            if data["origin"] not in get_args(Origin) or data["status"] not in get_args(Status):
                raise ValueError(f"origin {data['origin']!r}, status {data['status']!r}")
            run = cls(
                run_id=data["run_id"],
                origin=data["origin"],
                suite=data["suite"],
                status=data["status"],
                seed=data["seed"],
                rounds=data["rounds"],
                workloads=tuple(data["workloads"]),
                layers=tuple(facts_from_json(item) for item in data["layers"]),
                provenance=dict(data["provenance"]),
                samples=tuple(sample_from_json(item, schema) for item in data["samples"]),
                notes=tuple(data["notes"]),
                schema=schema,
            )
            _check_whole(run)
            return run
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise RunError(f"{source} is not a whole run: {error}"[:300], remedy=_RETAKE) from error


def _check_whole(run: Run) -> None:
    """Raise ValueError unless the parts are what all that shows a run takes them for."""
    memory = run.provenance.get("memory", [])
    for what, sound in {
        "its names and notes": all(
            isinstance(text, str) for text in (run.run_id, run.suite, *run.workloads, *run.notes)
        ),
        "its seed": type(run.seed) is int,
        "its number of rounds": type(run.rounds) is int and run.rounds > 0,
        "the memory of its layers": all(
            isinstance(item["layer"], str)
            and all(isinstance(item[key], int | float) for key in ("resident_mib", "usable_mib"))
            for item in memory
        ),
    }.items():
        if not sound:
            raise ValueError(f"{what} cannot be so")


def _checksum(data: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(_canonical(data).encode("utf-8", "surrogatepass")).hexdigest()
    return f"sha256:{digest}"
