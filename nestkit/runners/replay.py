"""Runners that play back what programs said: a recorded lab, without booting anything.

A recording holds every command that was run in each layer, with its output and its times as they
were. Playing it back goes through the same parsers and rules as the live run did.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

from nestkit.errors import DeadlineExceeded, RunError
from nestkit.facts import Unknown
from nestkit.runners.base import Acceleration, ExecResult, LayerFacts, Runner

RECORDING_SCHEMA: Final = 1
_REMEDY: Final = "record it again, or use an undamaged copy"
_FACTS: Final = dict.fromkeys(
    ("cpu_model", "kernel", "microcode", "clock_source", "mitigations", "huge_pages", "governor"),
    str,
) | {"cpu_count": int, "memory_mib": int, "hypervisor_leaves": tuple}


def facts_to_json(facts: LayerFacts) -> dict[str, Any]:
    """Layer facts as JSON values; an unknown fact becomes ``{"unknown": reason}``."""
    data = {name: getattr(facts, name) for name in LayerFacts.__slots__}
    for name, value in data.items():
        if isinstance(value, Unknown):
            data[name] = {"unknown": value.reason}
        elif isinstance(value, tuple):
            data[name] = list(value)
        elif isinstance(value, Mapping):
            data[name] = dict(sorted(value.items()))
    return data


def facts_from_json(data: Mapping[str, Any]) -> LayerFacts:
    """Layer facts from JSON values.

    Raises
    ------
    ValueError, TypeError
        If they are no facts of a layer.
    """
    values = dict(data)
    for name, value in values.items():
        if isinstance(value, dict) and set(value) == {"unknown"} and name != "extra":
            values[name] = Unknown(value["unknown"])
        elif isinstance(value, list):
            values[name] = tuple(value)
    facts = LayerFacts(**values)
    texts = [facts.layer, facts.stack, *facts.extra, *facts.extra.values()]
    sound = (
        type(facts.depth) is int
        and facts.depth >= 0
        and type(facts.emulated) is bool
        and facts.acceleration in get_args(Acceleration)
        and all(isinstance(text, str) for text in texts)
        and all(_fits(getattr(facts, name), kind) for name, kind in _FACTS.items())
    )
    if not sound:
        raise ValueError(f"the facts of layer {facts.layer!r} are of wrong types"[:120])
    return facts


def _fits(value: Any, kind: type) -> bool:
    """True for a value of that type, and for an unknown one with its reason."""
    if isinstance(value, Unknown):
        return isinstance(value.reason, str)
    if kind is tuple:
        return isinstance(value, tuple) and all(isinstance(item, str) for item in value)
    return type(value) is kind


def write_file(path: str | Path, data: bytes) -> Path:
    """Write a whole file, and say where.

    Raises
    ------
    RunError
        If it cannot be written.
    """
    path = Path(path)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise RunError(
            f"{path} cannot be written: {error.strerror or error}",
            remedy="name a file in a folder you can write to, on a disk that is not full",
        ) from error
    return path


@dataclass(frozen=True, slots=True)
class Call:
    """One command and what came of it."""

    argv: tuple[str, ...]
    result: ExecResult | DeadlineExceeded

    def to_json(self) -> dict[str, Any]:
        """JSON values, for :meth:`from_json`."""
        argv = list(self.argv)
        if isinstance(self.result, DeadlineExceeded):
            return {"argv": argv, "late": self.result.message, "remedy": self.result.remedy}
        return {"argv": argv, **asdict(self.result)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Call:
        """The call of such values; KeyError or TypeError if they are none."""
        rest = dict(data)
        argv = tuple(rest.pop("argv"))
        if "late" in rest:
            return cls(argv, DeadlineExceeded(rest["late"], remedy=rest["remedy"]))
        return cls(argv, ExecResult(**rest))


class Recorder:
    """A runner that passes everything on to another one and remembers it."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._facts: LayerFacts | None = None
        self.calls: list[Call] = []

    @property
    def layer(self) -> str:
        """Which layer."""
        return self._runner.layer

    @property
    def os(self) -> Literal["linux", "windows"]:
        """The layer's operating system."""
        return self._runner.os

    def run(
        self, argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None
    ) -> ExecResult:
        """Run a program in the layer, and remember what it said."""
        try:
            result = self._runner.run(argv, timeout=timeout, env=env)
        except DeadlineExceeded as error:
            self.calls.append(Call(tuple(argv), error))
            raise
        self.calls.append(Call(tuple(argv), result))
        return result

    def put(self, src: Path, dst: str) -> None:
        """Copy a file into the layer; not remembered."""
        self._runner.put(src, dst)

    def get(self, src: str, dst: Path) -> None:
        """Copy a file out of the layer; not remembered."""
        self._runner.get(src, dst)

    def facts(self) -> LayerFacts:
        """Facts of the layer, as first read."""
        if self._facts is None:
            self._facts = self._runner.facts()
        return self._facts

    def close(self) -> None:
        """Let go of the layer."""
        self._runner.close()


class ReplayRunner:
    """A layer that says again what it said when it was recorded, each answer once."""

    origin: Final = "recorded"

    def __init__(self, facts: LayerFacts, calls: Sequence[Call]) -> None:
        self._facts = facts
        self._answers: defaultdict[tuple[str, ...], deque[ExecResult | DeadlineExceeded]] = (
            defaultdict(deque)
        )
        for call in calls:
            self._answers[call.argv].append(call.result)

    @property
    def layer(self) -> str:
        """Which layer."""
        return self._facts.layer

    @property
    def os(self) -> Literal["linux", "windows"]:
        """The layer's operating system."""
        return "linux"

    def run(
        self, argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None
    ) -> ExecResult:
        """What this command said next.

        Raises
        ------
        RunError
            If it was not run, or not as often, when the layer was recorded.
        DeadlineExceeded
            If it did not end in time then.
        """
        answers = self._answers[tuple(argv)]
        if not answers:
            raise RunError(
                f"the recording of {self.layer} has no further answer to {' '.join(argv)!r}",
                remedy="replay it as it was recorded, `nk.benchmark.replay(file)`, or boot a lab",
            )
        answer = answers.popleft()
        if isinstance(answer, DeadlineExceeded):
            raise DeadlineExceeded(answer.message, remedy=answer.remedy)
        return answer

    def put(self, src: Path, dst: str) -> None:
        """Refused: a recording has no files."""
        raise RunError(
            f"{src} cannot be copied into a recorded layer", remedy="boot a lab: nk.lab.up()"
        )

    def get(self, src: str, dst: Path) -> None:
        """Refused: a recording has no files."""
        raise RunError(
            f"{src} cannot be copied out of a recorded layer", remedy="boot a lab: nk.lab.up()"
        )

    def facts(self) -> LayerFacts:
        """Facts of the layer, as they were."""
        return self._facts

    def close(self) -> None:
        """Forget the answers that are left."""
        self._answers.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Layers as recorded, and what the one who recorded them wants to be known."""

    about: Mapping[str, Any]
    facts: tuple[LayerFacts, ...]
    calls: tuple[tuple[Call, ...], ...] = field(repr=False)  # one tuple a layer

    @classmethod
    def of(cls, recorders: Sequence[Recorder], about: Mapping[str, Any]) -> Recording:
        """What some recorders remember."""
        return cls(
            about=about,
            facts=tuple(r.facts() for r in recorders),
            calls=tuple(tuple(r.calls) for r in recorders),
        )

    def runners(self) -> list[ReplayRunner]:
        """Fresh runners, one a layer, each at its beginning."""
        pairs = zip(self.facts, self.calls, strict=True)
        return [ReplayRunner(facts, calls) for facts, calls in pairs]

    def save(self, path: str | Path) -> Path:
        """Write a gzip-compressed JSON file; the same recording gives the same bytes.

        Raises
        ------
        RunError
            If the file cannot be written.
        """
        data = {
            "schema": RECORDING_SCHEMA,
            "about": dict(self.about),
            "layers": [
                {
                    "facts": facts_to_json(facts),
                    "calls": [call.to_json() for call in calls],
                }
                for facts, calls in zip(self.facts, self.calls, strict=True)
            ],
        }
        # escaped: output that is no UTF-8 is held as surrogates, which no file could take
        text = json.dumps(data, sort_keys=True, allow_nan=False)
        # a recording is made to be passed on: the user's name is nobody's business
        text = text.replace(json.dumps(str(Path.home()))[1:-1] + "/", "~/")
        return write_file(path, gzip.compress(text.encode("ascii"), mtime=0))

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """Read a recording.

        Raises
        ------
        RunError
            If the file is missing, damaged, of another schema or no recording.
        """
        try:
            data = json.loads(gzip.decompress(Path(path).read_bytes()))
        except FileNotFoundError as error:
            raise RunError(f"there is no {path}", remedy="check the path") from error
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise RunError(f"{path} is damaged or no recording: {error}", remedy=_REMEDY) from error
        schema = data.get("schema") if isinstance(data, dict) else None
        if schema != RECORDING_SCHEMA:
            raise RunError(
                f"{path} has schema {schema!r}, this nestkit reads {RECORDING_SCHEMA}",
                remedy="upgrade nestkit to read it",
            )
        try:
            return cls(
                about=dict(data["about"]),
                facts=tuple(facts_from_json(item["facts"]) for item in data["layers"]),
                calls=tuple(tuple(map(Call.from_json, item["calls"])) for item in data["layers"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"{path} is no whole recording: {error}", remedy=_REMEDY) from error
