"""What a run is to take: fixed before the first sample, and not changed by what they say."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from nestkit.benchmark.hygiene import MIN_SAMPLE_S
from nestkit.benchmark.workloads import Suite, Workload, find_suite, find_workload
from nestkit.errors import RunError


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be taken."""

    suite: Suite
    sample_s: float
    workloads: tuple[Workload, ...]
    rounds: int
    seed: int
    insist: bool  # the workloads were asked for by name: none is left out


def make_plan(
    suite: str,
    *,
    rounds: int | None,
    seed: int | None,
    workloads: Sequence[str] | None,
    sample_s: float | None,
) -> Plan:
    """A plan from what was asked for; None takes the suite's, and draws the seed.

    Raises
    ------
    RunError
        If there is no such suite or workload, none at all, or a number makes no sense.
    """
    found = find_suite(suite)
    if isinstance(workloads, str):
        raise RunError(
            f"workloads is a list of names, not {workloads!r}",
            remedy=f"use workloads=[{workloads!r}]",
        )
    names = found.workloads if workloads is None else tuple(workloads)
    chosen = tuple(find_workload(name) for name in dict.fromkeys(names))
    count = found.rounds if rounds is None else rounds
    if not chosen:
        raise RunError(
            "there is nothing to measure: no workloads", remedy="name at least one workload"
        )
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise RunError(f"{count!r} rounds cannot be run", remedy="use a whole number from 1 on")
    if seed is not None and type(seed) is not int:
        raise RunError(
            f"a seed is a whole number, not {seed!r}", remedy="use seed=7, or leave it out"
        )
    is_number = type(sample_s) in (int, float)
    if sample_s is not None and not (is_number and MIN_SAMPLE_S <= sample_s <= 60):
        raise RunError(f"samples of {sample_s!r} s are none", remedy="use 0.1 to 60 seconds")
    return Plan(
        suite=found,
        sample_s=found.sample_s if sample_s is None else float(sample_s),
        workloads=chosen,
        rounds=count,
        seed=random.SystemRandom().getrandbits(32) if seed is None else seed,
        insist=workloads is not None,
    )
