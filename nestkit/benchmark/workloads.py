"""What is measured: each workload is data, an argument list and a parser."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Final

from nestkit.benchmark.parsers import (
    Reading,
    parse_fio_read,
    parse_fio_write,
    parse_iperf3,
    parse_probe,
    parse_sysbench_cpu,
    parse_sysbench_memory,
)
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

    ``serve`` set: measured between a layer and the one just outside it. ``serve`` is run in the
    layer, returns at once and leaves a server; ``argv`` is run in the layer outside.
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
    needs_cpus: int = 1
    is_disk: bool = False  # its figures may come from a cache: judged with suspicion
    serve: tuple[str, ...] = ()

    def measured_in(self, layers: Iterable[LayerFacts]) -> list[LayerFacts]:
        """Those of some layers that it is measured in: all, or those with another just outside."""
        found = list(layers)
        depths = {layer.depth for layer in found}
        return [layer for layer in found if not self.serve or layer.depth - 1 in depths]


def _arithmetic(effort: Effort) -> tuple[str, ...]:
    # sysbench takes whole seconds only: a count of events makes shorter samples possible
    count = f"--events={effort.operations}"
    return ("sysbench", "cpu", "--cpu-max-prime=20000", "--threads=1", "--time=0", count, "run")


def _memory_bandwidth(effort: Effort) -> tuple[str, ...]:
    size = f"--memory-total-size={effort.operations}M"
    return ("sysbench", "memory", "--memory-block-size=1M", size, "--threads=1", "--time=0", "run")


def _probe(*what: str) -> Callable[[Effort], tuple[str, ...]]:
    return lambda effort: ("nestkit-probe", *what, "--seconds", f"{effort.sample_s:g}")


def _disk(mode: str, depth: int) -> Callable[[Effort], tuple[str, ...]]:
    """``fio`` on the layer's scratch disk, around the guest's page cache.

    The disk named in the layer's facts is scratch by contract: writing destroys what is on it.
    """

    def argv(effort: Effort) -> tuple[str, ...]:
        return (
            "fio",
            "--name=disk",
            f"--filename={effort.facts.extra['disk']}",
            *(["--readonly"] if mode == "randread" else []),
            f"--rw={mode}",
            "--bs=4k",
            f"--iodepth={depth}",
            f"--ioengine={'psync' if depth == 1 else 'libaio'}",
            "--direct=1",
            "--thread",
            f"--runtime={round(effort.sample_s * 1000)}ms",
            "--time_based",
            "--output-format=json",
        )

    return argv


def _network(effort: Effort) -> tuple[str, ...]:
    # iperf3 takes whole seconds only; the first, in which the connection finds its pace, is left
    # out. One congestion control everywhere: the machine's own choice may be another than Linux's
    seconds = max(1, ceil(effort.sample_s))
    client = ("iperf3", "-c", "127.0.0.1", "-p", "{port}", "-C", "reno", "-i", "0", "-J")
    link = ("nestkit-link", effort.facts.extra["path:link"], str(IPERF_PORT))
    return (*link, *client, "-O", "1", "-t", str(seconds))


def _nanoseconds(name: str, title: str, metric: str, why: str, *what: str) -> Workload:
    """A workload of the lab's own probe."""
    return Workload(
        name=name,
        title=title,
        metric=metric,
        unit="ns",
        direction="lower",
        why=why,
        program="nestkit-probe",
        argv=_probe(*what),
        parse=parse_probe,
        needs_cpus=2 if "across" in what else 1,
    )


def _disk_workload(mode: str, depth: int, why: str) -> Workload:
    kind = "read" if mode == "randread" else "write"
    return Workload(
        name=f"disk-{kind}" if depth == 1 else f"disk-{kind}-{depth}",
        title=f"Disk {kind}, 4 KiB, depth {depth}",
        metric=f"{kind}s per second",
        unit="1/s",
        direction="higher",
        why=why,
        program="fio",
        argv=_disk(mode, depth),
        parse=parse_fio_read if kind == "read" else parse_fio_write,
        needs=("disk",),
        is_disk=True,
    )


IPERF_PORT: Final = 5201  # in the guest, which nothing but its link reaches
_REQUEST: Final = "a kick and an interrupt for each request, each an exit in every layer"
_QUEUE: Final = "32 requests at once share their kicks and interrupts: fewer exits for each"
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
    _nanoseconds(
        "system-call",
        "System call (getppid)",
        "time per system call",
        "stays between the guest's programs and the guest's kernel: no hypervisor takes part",
        "syscall",
    ),
    _nanoseconds(
        "exit",
        "Exit (CPUID)",
        "time per CPUID",
        "every one leaves the guest; an L2 exit is reflected L0 → L1 → L0 → L2",
        "exit",
    ),
    _nanoseconds(
        "first-touch",
        "First touch of a page",
        "time per 4 KiB page",
        "a page fault, whose walk is two-dimensional; an exit where a hypervisor must back the "
        "page or, without nested paging, shadow its mapping",
        *("touch", "first"),
    ),
    _nanoseconds(
        "second-touch",
        "Second touch of a page",
        "time per 4 KiB page",
        "the page is there: only the walk through the page tables is left, the control",
        *("touch", "second"),
    ),
    _nanoseconds(
        "memory-latency",
        "Memory, random walk",
        "time per access",
        "64 MiB at random: nearly each access walks the page tables, in two dimensions in a guest",
        "memory",
    ),
    Workload(
        name="memory-bandwidth",
        title="Memory bandwidth",
        metric="MiB written per second",
        unit="MiB/s",
        direction="higher",
        why="one block in turn: few page table walks and no exits, a control",
        program="sysbench",
        argv=_memory_bandwidth,
        parse=parse_sysbench_memory,
        first_operations=200,
    ),
    _nanoseconds(
        "wake-up",
        "Wake-up, same CPU",
        "time per wake-up",
        "two switches of processes for each exchange: exits only where the timer is set anew",
        *("wakeup", "same"),
    ),
    _nanoseconds(
        "wake-up-across",
        "Wake-up, across CPUs",
        "time per wake-up",
        "an interrupt from one CPU to another, and a halted CPU: exits at both ends",
        *("wakeup", "across"),
    ),
    _disk_workload("randread", 1, _REQUEST),
    _disk_workload("randread", 32, _QUEUE),
    _disk_workload("randwrite", 1, _REQUEST),
    _disk_workload("randwrite", 32, _QUEUE),
    Workload(
        name="network",
        title="Network, from the layer outside",
        metric="bits received per second",
        unit="bit/s",
        direction="higher",
        why="a kick or an interrupt for each few frames, each an exit in every layer; through "
        "virtio-net, the hypervisor's process and a user-mode network stack (libslirp) in the "
        "layer outside: the same path at each layer, without offloads",
        program="iperf3",
        argv=_network,
        parse=partial(parse_iperf3, cpu_of="remote"),
        needs=("path:link",),
        serve=("nestkit-serve", str(IPERF_PORT), "iperf3", "-s", "-1", "-p", str(IPERF_PORT)),
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


QUICK: Final = (
    "arithmetic", "system-call", "exit", "first-touch", "wake-up", "disk-read", "network"
)  # fmt: skip
SUITES: Final = {
    suite.name: suite
    for suite in (
        Suite(name="quick", rounds=10, sample_s=0.3, workloads=QUICK),
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
