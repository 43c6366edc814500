"""Runs recorded with every word the tools said, and played back through the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

from nestkit.benchmark.control import Cancel, Control, Progress
from nestkit.benchmark.planning import make_plan
from nestkit.benchmark.rounds import run, take
from nestkit.benchmark.runfile import Run
from nestkit.benchmark.samples import sample_to_json
from nestkit.errors import RunError
from nestkit.runners.base import Runner
from nestkit.runners.replay import Recorder, Recording


def record(layers: Sequence[Runner], suite: str = "quick", **options: Any) -> tuple[Run, Recording]:
    """Take a run as :func:`~nestkit.benchmark.run` does, and keep what the tools said."""
    recorders = [Recorder(layer) for layer in layers]
    taken = run(recorders, suite, **options)
    about = {
        "run_id": taken.run_id,
        "suite": taken.suite,
        "rounds": taken.rounds,
        "seed": taken.seed,
        "workloads": list(taken.workloads),
        "provenance": dict(taken.provenance),
        "run_schema": taken.schema,
        "sample_s": taken.provenance["sample_s"],
    }
    return taken, Recording.of(recorders, about)


def replay(
    path: str | Path, *, progress: Progress | None = None, cancel: Cancel | None = None
) -> Run:
    """Play a recording back: the same samples, flags and figures, with origin "recorded".

    Raises
    ------
    RunError
        If the file is no recording, or does not hold a whole run.
    """
    recording = Recording.load(path)
    about = recording.about
    try:
        plan = make_plan(
            about["suite"],
            rounds=about["rounds"],
            seed=about["seed"],
            workloads=about["workloads"],
            sample_s=about.get("sample_s"),
        )
        # what was left out then is left out again
        plan = changed(plan, insist=False)
        control = Control(progress=progress, cancel=cancel, deadline=None)
        played = take(recording.runners(), plan, control)
        run_id, provenance = str(about["run_id"]), dict(about["provenance"])
        schema = about.get("run_schema", 1)
    except (KeyError, TypeError) as error:
        raise RunError(
            f"{path} does not say what was run: {error}",
            remedy="record it again with nk.benchmark.record(layers)",
        ) from error
    data = played.to_json() | {
        "run_id": run_id,
        "provenance": provenance,
        "samples": [
            sample_to_json(changed(sample, run_id=run_id), schema) for sample in played.samples
        ],
        "schema": schema,
    }
    return Run.from_json(data, source=str(path))
