"""Taking a run: rounds in which every layer takes its turn, in seeded random order."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from typing import Final

from nestkit.benchmark import hygiene
from nestkit.benchmark.control import Cancel, Control, Progress, Stop
from nestkit.benchmark.layers import MeasuredLayer
from nestkit.benchmark.parsers import Reading
from nestkit.benchmark.planning import Plan, make_plan
from nestkit.benchmark.provenance import (
    base_is_virtual,
    describe,
    env_id,
    not_comparable,
    program_hash,
    run_notes,
    shareable,
)
from nestkit.benchmark.runfile import Run, Status
from nestkit.benchmark.samples import Sample
from nestkit.benchmark.workloads import WORKLOADS, Workload
from nestkit.errors import DeadlineExceeded, NestkitError, RunError
from nestkit.runners.base import Runner

CANARY: Final = WORKLOADS["arithmetic"]
CANARY_S: Final = 0.1
_INSTALL: Final = (
    "install the tool in that layer, or choose other workloads; the layers of a lab have them all"
)
_LATE_AT_MOST: Final = 1  # samples of a workload that may not end in time, before it is given up
_OVERHEAD_S: Final = 0.4  # of one sample beside its own time, before anything is known


class RunCutShort(RunError):
    """A layer failed in the middle of a run; ``partial`` holds what was measured until then."""

    def __init__(self, message: str, *, remedy: str, partial: Run) -> None:
        super().__init__(message, remedy=remedy)
        self.partial = partial


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
    sample_s: float | None = None,
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
    rounds, workloads, sample_s
        Others than the suite's; samples last at least 0.1 s. What a layer has no tool, disk or
        second CPU for is left out with a note, unless it was asked for here.
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
    if isinstance(layers, str) or not isinstance(layers, Sequence):
        raise RunError(
            f"layers is a list of runners, not a {type(layers).__name__}",
            remedy="pass the layers of a lab, lab.layers, or [nk.runners.LocalRunner()]",
        )
    if not layers:
        raise RunError(
            "there is nothing to measure: no layers", remedy="pass the layers of a lab, lab.layers"
        )
    plan = make_plan(suite, rounds=rounds, seed=seed, workloads=workloads, sample_s=sample_s)
    return take(layers, plan, Control.of(progress, cancel, time_budget_s))


def take(layers: Sequence[Runner], plan: Plan, control: Control) -> Run:
    """Take what is planned; see :func:`run`."""
    return _Session(layers, plan, control).take()


class _Session:
    """One run being taken."""

    def __init__(self, layers: Sequence[Runner], plan: Plan, control: Control) -> None:
        self.layers = [MeasuredLayer(runner, runner.facts()) for runner in layers]
        names = [layer.name for layer in self.layers]
        if len(set(names)) < len(names):
            raise RunError(
                f"two layers have one name: {', '.join(names)}", remedy="pass each layer once"
            )
        self.layers.sort(key=lambda layer: layer.facts.depth)
        self.base = self.layers[0]
        by_depth = {layer.facts.depth: layer for layer in self.layers}
        for layer in self.layers:
            layer.outside = by_depth.get(layer.facts.depth - 1)
        self.plan = plan
        self.control = control
        self.active = list(plan.workloads)
        self.samples: list[Sample] = []
        self.notes: list[str] = run_notes([layer.facts for layer in self.layers])
        self.provenance = describe(
            sample_s=plan.sample_s, base_is_virtual=base_is_virtual(self.base.facts)
        )
        stamp = self.provenance["date_utc"].replace("-", "").replace(":", "")
        self.run_id = f"{stamp}-{plan.seed & 0xFFFFFFFF:08x}"
        self.cost_s: dict[tuple[str, str], float] = {}
        self.canary_operations = 0
        self.late: Counter[str] = Counter()  # samples that did not end in time, by workload

    # ------------------------------------------------------------------ the course of a run

    def take(self) -> Run:
        status: Status = "complete"
        try:
            self.tell("looking at the tools")
            self.identify_tools()
            self.warm_up()
            self.measure()
        except Stop as stop:
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
            for program in sorted({CANARY.program, *(w.program for w in self.active)}):
                self.control.check()
                digest = program_hash(layer.runner, program, layer.facts, layer.timeout)
                if digest is not None:
                    layer.hashes[program] = digest
            layer.env_id = env_id(layer.facts, layer.hashes)
        self.provenance["tools"] = {layer.name: layer.hashes for layer in self.layers}
        for workload in self.plan.workloads:
            taking = self.taking(workload)
            lacking = [text for layer in taking for text in layer.lacks(workload)]
            if not taking:
                lacking = ["there is no layer with another just outside it"]
            if lacking:
                note = f"{workload.name} was not measured: {', '.join(lacking)}"
                if self.plan.insist:
                    raise RunError(note, remedy=_INSTALL)
                self.active.remove(workload)
                self.notes.append(note)
        if not self.active or CANARY.program not in self.base.hashes:
            raise RunError(
                f"nothing can be measured: {self.base.name} has no {CANARY.program}"
                if self.active
                else f"nothing can be measured: {'; '.join(self.notes)}",
                remedy=_INSTALL,
            )

    def warm_up(self) -> None:
        seconds = self.plan.sample_s
        self.canary_operations = self.base.calibrate(CANARY, CANARY_S)
        for workload in tuple(self.active):
            try:
                for layer in self.taking(workload):
                    self.control.check()
                    self.tell(f"warm-up: {workload.title} in {layer.name}")
                    count = layer.calibrate(workload, seconds) if workload.first_operations else 0
                    layer.operations[workload.name] = count
                    reading = self.sample(0, workload, layer, canary_ns=0.0)
                    # a machine that was busy a moment ago would make all samples too short
                    count = max(count, ceil(count * seconds / reading.elapsed_s))
                    layer.operations[workload.name] = count
            except DeadlineExceeded as error:
                layer.look()  # raises where more than this workload hangs
                self.active.remove(workload)
                self.notes.append(f"{workload.name} was not measured: {error.message}")
        if not self.active:
            raise RunError(
                f"nothing can be measured: {'; '.join(self.notes)}",
                remedy="give the machine less to do beside it, or measure fewer layers",
            )

    def measure(self) -> None:
        order = random.Random(self.plan.seed)  # noqa: S311  (an order, not a secret)
        for number in range(1, self.plan.rounds + 1):
            self.control.check()
            canary = self.base.execute(CANARY, self.canary_operations, CANARY_S)
            canary_ns = canary.elapsed_s * 1e9 / canary.operations
            for workload in order.sample(self.active, len(self.active)):
                taking = self.taking(workload)
                for layer in order.sample(taking, len(taking)):
                    if self.late[workload.name] > _LATE_AT_MOST:
                        continue
                    self.control.check()
                    self.tell(f"round {number}: {workload.title} in {layer.name}")
                    try:
                        self.sample(number, workload, layer, canary_ns)
                    except DeadlineExceeded as error:
                        layer.look()  # raises where more than this workload hangs
                        self.late[workload.name] += 1
                        self.notes.append(f"{workload.name}, round {number}: {error.message}")
                        if self.late[workload.name] > _LATE_AT_MOST:
                            self.notes.append(f"{workload.name}: no more of it was taken")

    def finish(self, status: Status) -> Run:
        self.tell("done" if status == "complete" else status)
        odd = {}
        for workload in self.active:
            hashes = {la.name: la.hashes.get(workload.program, "") for la in self.layers}
            reasons = not_comparable(workload.program, hashes)
            for layer in self.taking(workload):
                ends = (layer, layer.outside) if workload.serve else (layer,)
                for end in ends:
                    if end and end.name in reasons:
                        odd[workload.name, layer.name] = reasons[end.name]
        run = Run(
            run_id=self.run_id,
            origin=getattr(self.base.runner, "origin", "measured"),
            suite=self.plan.suite.name,
            status=status,
            seed=self.plan.seed,
            rounds=self.plan.rounds,
            workloads=tuple(w.name for w in self.plan.workloads),
            layers=tuple(shareable(layer.facts) for layer in self.layers),
            provenance=self.provenance,
            samples=hygiene.flag_samples(self.samples, odd),
            notes=tuple(self.notes),
        )
        if run.too_noisy:
            share = f"{len(run.flagged)} of {len(run.counted)} samples are flagged"
            run = replace(run, notes=(*run.notes, f"this machine is too noisy: {share}"))
        return run

    def taking(self, workload: Workload) -> list[MeasuredLayer]:
        """The layers that a workload is measured in."""
        chosen = {facts.layer for facts in workload.measured_in(la.facts for la in self.layers)}
        return [layer for layer in self.layers if layer.name in chosen]

    # ------------------------------------------------------------------ one sample

    def sample(
        self, number: int, workload: Workload, layer: MeasuredLayer, canary_ns: float
    ) -> Reading:
        started = time.monotonic()
        below = self.base.look() if self.base is not layer else None
        before = layer.look()
        operations = layer.operations[workload.name]
        reading = layer.execute(workload, operations, self.plan.sample_s)
        span = hygiene.Span(before, layer.look())
        spans = [span] if below is None else [span, hygiene.Span(below, self.base.look())]
        flags = hygiene.sample_flags(spans, layer.clock.error(span), reading.elapsed_s)
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
                steal_frac=round(max(s.steal_frac for s in spans), 9),
                canary_ns=canary_ns,
                warmup=number == 0,
                valid=True,
                reason="; ".join(flags),
                env_id=layer.env_id,
                cpu_percent=reading.cpu_percent,
            )
        )
        self.cost_s[workload.name, facts.layer] = time.monotonic() - started
        return reading

    # ------------------------------------------------------------------ progress

    @property
    def total(self) -> int:
        return (self.plan.rounds + 1) * sum(len(self.taking(w)) for w in self.active)

    def eta_s(self) -> float:
        """Seconds left: by each sample's own cost where it was taken, by a guess where not."""
        guess = self.plan.sample_s + _OVERHEAD_S
        a_round = CANARY_S + sum(
            self.cost_s.get((w.name, layer.name), guess * (1 + layer.facts.depth))
            for w in self.active
            for layer in self.taking(w)
        )
        left = 1 - len(self.samples) / max(1, self.total)
        return left * (self.plan.rounds + 1) * a_round

    def tell(self, message: str) -> None:
        if self.control.progress is not None:
            self.control.progress(message, len(self.samples), self.total, self.eta_s())
