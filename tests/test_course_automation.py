"""Lesson 08: what may run every night passes, what does too much or nothing does not."""

from __future__ import annotations

import pytest

import nestkit as nk
from nestkit.errors import CourseError
from nestkit.plans import Step, Target


def careful(host: object, vm: str) -> None:
    plan = nk.configure.plan(host, vm)
    if not plan.is_empty:
        nk.configure.apply(plan, host)


def by_preflight(host: object, vm: str) -> None:
    if nk.preflight.check(host, vm=vm).at("fail", "warn"):
        nk.configure.apply(nk.configure.plan(host, vm), host)


def undoes_itself(host: object, vm: str) -> None:
    plan = nk.configure.plan(host, vm)
    done = nk.configure.apply(plan, host)
    nk.configure.rollback(done.journal, host, hard_power_off=True)


def only_looks(host: object, vm: str) -> None:
    nk.configure.plan(host, vm)


def mistyped(host: object, vm: str) -> None:
    nk.configure.apply(plam, host)  # noqa: F821


class Restless:
    """Ready after the first run, and switched off and on by every further one."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, host: object, vm: str) -> None:
        careful(host, vm)
        self.runs += 1
        if self.runs > 1:
            facts = host.read(vm).vms[0]
            target = Target("vm", facts.identity, facts.name)
            for op, before, after in (("power_off", "on", "off"), ("power_on", "off", "on")):
                step = Step(
                    id=op, op=op, target=target, property="power", before=before, after=after
                )
                host.perform(step, 60.0)


def gives_up(host: object, vm: str) -> None:
    raise SystemExit(3)


def asserts(host: object, vm: str) -> None:
    raise AssertionError


@pytest.mark.parametrize("answer", [careful, by_preflight])
def test_any_program_that_leaves_a_ready_vm_alone_passes(answer: object) -> None:
    assert nk.course.check("08.twice", answer).ok


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (..., "not done yet", "..."),
        (only_looks, "not done yet", "nothing has changed"),
        (undoes_itself, "not right", "still to do"),
        (Restless(), "not right", "did 2 things"),
        (mistyped, "not right", "NameError: name 'plam' is not defined"),
        (lambda host: None, "not right", "TypeError"),
        (gives_up, "not right", "ended with SystemExit: 3"),
        (asserts, "not right", "ended with AssertionError."),
        ("careful", "not right", "not a function"),
    ],
)
def test_other_answers_get_a_hint(answer: object, status: str, words: str) -> None:
    verdict = nk.course.check("08.twice", answer)
    assert verdict.status == status
    assert words in str(verdict)


@pytest.mark.parametrize("command", ["", "   ", "echo 'open"])
def test_a_job_without_a_command_is_refused_before_anything_boots(command: str) -> None:
    with pytest.raises(CourseError) as error:
        nk.course.job_in_lab(command)
    assert error.value.remedy


@pytest.mark.lab
def test_a_job_passes_output_and_status_on_and_leaves_nothing() -> None:
    from nestkit.lab import queue

    job = nk.course.job_in_lab("sh -c 'echo from inside; exit 3'", 1)
    assert (job.status, job.output.strip(), job.layer) == (3, "from inside", "L1")
    assert "failed with status 3" in str(job)
    assert not queue()
