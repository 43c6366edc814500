"""What is measured: each workload is data, an argument list and a parser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from nestkit.benchmark.parsers import Reading, parse_fio_read, parse_probe, parse_sysbench_cpu
from nestkit.benchmark.samples import Direction
from nestkit.errors import RunError
from nestkit.runners.base import LayerFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much one sample is to do, in which layer."""

    facts: LayerFacts
    sample_s: float
    operations: int  # for tools that take a count instead of a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A program whose cost per operation is compared between layers.

    ``first_operations`` above zero: the tool is told how many operations to do, and the count
    that fills a sample is found in the warm-up.
    """

    name: str
    title: str
    metric: str
    unit: str
    direction: Direction
    why: str  # the physical reason for what a layer costs it
    program: str  # the same file, by hash, in every layer
    argv: Callable[[Effort], tuple[str, ...]]
    parse: Callable[[str], Reading]
    first_operations: int = 0
    needs: tuple[str, ...] = ()  # keys of the layer's extra facts
    is_disk: bool = False


def _arithmetic(effort: Effort) -> tuple[str, ...]:
    # sysbench takes whole seconds only: a count of events makes shorter samples possible
    count = f"--events={effort.operations}"
    return ("sysbench", "cpu", "--cpu-max-prime=20000", "--threads=1", "--time=0", count, "run")


def _exit(effort: Effort) -> tuple[str, ...]:
    return ("nestkit-probe", "exit", "--seconds", f"{effort.sample_s:g}")


def _disk_read(effort: Effort) -> tuple[str, ...]:
    return (
        "fio",
        "--name=disk",
        f"--filename={effort.facts.extra['disk']}",
        "--readonly",
        "--rw=randread",
        "--bs=4k",
        "--iodepth=1",
        "--ioengine=psync",
        "--direct=1",
        "--thread",
        f"--runtime={round(effort.sample_s * 1000)}ms",
        "--time_based",
        "--output-format=json",
    )


_ALL: Final = (
    Workload(
        name="arithmetic",
        title="Arithmetic",
        metric="events per second",
        unit="1/s",
        direction="higher",
        why="never leaves the guest: with hardware virtualization about 1.0×, the control",
        program="sysbench",
        argv=_arithmetic,
        parse=parse_sysbench_cpu,
        first_operations=20,
    ),
    Workload(
        name="exit",
        title="Exit (CPUID)",
        metric="time per CPUID",
        unit="ns",
        direction="lower",
        why="every one leaves the guest; an L2 exit is reflected L0 → L1 → L0 → L2",
        program="nestkit-probe",
        argv=_exit,
        parse=parse_probe,
    ),
    Workload(
        name="disk-read",
        title="Disk read, 4 KiB, depth 1",
        metric="reads per second",
        unit="1/s",
        direction="higher",
        why="a kick and an interrupt for each request, each an exit in every layer",
        program="fio",
        argv=_disk_read,
        parse=parse_fio_read,
        needs=("disk",),
        is_disk=True,
    ),
)
WORKLOADS: Final = {workload.name: workload for workload in _ALL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A fixed number of rounds over fixed workloads."""

    name: str
    rounds: int
    sample_s: float
    workloads: tuple[str, ...]


SUITES: Final = {
    suite.name: suite
    for suite in (
        Suite(name="quick", rounds=10, sample_s=0.3, workloads=tuple(WORKLOADS)),
        Suite(name="full", rounds=30, sample_s=0.5, workloads=tuple(WORKLOADS)),
    )
}


def find_suite(name: str) -> Suite:
    """The suite of that name; RunError names those there are."""
    if name not in SUITES:
        raise RunError(f"there is no suite {name!r}", remedy=f"use one of {', '.join(SUITES)}")
    return SUITES[name]


def find_workload(name: str) -> Workload:
    """The workload of that name; RunError names those there are."""
    if name not in WORKLOADS:
        raise RunError(
            f"there is no workload {name!r}", remedy=f"use one of {', '.join(WORKLOADS)}"
        )
    return WORKLOADS[name]
