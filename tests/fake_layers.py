"""Scripted layers for the benchmark's tests: a world with a clock, tools that print as real ones.

Each knob breaks one rule of measuring, so that a test can see whether it is noticed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nestkit.runners.base import ExecResult, LayerFacts

DATA = Path(__file__).parent / "data"
NATIVE_NS = {
    "arithmetic": 750_000.0, "system-call": 220.0, "exit": 130.0, "first-touch": 500.0,
    "second-touch": 4.0, "memory-latency": 90.0, "memory-bandwidth": 1e5, "wake-up": 2_000.0,
    "wake-up-across": 9_000.0, "disk-read": 100_000.0, "disk-read-32": 5_000.0,
    "disk-write": 120_000.0, "disk-write-32": 6_000.0, "network": 5.0,
}  # fmt: skip
PROBES = {
    ("exit",): "exit", ("syscall",): "system-call", ("memory",): "memory-latency",
    ("touch", "first"): "first-touch", ("touch", "second"): "second-touch",
    ("wakeup", "same"): "wake-up", ("wakeup", "across"): "wake-up-across",
}  # fmt: skip
HASH = "a" * 64
RTT_S = 0.001

SYSBENCH = """sysbench 1.0.20 (using system LuaJIT 2.1.0-beta3)

{figure}

General statistics:
    total time:                          {elapsed:.4f}s
    total number of events:              {events}

Latency (ms):
         sum:                                  {busy_ms:.2f}

Threads fairness:
    events (avg/stddev):           {events}.0000/0.00
    execution time (avg/stddev):   {elapsed:.4f}/0.00

"""


class World:
    """The machine that all layers share: its clock and its noise."""

    def __init__(self, seed: int = 1, noise: float = 0.01) -> None:
        self.now = 1000.0
        self.random = random.Random(seed)
        self.noise = noise
        self.servers: dict[str, FakeLayer] = {}  # that wait for one client, by their link

    def jitter(self) -> float:
        return self.random.lognormvariate(0.0, self.noise)


@dataclass
class FakeLayer:
    """A layer of a world. ``slowdown`` multiplies each workload's native time per operation."""

    world: World
    layer: str = "L0"
    depth: int = 0
    emulated: bool = False
    slowdown: Mapping[str, float] = field(default_factory=dict)
    clock_rate: float = 1.0  # of the guest's clock
    steal: float = 0.0  # part of the time that is stolen
    short: float = 1.0  # samples last this part of what was asked for
    cpu_count: int = 1
    cpus_used: str = ""  # pinned to so many
    disk: str = "/dev/vdb"
    link: str = ""  # to the layer outside, where there is one
    paths: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    broken: Callable[[Sequence[str], str], str] | None = None  # changes what a tool prints
    before: Callable[[Sequence[str]], None] | None = None  # called before each command
    commands: list[tuple[str, ...]] = field(default_factory=list)
    os = "linux"

    def __post_init__(self) -> None:
        self.guest_now = 50.0
        self.ticks = 1000.0
        self.stolen = 0.0
        self.closed = False

    def _pass(self, seconds: float) -> None:
        self.world.now += seconds

    def _guest_time(self) -> float:
        return self.guest_now + (self.world.now - 1000.0) * self.clock_rate

    def run(
        self, argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None
    ) -> ExecResult:
        argv = list(argv)
        self.commands.append(tuple(argv))
        if self.before is not None:
            self.before(argv)
        start = self.world.now
        self._pass(RTT_S / 2)
        rc, out, err = self._answer(argv)
        if self.broken is not None:
            out = self.broken(argv, out)
        self._pass(RTT_S / 2)
        return ExecResult(
            rc=rc, stdout=out, stderr=err, host_t0=start, host_t1=self.world.now, rtt_s=RTT_S
        )

    def _answer(self, argv: list[str]) -> tuple[int, str, str]:
        name = argv[0]
        if name == "which":
            known = argv[1] not in self.missing
            return (0, f"/tools/bin/{argv[1]}\n", "") if known else (1, "", "")
        if name == "sha256sum":
            program = argv[1].rpartition("/")[2]
            digest = self.hashes.get(program, HASH)
            return (0, f"{digest}  {argv[1]}\n", "") if digest else (1, "", "sha256sum: no\n")
        if name == "cat":
            total = round(1e4 + 1e5 * (self.world.now - 1000.0))
            stolen = round(total * self.steal)
            up = self._guest_time()
            return 0, f"cpu  {total - stolen} 0 0 0 0 0 0 {stolen} 0 0\n{up:.2f} 1.00\n", ""
        if name == "sysbench":
            words = dict(word.split("=") for word in argv if word.startswith("--"))
            if argv[1] == "cpu":
                events = int(words["--events"])
                ns = self._time("arithmetic")
                figure = f"CPU speed:\n    events per second: {1e9 / ns:.4f}"
            else:
                events = int(words["--memory-total-size"].removesuffix("M"))
                ns = self._time("memory-bandwidth")
                figure = f"{events}.00 MiB transferred ({1e9 / ns:.2f} MiB/sec)"
            elapsed = events * ns * self.short / 1e9
            self._pass(elapsed)
            elapsed = max(elapsed, 1e-4)
            text = SYSBENCH.format(
                figure=figure, elapsed=elapsed, events=events, busy_ms=events * ns / 1e6
            )
            return 0, text, ""
        if name == "nestkit-probe":
            ns = self._time(PROBES[tuple(argv[1:-2])])
            seconds = float(argv[-1]) * self.short
            self._pass(seconds)
            ops = max(1, round(seconds * 1e9 / ns))
            return 0, f"guest_s {ops * ns / 1e9 + 1e-6:.6f}\nops {ops}\nns_per_op {ns:.3f}\n", ""
        if name == "fio":
            words = dict(word.split("=") for word in argv if "=" in word)
            side = words["--rw"].removeprefix("rand")
            depth = "" if words["--iodepth"] == "1" else f"-{words['--iodepth']}"
            ns = self._time(f"disk-{side}{depth}")
            seconds = float(words["--runtime"].removesuffix("ms")) / 1000 * self.short
            self._pass(seconds)
            done = {"iops": 1e9 / ns, "total_ios": round(seconds * 1e9 / ns) or 1,
                    "runtime": round(seconds * 1000) or 1}  # fmt: skip
            job = {"error": 0, side: done, "usr_cpu": 1.5, "sys_cpu": 6.0}
            return 0, json.dumps({"jobs": [job]}), ""
        if name == "nestkit-serve":
            self.world.servers[f"{self.link} of {self.layer}"] = self
            return 0, "", ""
        if name == "nestkit-link":
            server = self.world.servers.pop(argv[1], None)
            if server is None:
                return 1, '{"error": "unable to connect to server: Connection refused"}', ""
            ns = server._time("network")
            seconds = float(argv[argv.index("-t") + 1]) * server.short
            self._pass(seconds + float(argv[argv.index("-O") + 1]))
            received = {"bytes": round(seconds * 1e9 / ns / 8) or 1, "seconds": seconds,
                        "bits_per_second": 1e9 / ns}  # fmt: skip
            cpu = {"host_total": 3.0, "remote_total": 42.0}
            end = {"sum_received": received, "cpu_utilization_percent": cpu}
            return 0, json.dumps({"end": end}), ""
        return 127, "", f"{name}: not found\n"

    def _time(self, workload: str) -> float:
        return NATIVE_NS[workload] * self.slowdown.get(workload, 1.0) * self.world.jitter()

    def put(self, src: Path, dst: str) -> None:
        raise NotImplementedError

    def get(self, src: str, dst: Path) -> None:
        raise NotImplementedError

    def facts(self) -> LayerFacts:
        stack = {0: "this machine", 1: "TCG", 2: "TCG > KVM"}.get(self.depth, "KVM")
        return LayerFacts(
            layer=self.layer,
            depth=self.depth,
            stack=stack if self.emulated or not self.depth else "KVM",
            acceleration="none" if not self.depth else "tcg" if self.emulated else "kvm",
            emulated=self.emulated,
            cpu_count=self.cpu_count,
            kernel="6.1.0",
            extra={
                **{k: v for k, v in (("disk", self.disk), ("cpus_used", self.cpus_used)) if v},
                **(
                    {"path:link": f"{self.link} of {self.layer}"}
                    if self.depth and self.link
                    else {}
                ),
                **self.paths,
            },
        )

    def close(self) -> None:
        self.closed = True


def emulated_lab(seed: int = 1, **knobs: object) -> list[FakeLayer]:
    """L0, L1 and L2 as an emulated lab shows itself: CPUID cheap in L1, dear in L2."""
    world = World(seed)
    costs = ({}, {"arithmetic": 12.0, "exit": 2.0, "disk-read": 3.0},
             {"arithmetic": 12.6, "exit": 60.0, "disk-read": 9.0})  # fmt: skip
    return [
        FakeLayer(world, f"L{i}", i, emulated=i > 0, slowdown=cost, **knobs)  # type: ignore[arg-type]
        for i, cost in enumerate(costs)
    ]
