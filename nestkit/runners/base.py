"""Run a program inside a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from nestkit.facts import NOT_READ, Fact

Acceleration = Literal["none", "kvm", "tcg", "hyper-v", "esxi"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """What a program did.

    ``host_t0`` and ``host_t1`` are the controller's monotonic clock in seconds, ``rtt_s`` the
    round trip of an empty command, to be taken off their difference.
    """

    rc: int
    stdout: str
    stderr: str
    host_t0: float
    host_t1: float
    rtt_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFacts:
    """What a layer says of itself, and how it was reached."""

    layer: str  # "L0", "L1", …
    depth: int  # hypervisors between the program and the machine nestkit runs on
    stack: str  # outermost first: "TCG > KVM"
    acceleration: Acceleration  # how this layer's own CPU is provided
    emulated: bool  # an emulator (TCG) stands somewhere below this layer
    cpu_model: Fact[str] = NOT_READ
    cpu_count: Fact[int] = NOT_READ
    memory_mib: Fact[int] = NOT_READ
    kernel: Fact[str] = NOT_READ
    microcode: Fact[str] = NOT_READ
    clock_source: Fact[str] = NOT_READ
    mitigations: Fact[str] = NOT_READ
    huge_pages: Fact[str] = NOT_READ
    governor: Fact[str] = NOT_READ
    hypervisor_leaves: Fact[tuple[str, ...]] = NOT_READ  # CPUID 0x40000000 + k * 0x100
    extra: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Runner(Protocol):
    """A layer that programs can be run in."""

    @property
    def layer(self) -> str:
        """Which layer: "L0", "L1", …"""

    @property
    def os(self) -> Literal["linux", "windows"]:
        """The layer's operating system."""

    def run(
        self, argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None
    ) -> ExecResult:
        """Run a program to its end; its exit status is data, a missed deadline is an error."""

    def put(self, src: Path, dst: str) -> None:
        """Copy a file into the layer."""

    def get(self, src: str, dst: Path) -> None:
        """Copy a file out of the layer."""

    def facts(self) -> LayerFacts:
        """Facts of this layer."""

    def close(self) -> None:
        """Let go of the layer. Safe to call twice."""
