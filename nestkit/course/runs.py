"""Runs to choose from, and parts of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nestkit.benchmark import Run
from nestkit.errors import NestkitError
from nestkit.resources import data_path
from nestkit.state import state_dir


def safe_name(text: str) -> str:
    """A text as a part of a file's name."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._")[:80] or "run"


def keep_run(run: Run) -> Path:
    """Save a run in your own state folder, where the explore page finds it; the answer is where."""
    return run.save(state_dir("runs") / f"{safe_name(run.run_id)}.json")


@dataclass(frozen=True, slots=True)
class Found:
    """Runs by label, and what was not readable: file name and error."""

    runs: Mapping[str, Run]
    broken: tuple[tuple[str, NestkitError], ...]


def find_runs() -> Found:
    """Yours, from the state folder, newest first; then the recorded ones that nestkit brings."""
    runs: dict[str, Run] = {}
    broken = []
    own = sorted(state_dir("runs").glob("*.json"), reverse=True)
    brought = sorted(data_path("runs").glob("*.json"), key=lambda path: path.stem)
    for whose, paths in (("yours", own), ("recorded", brought)):
        for path in paths:
            try:
                run = Run.load(path)
            except NestkitError as error:
                broken.append((path.name, error))
                continue
            runs[_label(whose, path, run)] = run
    return Found(runs, tuple(broken))


def _label(whose: str, path: Path, run: Run) -> str:
    date = str(run.provenance.get("date_utc", ""))[:10]
    cpu = str(run.provenance.get("host_cpu", ""))
    origin = "" if run.origin in ("measured", whose) else run.origin
    kind = "emulated" if run.emulated else ""
    return " · ".join(filter(None, [whose, path.stem, date, cpu, origin, kind]))


def as_data(value: Any) -> Any:
    """A text on one line, and one that a spreadsheet would take for a formula as text."""
    if not isinstance(value, str):
        return value
    line = " ".join(re.split(r"[\r\n\t]+", value)).lstrip()
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line


def part_of(run: Run, layers: Sequence[str], workloads: Sequence[str]) -> Run:
    """The run with these layers and workloads only; what was flagged stays flagged."""
    return replace(
        run,
        workloads=tuple(name for name in run.workloads if name in workloads),
        layers=tuple(facts for facts in run.layers if facts.layer in layers),
        samples=tuple(s for s in run.samples if s.layer in layers and s.workload in workloads),
    )
