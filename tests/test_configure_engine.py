"""Apply, resume, verify and rollback over a host in memory."""

from __future__ import annotations

import html
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_configure_fake import GROUP_ID, HOST_ID, VM_ID, FakeHost

from nestkit import configure, preflight
from nestkit.configure import engine
from nestkit.configure.journal import Journal
from nestkit.errors import (
    ConnectionFailed,
    CredentialsError,
    HostRefused,
    JournalError,
    NestkitError,
    NotFound,
    PlanError,
    StalePlan,
    TrustError,
)
from nestkit.plans import NestedGoal, Plan
from nestkit.wording import PRACTICE

HOSTILE = [
    "'; Stop-VM *; '",
    "$(x)",
    "`",
    "%2f",
    "a\nb",
    "</script><img onerror=x>",
    "Müller 日本",
]


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SETTLE_S", 0.0)


@pytest.fixture
def fake() -> FakeHost:
    return FakeHost()


def goal_met(host: FakeHost) -> bool:
    return configure.plan(host, "l1").is_empty and host.values[VM_ID, "power"] == "on"


def test_apply_does_every_step_in_order_and_a_second_plan_is_empty(fake, tmp_path):
    plan = configure.plan(fake, "l1")
    assert [s.property for s in plan.steps] == [
        "power", "nested_hv", "cpu", "memory", "security", "power",
    ]  # fmt: skip
    said: list[tuple[str, int, int]] = []
    done = configure.apply(
        plan, fake, accept=plan.digest, journal_dir=tmp_path, progress=lambda *a: said.append(a)
    )
    assert done.ok and done.verified and done.steps_done == tuple(s.id for s in plan.steps)
    assert [s.id for s in fake.performed] == [s.id for s in plan.steps]
    assert goal_met(fake)
    assert said[0][1:] == (0, 6) and said[-1][1:] == (6, 6)
    assert done.to_frame()["state"].tolist() == ["done"] * 6
    assert configure.verify(plan, fake).ok and configure.verify(done.journal, fake).ok


def test_rollback_takes_what_apply_returned_too(fake, tmp_path):
    before = dict(fake.values)
    done = configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)
    configure.rollback(done, fake)
    assert fake.values == before


def test_what_is_no_host_no_plan_and_no_journal_is_said_with_what_to_do(fake, tmp_path):
    plan = configure.plan(fake, "l1")
    for wrong, words in (
        (lambda: preflight.check("practice://esx"), "connected host belongs here, not a str"),
        (lambda: configure.plan("l1", fake), "connected host belongs here, not a str"),
        (lambda: configure.plan(fake, "l1", goal="nested"), "not a NestedGoal"),
        (lambda: configure.plan_new(fake, NestedGoal()), "not a CreateGoal"),
        (lambda: configure.apply("l1", fake), "plan belongs here, not a str"),
        (lambda: configure.apply(fake, plan), "plan belongs here"),
        (lambda: configure.apply(plan, None), "connected host belongs here, not a NoneType"),
        (lambda: configure.rollback(None, fake), "nothing was applied yet"),
        (lambda: configure.rollback(plan, fake), "journal belongs here, not a Plan"),
        (lambda: configure.rollback(tmp_path / "j", "esx"), "connected host belongs here"),
    ):
        with pytest.raises(NestkitError, match=words):
            wrong()
    assert not list(tmp_path.iterdir())


def test_rollback_restores_what_was_and_can_be_run_again(fake, tmp_path):
    first = fake.state()
    done = configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)
    result = configure.rollback(done.journal, fake)
    assert result.complete and len(result.undone) == 6
    assert fake.state() == first
    performed = len(fake.performed)
    again = configure.rollback(done.journal, fake)
    assert again.complete and not again.undone and len(fake.performed) == performed


def test_a_vm_that_was_off_is_off_again(tmp_path):
    fake = FakeHost(power="off")
    first = fake.state()
    plan = configure.plan(fake, "l1")
    assert [s.op for s in plan.steps][-1] == "power_on" and plan.steps[0].property != "power"
    done = configure.apply(plan, fake, journal_dir=tmp_path)
    assert configure.rollback(done.journal, fake).complete
    assert fake.state() == first


def test_a_changed_digest_is_refused(fake, tmp_path):
    plan = configure.plan(fake, "l1")
    with pytest.raises(PlanError, match="digest"):
        configure.apply(plan, fake, accept="0" * 64, journal_dir=tmp_path)
    assert not fake.performed and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("place", "value", "word"),
    [
        ((VM_ID, "nested_hv"), True, "nested_hv"),
        ((VM_ID, "power"), "off", "power"),
        ((GROUP_ID, "security"), {"promiscuous": "accept"}, "security"),
    ],
)
def test_a_stale_plan_changes_nothing_and_says_what_changed(fake, tmp_path, place, value, word):
    plan = configure.plan(fake, "l1")
    fake.values[place] = value
    with pytest.raises(StalePlan, match=word) as caught:
        configure.apply(plan, fake, journal_dir=tmp_path)
    assert "nothing was changed" in caught.value.message
    assert not fake.performed and not list(tmp_path.iterdir())


def test_a_plan_for_another_host_is_refused(fake, tmp_path):
    plan = configure.plan(fake, "l1")
    fake.identity = "other"
    with pytest.raises(PlanError, match="nothing was changed"):
        configure.apply(plan, fake, journal_dir=tmp_path)


def test_a_vm_that_is_gone_before_apply_changes_nothing(fake, tmp_path):
    plan = configure.plan(fake, "l1")
    del fake.values[VM_ID, "power"]
    with pytest.raises(NestkitError, match="nothing was changed"):
        configure.apply(plan, fake, journal_dir=tmp_path)


def test_a_foreign_journal_is_refused(fake, tmp_path):
    done = configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)
    state = fake.state()
    for change in ("host", "vm"):
        other = FakeHost()
        other.values = dict(state)
        if change == "host":
            other.identity = "other"
        else:
            del other.values[VM_ID, "power"]
        for verb in (configure.rollback, configure.resume):
            with pytest.raises(JournalError, match="this host"):
                verb(done.journal, other)
        assert not other.performed


def test_a_refused_step_names_the_journal_and_the_way_on(fake, tmp_path):
    def refuse(step):
        if step.property == "memory":
            raise HostRefused("not enough memory", remedy="give it more")

    fake.before_perform = refuse
    with pytest.raises(HostRefused) as caught:
        configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)
    (journal,) = tmp_path.glob("*.jsonl")
    for word in (str(journal), "resume", "rollback", "give it more"):
        assert word in caught.value.remedy
    assert "step 4 of 6" in caught.value.message
    fake.before_perform = lambda step: None
    assert configure.resume(journal, fake).ok
    assert goal_met(fake)


def test_a_change_the_host_did_not_keep_is_an_error(fake, tmp_path):
    def forget(step):
        if step.property == "nested_hv":
            fake.values[VM_ID, "nested_hv"] = False

    fake.after_perform = forget
    with pytest.raises(HostRefused, match="accepted the change, but"):
        configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)


def test_cancel_stops_between_steps_and_leaves_a_journal_to_go_on_from(fake, tmp_path):
    first = fake.state()
    cancel = threading.Event()
    fake.after_perform = lambda step: cancel.set() if step.property == "cpu" else None
    done = configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path, cancel=cancel)
    assert done.cancelled and not done.ok and len(done.steps_done) == 3
    assert str(done.journal) in str(done)
    assert configure.rollback(done.journal, fake).complete
    assert fake.state() == first
    assert configure.resume(done.journal, fake).ok and goal_met(fake)


def test_somebody_elses_later_change_is_a_conflict_and_stays(fake, tmp_path):
    first = fake.state()
    done = configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)
    theirs = {"size_mib": 12288, "reservation_mib": 0, "reservation_locked": False}
    fake.values[VM_ID, "memory"] = theirs
    result = configure.rollback(done.journal, fake)
    assert not result.complete and [left.step.property for left in result.conflicts] == ["memory"]
    assert fake.values[VM_ID, "memory"] == theirs
    assert fake.state() == first | {(VM_ID, "memory"): theirs}


def test_what_somebody_put_back_already_is_skipped_and_can_be_done_again(fake, tmp_path):
    first = fake.state()
    done = configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)
    fake.values[VM_ID, "nested_hv"] = False
    result = configure.rollback(done.journal, fake)
    assert result.complete and len(result.skipped) == 1 and fake.state() == first
    assert configure.resume(done.journal, fake).ok and goal_met(fake)


def test_a_change_that_comes_while_rolling_back_is_reported(fake, tmp_path):
    done = configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)

    def interfere(step):
        if step.id == "undo-1-shutdown_guest":
            fake.values[VM_ID, "cpu"] = {"count": 16, "cores_per_socket": 1}

    fake.after_perform = interfere
    result = configure.rollback(done.journal, fake)
    assert not result.complete and [c.step.property for c in result.conflicts] == ["cpu"]


def test_verify_names_what_is_otherwise(fake, tmp_path):
    done = configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)
    fake.values[VM_ID, "cpu"] = {"count": 1, "cores_per_socket": 1}
    found = configure.verify(done.journal, fake)
    assert not found.ok and len(found.mismatches) == 1
    assert "cpu of VM 'l1'" in str(found) and "count 2" in str(found) and "count 1" in str(found)
    fake.identity = "other"
    with pytest.raises(PlanError):
        configure.verify(done.plan, fake)


def test_verify_asks_for_the_goal_and_not_only_for_the_values(fake, tmp_path, monkeypatch):
    done = configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)
    # the switch may refuse in effect what the port group itself says
    plain = fake.read

    def refused(vm=None):
        facts = plain(vm)
        (nic,) = facts.vms[0].nics
        vms = (replace(facts.vms[0], nics=(replace(nic, promiscuous=False),)),)
        return replace(facts, vms=vms, nested_hv_supported=False)

    monkeypatch.setattr(fake, "read", refused)
    found = configure.verify(done.journal, fake)
    assert not found.ok and "ready to host a hypervisor" in str(found)


def test_without_tools_a_rollback_leaves_the_vm_and_says_so_until_told(fake, tmp_path):
    first = fake.state()
    done = configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)
    fake.tools = "not running"
    result = configure.rollback(done.journal, fake)
    assert not result.complete
    assert {left.step.property for left in result.not_undone} == {
        "power", "nested_hv", "cpu", "memory",
    }  # fmt: skip
    assert fake.values[VM_ID, "power"] == "on" and fake.values[VM_ID, "nested_hv"] is True
    assert configure.rollback(done.journal, fake, hard_power_off=True).complete
    assert fake.state() == first


def test_a_vm_started_by_somebody_after_a_cut_is_not_touched_while_on(fake, tmp_path):
    def cut(step):
        if step.property == "cpu":
            raise Killed

    fake.before_perform = cut
    with pytest.raises(Killed):
        configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)
    (journal,) = tmp_path.glob("*.jsonl")
    fake.before_perform = lambda step: None
    fake.values[VM_ID, "power"] = "on"
    with pytest.raises(StalePlan, match="power"):
        configure.resume(journal, fake)
    result = configure.rollback(journal, fake)
    assert [left.step.property for left in result.not_undone] == ["nested_hv"]
    assert "needs it off" in result.not_undone[0].reason  # said without trying
    assert fake.values[VM_ID, "nested_hv"] is True


def test_a_lost_connection_in_a_rollback_says_to_run_it_again(fake, tmp_path):
    first = fake.state()
    done = configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)

    def drop(step):
        if step.property == "cpu":
            raise ConnectionFailed("hung up", remedy="look at the network")

    fake.after_perform = drop
    with pytest.raises(ConnectionFailed, match="hung up") as caught:
        configure.rollback(done.journal, fake)
    assert "rollback" in caught.value.remedy and str(done.journal) in caught.value.remedy
    fake.after_perform = lambda step: None
    assert configure.rollback(done.journal, fake).complete
    assert fake.state() == first


def test_what_is_gone_is_left_and_the_rest_is_taken_back(fake, tmp_path, monkeypatch):
    done = configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)
    current = fake.current

    def without_group(target, name):
        if target.id == GROUP_ID:
            raise NotFound("there is no port group any more", remedy="look at the network")
        return current(target, name)

    monkeypatch.setattr(fake, "current", without_group)
    back = configure.rollback(done.journal, fake)
    assert not back.complete
    (left,) = back.not_undone
    assert f"not undone: {html.escape(left.reason)}" in back._repr_html_()
    assert left.step.property == "security" and "no port group" in left.reason
    assert fake.values[VM_ID, "nested_hv"] is False
    assert fake.values[VM_ID, "power"] == "on"


@pytest.mark.parametrize("kind", [CredentialsError, TrustError])
def test_a_host_that_no_longer_lets_us_in_ends_a_rollback_at_once(fake, tmp_path, kind):
    done = configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)
    tried = []

    def refuse(step):
        tried.append(step)
        raise kind("refused", remedy="look at it")

    fake.before_perform = refuse
    with pytest.raises(kind, match="again"):
        configure.rollback(done.journal, fake)
    assert len(tried) == 1  # five wrong passwords lock an account


@pytest.mark.parametrize("vm", [None, "", 3, b"l1"])
def test_a_plan_is_for_one_named_vm(fake, vm):
    with pytest.raises(PlanError, match="one VM"):
        configure.plan(fake, vm)


@pytest.mark.parametrize("wrong", [{"cpu_count": "4"}, {"memory_gib": 9.3}, {"cpu_count": True}])
def test_a_goal_in_other_than_whole_numbers_is_refused(fake, wrong):
    with pytest.raises(PlanError, match="whole number"):
        configure.plan(fake, "l1", goal=NestedGoal(**wrong))


def test_an_empty_plan_applies_to_a_verified_outcome(fake, tmp_path):
    configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)
    done = configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)
    assert done.ok and done.steps_done == ()
    assert configure.rollback(done.journal, fake).complete and goal_met(fake)


def test_practice_is_said_wherever_a_result_is_shown(fake, tmp_path):
    done = configure.apply(configure.plan(fake, "l1"), fake, journal_dir=tmp_path)
    back = configure.rollback(done.journal, fake)
    for result in (done, back, configure.verify(done.plan, fake)):
        assert PRACTICE in str(result)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_data_in_journal_results_and_html(name, tmp_path):
    fake = FakeHost(vm_name=name)
    done = configure.apply(configure.plan(fake, name), fake, journal_dir=tmp_path)
    for line in done.journal.read_text("ascii").splitlines():
        json.loads(line)
    assert Plan.from_json(json.loads(done.journal.read_text().splitlines()[0])["plan"]) == done.plan
    html = done._repr_html_()
    assert "<img" not in html and "<script" not in html
    assert configure.rollback(done.journal, fake).complete
    assert done.journal.parent == tmp_path and HOST_ID in done.journal.read_text()


# --- a process that dies anywhere --------------------------------------------------------


def run_until(fake: FakeHost, start, *, dies_at: int, torn: bool) -> bool:
    """Run ``start`` and die at the n-th moment a process can die; False if it ran to its end."""
    count = 0

    def moment(*_: object) -> None:
        nonlocal count
        count += 1
        if count == dies_at:
            raise Killed

    plain = Journal.append

    def append(self: Journal, record: str, step: str = "", **fields: object) -> None:
        moment()
        size = self.path.stat().st_size
        plain(self, record, step, **fields)
        try:
            moment()
        except Killed:
            if torn:  # the record never reached the disk whole
                written = self.path.read_bytes()
                self.path.write_bytes(written[: size + (len(written) - size) // 2])
            raise

    fake.before_perform = fake.in_task = fake.after_perform = moment
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "append", append)
        try:
            start()
        except Killed:
            return False
        finally:
            fake.before_perform = fake.in_task = fake.after_perform = lambda step: None
    return True


def latest(folder: Path) -> Path:
    return max(folder.glob("*.jsonl"))


@settings(max_examples=150)
@given(
    power=st.sampled_from(["on", "off"]),
    start=st.booleans(),
    deaths=st.lists(
        st.tuples(st.sampled_from(["resume", "rollback"]), st.integers(1, 40), st.booleans()),
        max_size=4,
    ),
    first_death=st.tuples(st.integers(1, 48), st.booleans()),
    end=st.sampled_from(["resume", "rollback"]),
)
def test_whatever_dies_wherever_resume_and_rollback_end_right(
    tmp_path_factory, power, start, deaths, first_death, end
):
    folder = tmp_path_factory.mktemp("journals")
    fake = FakeHost(power=power)
    first = fake.state()
    plan = configure.plan(fake, "l1", goal=NestedGoal(start=start))
    wanted = dict(first)
    for step in plan.steps:
        wanted[step.target.id, step.property] = step.after
    run_until(
        fake,
        lambda: configure.apply(plan, fake, journal_dir=folder),
        dies_at=first_death[0],
        torn=first_death[1],
    )
    journal = latest(folder)
    for verb, dies_at, torn in deaths:
        run_until(
            fake,
            lambda verb=verb: getattr(configure, verb)(journal, fake),
            dies_at=dies_at,
            torn=torn,
        )
    if end == "resume":
        assert configure.resume(journal, fake).verified
        assert fake.state() == wanted
    else:
        assert configure.rollback(journal, fake).complete
        assert fake.state() == first
