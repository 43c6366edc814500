"""The same layer twice: what a comparison says of two layers that do not differ (an A/A test)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from nestkit.runners.base import ExecResult, LayerFacts, Runner


class Renamed:
    """A runner under another layer's name; everything else is passed on."""

    def __init__(self, runner: Runner, layer: str) -> None:
        self._runner = runner
        self._layer = layer

    @property
    def layer(self) -> str:
        """The name given."""
        return self._layer

    @property
    def os(self) -> Literal["linux", "windows"]:
        """The layer's operating system."""
        return self._runner.os

    def run(
        self, argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None
    ) -> ExecResult:
        """Run a program in the layer."""
        return self._runner.run(argv, timeout=timeout, env=env)

    def put(self, src: Path, dst: str) -> None:
        """Copy a file into the layer."""
        self._runner.put(src, dst)

    def get(self, src: str, dst: Path) -> None:
        """Copy a file out of the layer."""
        self._runner.get(src, dst)

    def facts(self) -> LayerFacts:
        """Facts of the layer, under the name given."""
        return replace(self._runner.facts(), layer=self._layer)

    def close(self) -> None:
        """Let go of the layer. Safe to call twice."""
        self._runner.close()


def as_twins(runner: Runner) -> list[Runner]:
    """One layer as two, to be compared with itself: "L0" gives "L0 A" and "L0 B".

    Whatever a run of both calls a difference is a false alarm.
    """
    return [Renamed(runner, f"{runner.layer} {letter}") for letter in "AB"]
