"""Taking a run: rounds in which every layer takes its turn, in seeded random order."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Final

from nestkit.benchmark import hygiene
from nestkit.benchmark.parsers import Reading, shorten
from nestkit.benchmark.provenance import (
    base_is_virtual,
    describe,
    env_id,
    not_comparable,
    program_hash,
    run_notes,
)
from nestkit.benchmark.runfile import Run, Status
from nestkit.benchmark.samples import Sample
from nestkit.benchmark.workloads import (
    WORKLOADS,
    Effort,
    Suite,
    Workload,
    find_suite,
    find_workload,
)
from nestkit.errors import NestkitError, RunError
from nestkit.runners.base import LayerFacts, Runner

Progress = Callable[[str, int, int, float], None]  # message, done, total, seconds left
Cancel = Callable[[], bool]

TIMEOUT_S: Final = 60.0  # for one command in the outermost layer; deeper ones get more
CANARY: Final = WORKLOADS["arithmetic"]
CANARY_S: Final = 0.1
_INSTALL: Final = (
    "install the tool in that layer, or choose other workloads; the layers of a lab have them all"
)
_OVERHEAD_S: Final = 0.4  # of one sample beside its own time, before anything is known


class RunCutShort(RunError):
    """A layer failed in the middle of a run; ``partial`` holds what was measured until then."""

    def __init__(self, message: str, *, remedy: str, partial: Run) -> None:
        super().__init__(message, remedy=remedy)
        self.partial = partial


class _Stop(Exception):
    def __init__(self, status: Status) -> None:
        self.status: Status = status


@dataclass(slots=True)
class _Layer:
    """A layer while it is measured."""

    runner: Runner
    facts: LayerFacts
    clock: hygiene.ClockWatch = field(default_factory=hygiene.ClockWatch)
    hashes: dict[str, str] = field(default_factory=dict)
    operations: dict[str, int] = field(default_factory=dict)
    env_id: str = ""

    @property
    def timeout(self) -> float:
        return TIMEOUT_S * (1 + self.facts.depth)


def run(
    layers: Sequence[Runner],
    suite: str = "quick",
    *,
    rounds: int | None = None,
    seed: int | None = None,
    workloads: Sequence[str] | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    time_budget_s: float | None = None,
) -> Run:
    """Measure what each layer costs.

    Each round runs every workload once in every layer, in an order drawn from ``seed``. The
    number of rounds is fixed beforehand. Warm-ups are kept and not counted.

    Parameters
    ----------
    layers
        Runners, one a layer, as in ``lab.layers``.
    suite
        "quick" (10 rounds of 0.3 s samples) or "full" (30 rounds of 0.5 s samples).
    rounds, workloads
        Others than the suite's. What a layer has no tool or disk for is left out with a note,
        unless it was asked for here.
    seed
        Of the order; drawn and kept in the run where none is given.
    progress
        Called with a message, samples done, samples in all, and the estimated seconds left;
        first before anything is measured.
    cancel
        Asked before each sample; True ends the run, which stays usable. So does Ctrl-C.
    time_budget_s
        Seconds after which no further sample is started; what lacks rounds is marked.

    Raises
    ------
    RunError
        If there is nothing to measure, or a layer lacks the tool of a workload asked for by
        name; :class:`RunCutShort`, with the samples so far, if something fails in the middle.
    """
    plan = find_suite(suite)
    names = tuple(plan.workloads if workloads is None else workloads)
    chosen = [find_workload(name) for name in dict.fromkeys(names)]
    count = plan.rounds if rounds is None else rounds
    if not layers or not chosen:
        raise RunError(
            "there is nothing to measure: no layers or no workloads",
            remedy="pass the layers of a lab, `lab.layers`, and at least one workload",
        )
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise RunError(f"{count!r} rounds cannot be run", remedy="use a whole number from 1 on")
    if time_budget_s is not None and not time_budget_s > 0:
        raise RunError(f"a time budget of {time_budget_s!r} s is none", remedy="use seconds > 0")
    chosen_seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    session = _Session(
        layers,
        plan,
        chosen,
        count,
        chosen_seed,
        progress,
        cancel,
        time_budget_s,
        insist=workloads is not None,
    )
    return session.take()


def _lacks(layer: _Layer, workload: Workload) -> list[str]:
    name = layer.facts.layer
    lacking = [
        f"{name} has no {need}" for need in workload.needs if not layer.facts.extra.get(need)
    ]
    if workload.program not in layer.hashes:
        lacking.append(f"{name} has no {workload.program}")
    return lacking


class _Session:
    """One run being taken."""

    def __init__(
        self,
        layers: Sequence[Runner],
        suite: Suite,
        workloads: list[Workload],
        rounds: int,
        seed: int,
        progress: Progress | None,
        cancel: Cancel | None,
        time_budget_s: float | None,
        *,
        insist: bool,
    ) -> None:
        self.layers = [_Layer(runner, runner.facts()) for runner in layers]
        names = [layer.facts.layer for layer in self.layers]
        if len(set(names)) < len(names):
            raise RunError(
                f"two layers have one name: {', '.join(names)}", remedy="pass each layer once"
            )
        self.layers.sort(key=lambda layer: layer.facts.depth)
        self.suite = suite
        self.workloads = workloads
        self.insist = insist  # these workloads were asked for by name
        self.rounds = rounds
        self.seed = seed
        self.progress = progress
        self.cancel = cancel
        self.deadline = None if time_budget_s is None else time.monotonic() + time_budget_s
        self.samples: list[Sample] = []
        self.notes: list[str] = run_notes([layer.facts for layer in self.layers])
        self.provenance = describe(
            sample_s=suite.sample_s, base_is_virtual=base_is_virtual(self.layers[0].facts)
        )
        stamp = self.provenance["date_utc"].replace("-", "").replace(":", "")
        self.run_id = f"{stamp}-{seed & 0xFFFFFFFF:08x}"
        self.skipped: set[str] = set()
        self.total = (rounds + 1) * len(workloads) * len(self.layers)
        self.done = 0
        self.cost_s: dict[tuple[str, str], float] = {}
        self.canary_operations = CANARY.first_operations

    # ------------------------------------------------------------------ the course of a run

    def take(self) -> Run:
        status: Status = "complete"
        try:
            self.tell("looking at the tools")
            self.identify_tools()
            self.warm_up()
            self.measure()
        except _Stop as stop:
            status = stop.status
        except KeyboardInterrupt:
            status = "cancelled"
        except NestkitError as error:
            if not self.samples:
                raise
            raise RunCutShort(
                error.message, remedy=error.remedy, partial=self.finish("failed")
            ) from error
        return self.finish(status)

    def identify_tools(self) -> None:
        """Hash each tool in each layer; leave out what some layer has no tool or disk for."""
        for layer in self.layers:
            for program in sorted({CANARY.program, *(w.program for w in self.workloads)}):
                self.check_stop()
                digest = program_hash(layer.runner, program, layer.facts, layer.timeout)
                if digest is not None:
                    layer.hashes[program] = digest
            layer.env_id = env_id(layer.facts, layer.hashes)
        for workload in self.workloads:
            if lacking := [text for layer in self.layers for text in _lacks(layer, workload)]:
                self.skipped.add(workload.name)
                self.notes.append(f"{workload.name} was not measured: {', '.join(lacking)}")
                if self.insist:
                    raise RunError(self.notes[-1], remedy=_INSTALL)
        if not self.active or CANARY.program not in self.layers[0].hashes:
            raise RunError(
                "nothing can be measured: "
                + "; ".join(self.notes or [f"{self.layers[0].facts.layer} has no sysbench"]),
                remedy=_INSTALL,
            )
        self.provenance["tools"] = {layer.facts.layer: layer.hashes for layer in self.layers}
        self.total = (self.rounds + 1) * len(self.active) * len(self.layers)

    @property
    def active(self) -> list[Workload]:
        return [w for w in self.workloads if w.name not in self.skipped]

    def warm_up(self) -> None:
        base = self.layers[0]
        reading = self.calibrate(base, CANARY, CANARY_S)
        self.canary_operations = max(1, round(reading.operations * CANARY_S / reading.elapsed_s))
        for workload in self.active:
            for layer in self.layers:
                self.check_stop()
                self.tell(f"warm-up: {workload.title} in {layer.facts.layer}")
                if workload.first_operations:
                    reading = self.calibrate(layer, workload, self.suite.sample_s)
                    layer.operations[workload.name] = ceil(
                        reading.operations * self.suite.sample_s / reading.elapsed_s
                    )
                self.sample(0, workload, layer, canary_ns=0.0)

    def calibrate(self, layer: _Layer, workload: Workload, seconds: float) -> Reading:
        """Find a count of operations that takes long enough to scale from."""
        operations = workload.first_operations
        while True:
            reading = self.execute(layer, workload, operations, seconds)
            if reading.elapsed_s >= seconds / 4:
                return reading
            operations = max(
                2 * operations, ceil(operations * seconds / 2 / max(reading.elapsed_s, 1e-3))
            )

    def measure(self) -> None:
        order = random.Random(self.seed)  # noqa: S311  (an order, not a secret)
        for number in range(1, self.rounds + 1):
            self.check_stop()
            canary = self.execute(self.layers[0], CANARY, self.canary_operations, CANARY_S)
            canary_ns = canary.elapsed_s * 1e9 / canary.operations
            for workload in order.sample(self.active, len(self.active)):
                for layer in order.sample(self.layers, len(self.layers)):
                    self.check_stop()
                    self.tell(f"round {number}: {workload.title} in {layer.facts.layer}")
                    self.sample(number, workload, layer, canary_ns)

    def finish(self, status: Status) -> Run:
        self.tell("done" if status == "complete" else status)
        reasons = {
            w.name: not_comparable(
                w.program, {la.facts.layer: la.hashes.get(w.program, "") for la in self.layers}
            )
            for w in self.active
        }
        drifts = hygiene.canary_flags({s.round: s.canary_ns for s in self.samples if not s.warmup})
        samples = []
        for sample in self.samples:
            odd = reasons[sample.workload].get(sample.layer, "")
            parts = (odd, sample.reason, drifts.get(sample.round, ""))
            reason = "; ".join(part for part in parts if part)
            samples.append(replace(sample, valid=not odd, reason=reason))
        run = Run(
            run_id=self.run_id,
            origin=getattr(self.layers[0].runner, "origin", "measured"),
            suite=self.suite.name,
            status=status,
            seed=self.seed,
            rounds=self.rounds,
            workloads=tuple(w.name for w in self.workloads),
            layers=tuple(layer.facts for layer in self.layers),
            provenance=self.provenance,
            samples=tuple(samples),
            notes=tuple(self.notes),
        )
        if run.too_noisy:
            share = f"{len(run.flagged)} of {len(run.counted)} samples are flagged"
            run = replace(run, notes=(*run.notes, f"this machine is too noisy: {share}"))
        return run

    # ------------------------------------------------------------------ one sample

    def sample(self, number: int, workload: Workload, layer: _Layer, canary_ns: float) -> None:
        started = time.monotonic()
        base = self.layers[0]
        # an inner layer may know nothing of what is stolen from the machine below it
        below = self.look(base) if base is not layer else None
        before = self.look(layer)
        operations = layer.operations.get(workload.name, 0)
        reading = self.execute(layer, workload, operations, self.suite.sample_s)
        span = hygiene.Span(before, self.look(layer))
        steal = span.steal_frac
        if below is not None:
            steal = max(steal, hygiene.Span(below, self.look(base)).steal_frac)
        flags = hygiene.sample_flags(steal, layer.clock.error(span), reading.elapsed_s)
        facts = layer.facts
        self.samples.append(
            Sample(
                run_id=self.run_id,
                round=number,
                order=len(self.samples),
                layer=facts.layer,
                depth=facts.depth,
                stack=facts.stack,
                workload=workload.name,
                metric=workload.metric,
                unit=workload.unit,
                direction=workload.direction,
                value=reading.value,
                guest_s=round(span.guest_s, 9),
                host_s=round(span.host_s, 9),
                steal_frac=round(steal, 9),
                canary_ns=canary_ns,
                warmup=number == 0,
                valid=True,
                reason="; ".join(flags),
                env_id=layer.env_id,
            )
        )
        self.done += 1
        self.cost_s[workload.name, facts.layer] = time.monotonic() - started

    def execute(
        self, layer: _Layer, workload: Workload, operations: int, seconds: float
    ) -> Reading:
        effort = Effort(facts=layer.facts, sample_s=seconds, operations=operations)
        argv = workload.argv(effort)
        result = layer.runner.run(argv, timeout=layer.timeout + seconds)
        where = f"{workload.program} in {layer.facts.layer}"
        if result.rc != 0:
            raise RunError(
                f"{where} ended with status {result.rc}: "
                f"{shorten(result.stderr or result.stdout)!r}",
                remedy=f"run it by hand in that layer: {' '.join(argv)}",
            )
        try:
            return workload.parse(result.stdout)
        except RunError as error:
            raise RunError(f"{where}: {error.message}", remedy=error.remedy) from error

    def look(self, layer: _Layer) -> hygiene.ClockReading:
        return hygiene.parse_reading(layer.runner.run(hygiene.READ_ARGV, timeout=layer.timeout))

    # ------------------------------------------------------------------ progress

    def check_stop(self) -> None:
        if self.cancel is not None and self.cancel():
            raise _Stop("cancelled")
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise _Stop("out of time")

    def eta_s(self) -> float:
        """Seconds left: by each sample's own cost where it was taken, by a guess where not."""
        rounds_left = max(0.0, self.rounds + 1 - self.done / max(1, self.total) * (self.rounds + 1))
        guess = self.suite.sample_s + _OVERHEAD_S
        a_round = CANARY_S + sum(
            self.cost_s.get((w.name, la.facts.layer), guess * (1 + la.facts.depth))
            for w in self.active
            for la in self.layers
        )
        return rounds_left * a_round

    def tell(self, message: str) -> None:
        if self.progress is not None:
            self.progress(message, self.done, self.total, self.eta_s())
