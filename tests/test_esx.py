"""The ESXi client against a practice host: facts, changes, refusals, lost sessions."""

from __future__ import annotations

import json
import logging
import traceback
from dataclasses import replace

import pytest

import nestkit as nk
from nestkit import configure
from nestkit.errors import (
    Ambiguous,
    ConnectionFailed,
    ConsentNeeded,
    CredentialsError,
    DeadlineExceeded,
    HostRefused,
    NestkitError,
    NotFound,
    PermissionRefused,
    PlanError,
)
from nestkit.facts import Unknown
from nestkit.hosts import esx_groups, esx_ops
from nestkit.plans import NestedGoal, Step, Target
from nestkit.resources import data_path
from nestkit.transport.vim import load
from nestkit.transport.vim_rows import signed_in

HOSTILE = {
    "nested-esxi-01": "'; Stop-VM *; '",
    "nested-esxi-02": "$(x)",
    "nested-esxi-04": "`",
    "nested-esxi-05": "a%2fb",
    "nested-esxi-06": "</script><img onerror=x>",
    "nested-esxi-16": "Müller 日本",
}


@pytest.fixture(scope="module")
def practice():
    with nk.practice.start("esx") as running:
        yield running


@pytest.fixture
def esx(practice):
    practice.set_faults(tools_after=0)
    practice.reset()
    host = nk.connect(practice.url, password=practice.password)
    yield host
    practice.set_faults()
    host.close()


def lasting(host, vm):
    """What a plan can change, as facts; Tools and the guest come up in their own time."""
    (facts,) = host.read(vm).vms
    return replace(facts, tools="running", guest_os="")


# --- facts -------------------------------------------------------------------------------


def test_the_host_is_read(esx, practice):
    facts = esx.read("nested-esxi-02")
    assert facts.identity == esx.identity and facts.platform == "esx" and facts.is_practice
    assert facts.version == "8.0.2" and "ractice" in str(facts.product)
    cpu = facts.cpu
    assert (cpu.vendor, cpu.is_64bit, cpu.hw_virtualization, cpu.slat, cpu.nx) == (
        "intel", True, True, True, True,
    )  # fmt: skip
    assert cpu.threads == 64 and facts.memory_gib == 128
    assert [nic.link_mbps for nic in facts.nics] == [1000, 1000, 10000]
    assert {disk.bus for disk in facts.disks} == {"sas"} and len(facts.disks) == 2
    assert isinstance(facts.disks[0].is_raid, Unknown)
    assert facts.nested_hv_supported is True and facts.is_vm is False
    assert practice.password not in repr(esx)


def test_a_vm_is_read_with_the_policy_in_effect(esx):
    (vm,) = esx.read("nested-esxi-12").vms
    (nic,) = vm.nics
    assert (nic.network, nic.switch, nic.switch_kind) == ("Nested Lab C", "vSwitch2", "standard")
    assert (nic.promiscuous, nic.forged_transmits) == (True, False)  # inherited from its switch
    (nic,) = esx.read("nested-esxi-11").vms[0].nics
    assert (nic.promiscuous, nic.forged_transmits) == (False, True)  # overrides its switch


def test_each_vms_own_trait_is_read(esx):
    vms = {vm.name: vm for vm in esx.read().vms}
    assert len(vms) == 17
    assert vms["nested-esxi-01"].nested_hv is False and vms["nested-esxi-01"].tools == "running"
    assert vms["nested-esxi-03"].hardware_version == 8
    assert vms["nested-esxi-04"].memory_gib == 4
    assert vms["nested-esxi-06"].cpu_count == 1
    assert vms["nested-esxi-07"].memory_reservation_gib == 8
    assert vms["nested-esxi-08"].disks[0].size_gib == 16
    assert vms["nested-esxi-09"].disks[0].bus == "ide"
    assert vms["nested-esxi-10"].nics == ()
    assert vms["nested-esxi-13"].nics[0].link_mbps == 10
    assert vms["nested-esxi-14"].tools == "not installed"
    assert vms["nested-esxi-15"].legacy_nesting_keys == ("vhv.enable",)
    assert vms["nested-esxi-02"].legacy_nesting_keys == ()
    assert vms["nested-esxi-17"].power == "suspended"


def test_the_profile_without_virtualization_shows_it():
    with nk.practice.start("esx", profile="no-vt") as running:
        host = nk.connect(running.url, password=running.password)
        facts = host.read("nested-esxi-01")
        assert facts.cpu.hw_virtualization is False and facts.cpu.slat is False
        with pytest.raises(PlanError, match="cannot expose"):
            configure.plan(host, "nested-esxi-01")


def test_the_small_host_shows_what_is_small():
    with nk.practice.start("esx", profile="small-host") as running:
        facts = nk.connect(running.url, password=running.password).read("nested-esxi-01")
        assert facts.cpu.nx is False and facts.memory_gib == 4
        assert facts.disks[0].bus == "usb" and facts.nics[0].link_mbps == 100


# --- names -------------------------------------------------------------------------------


def test_an_unknown_vm_is_named_with_near_ones(esx):
    with pytest.raises(NotFound, match="nested-esxi-01") as caught:
        esx.read("nested-esx-01")
    assert "UUID" in caught.value.remedy


def test_a_vm_is_found_by_its_uuid_too(esx):
    identity = esx.read("nested-esxi-05").vms[0].identity
    assert esx.read(identity).vms[0].name == "nested-esxi-05"
    assert configure.plan(esx, identity.upper()).vm.name == "nested-esxi-05"


def test_two_vms_of_one_name_are_told_apart_by_uuid():
    with nk.practice.start("esx", profile="duplicate-names") as running:
        host = nk.connect(running.url, password=running.password)
        with pytest.raises(Ambiguous, match="2 VMs") as caught:
            configure.plan(host, "nested-esxi-01")
        twins = [vm.identity for vm in host.read().vms if vm.name == "nested-esxi-01"]
        assert all(identity in caught.value.message for identity in twins)
        assert "(on)" in caught.value.message and "(off)" in caught.value.message
        for identity in twins:
            assert configure.plan(host, identity).vm.id == identity


def test_hostile_names_are_data_all_the_way(tmp_path):
    text = data_path("practice", "esx.toml").read_text("utf-8")
    for plain, hostile in HOSTILE.items():
        text = text.replace(f'"{plain}"', json.dumps(hostile, ensure_ascii=False))
    inventory = tmp_path / "esx.toml"
    inventory.write_text(text, "utf-8")
    with nk.practice.start("esx", inventory=str(inventory)) as running:
        host = nk.connect(running.url, password=running.password)
        for name in HOSTILE.values():
            first = lasting(host, name)
            assert first.name == name
            plan = configure.plan(host, name, goal=NestedGoal(cpu_count=8, start=False))
            done = configure.apply(plan, host, journal_dir=tmp_path)
            assert done.ok and done.steps_done
            assert configure.rollback(done.journal, host).complete
            assert lasting(host, name) == first
        assert host.read("a/b").vms[0].name == "a%2fb"  # as a person would write it


# --- plan, apply, rollback over the wire --------------------------------------------------


@pytest.mark.parametrize(
    ("vm", "steps"),
    [
        ("nested-esxi-01", ["shutdown_guest", "nested_hv", "power_on"]),
        ("nested-esxi-02", []),
        ("nested-esxi-04", ["memory", "power_on"]),
        ("nested-esxi-06", ["cpu", "power_on"]),
        ("nested-esxi-07", ["memory", "power_on"]),
        ("nested-esxi-11", ["security"]),
        ("nested-esxi-12", ["security", "power_on"]),
        ("nested-esxi-15", ["nested_hv", "power_on"]),
        ("nested-esxi-16", ["nested_hv", "power_on"]),
    ],
)
def test_plan_apply_plan_again_and_back(esx, tmp_path, vm, steps):
    first = lasting(esx, vm)
    plan = configure.plan(esx, vm)
    assert [s.op if s.property == "power" else s.property for s in plan.steps] == steps
    done = configure.apply(plan, esx, accept=plan.digest, journal_dir=tmp_path)
    assert done.ok, str(done)
    assert configure.plan(esx, vm).is_empty
    assert configure.rollback(done.journal, esx).complete
    assert lasting(esx, vm) == first


@pytest.mark.parametrize(
    ("vm", "what"),
    [
        ("nested-esxi-03", "hardware version 8"),
        ("nested-esxi-10", "no network"),
        ("nested-esxi-17", "suspended"),
    ],
)
def test_what_cannot_be_planned_says_why(esx, vm, what):
    with pytest.raises(PlanError, match=what):
        configure.plan(esx, vm)


def test_without_tools_the_plug_is_pulled_only_when_told(esx, tmp_path):
    vm = "nested-esxi-14"
    goal = NestedGoal(cpu_count=8)
    with pytest.raises(ConsentNeeded, match="not installed"):
        configure.plan(esx, vm, goal=goal)
    first = lasting(esx, vm)
    goal = replace(goal, hard_power_off=True)
    done = configure.apply(configure.plan(esx, vm, goal=goal), esx, journal_dir=tmp_path)
    assert done.ok
    result = configure.rollback(done.journal, esx)
    assert not result.complete and "hard_power_off" in str(result)
    assert configure.rollback(done.journal, esx, hard_power_off=True).complete
    assert lasting(esx, vm) == first


def test_a_rollback_waits_for_tools_that_are_still_coming_up(esx, practice, tmp_path):
    first = lasting(esx, "nested-esxi-16")
    practice.set_faults(tools_after=3)
    done = configure.apply(configure.plan(esx, "nested-esxi-16"), esx, journal_dir=tmp_path)
    assert configure.rollback(done.journal, esx).complete
    assert lasting(esx, "nested-esxi-16") == first


def test_a_word_that_is_no_setting_of_a_port_group_changes_nothing(esx):
    target = Target("port_group", "key-vim.host.PortGroup-Nested Lab B", "Nested Lab B")
    before = esx.current(target, "security")
    step = Step(
        id="x", op="set_property", target=target, property="security",
        before=before, after=before | {"promiscuous": "allow"},
    )  # fmt: skip
    with pytest.raises(PlanError, match="allow"):
        esx.perform(step, 10)
    assert esx.current(target, "security") == before


def test_a_port_groups_other_settings_survive_the_change(esx, tmp_path):
    target = Target("port_group", "key-vim.host.PortGroup-Nested Lab B", "Nested Lab B")
    before = esx_groups.port_group(esx._session, esx._ref, target).spec
    assert before.vlanId == 120
    configure.apply(configure.plan(esx, "nested-esxi-11"), esx, journal_dir=tmp_path)
    after = esx_groups.port_group(esx._session, esx._ref, target).spec
    assert (after.vlanId, after.vswitchName) == (120, before.vswitchName)
    assert after.policy.security.allowPromiscuous is True
    assert after.policy.security.forgedTransmits is None  # still inherited


def test_a_change_by_somebody_faster_is_refused(esx, monkeypatch):
    vm = esx.read("nested-esxi-16").vms[0]
    target = Target("vm", vm.identity, vm.name)

    def step(n, before, after):
        return Step(
            id=str(n), op="set_property", target=target, property="cpu", before=before, after=after
        )

    plain = esx_ops._spec

    def slow(one):
        spec = plain(one)
        monkeypatch.setattr(esx_ops, "_spec", plain)
        esx.perform(step(2, None, {"count": 6, "cores_per_socket": 1}), 10)
        return spec

    row = esx_ops._row

    def stale(session, ref, wanted, paths):
        found = row(session, ref, wanted, paths)
        if paths[0] == "config.changeVersion":
            monkeypatch.setattr(esx_ops, "_row", row)
            esx.perform(step(2, None, {"count": 6, "cores_per_socket": 1}), 10)
        return found

    monkeypatch.setattr(esx_ops, "_row", stale)
    with pytest.raises(HostRefused, match="ConcurrentAccess"):
        esx.perform(step(1, None, {"count": 8, "cores_per_socket": 1}), 10)
    assert esx.current(target, "cpu")["count"] == 6


def test_a_vm_that_is_gone_is_not_found(esx):
    with pytest.raises(NotFound, match="UUID"):
        esx.current(Target("vm", "50000000-0000-0000-0000-000000000000", "gone"), "power")
    with pytest.raises(NotFound, match="port group"):
        esx.current(Target("port_group", "key-gone", "gone"), "security")


def test_an_unknown_property_is_refused(esx):
    vm = esx.read("nested-esxi-16").vms[0]
    with pytest.raises(PlanError, match="'colour'"):
        esx.current(Target("vm", vm.identity, vm.name), "colour")


# --- what the host refuses ---------------------------------------------------------------


def test_a_user_who_may_only_read_changes_nothing(tmp_path):
    with nk.practice.start("esx", profile="readonly") as running:
        host = nk.connect(running.url, password=running.password)
        first = lasting(host, "nested-esxi-16")
        plan = configure.plan(host, "nested-esxi-16")
        with pytest.raises(PermissionRefused, match="privilege"):
            configure.apply(plan, host, journal_dir=tmp_path)
        assert lasting(host, "nested-esxi-16") == first
        (journal,) = tmp_path.glob("*.jsonl")
        assert configure.rollback(journal, host).complete


def test_an_old_api_is_refused_before_logging_in():
    with (
        nk.practice.start("esx", profile="old-api") as running,
        pytest.raises(ConnectionFailed, match="too old"),
    ):
        nk.connect(running.url, password=running.password)


def test_a_task_that_fails_is_told_and_resume_goes_on(esx, practice, tmp_path):
    plan = configure.plan(esx, "nested-esxi-01")
    practice.set_faults(task_fails=1)
    with pytest.raises(HostRefused, match="fail") as caught:
        configure.apply(plan, esx, journal_dir=tmp_path)
    (journal,) = tmp_path.glob("*.jsonl")
    assert str(journal) in caught.value.remedy
    assert configure.resume(journal, esx).ok


def test_a_guest_that_does_not_shut_down_is_a_missed_deadline(esx, practice, tmp_path):
    plan = configure.plan(esx, "nested-esxi-01")
    plan = replace(plan, steps=tuple(replace(s, timeout_s=1.0) for s in plan.steps))
    practice.set_faults(shutdown_hangs=1)
    with pytest.raises(DeadlineExceeded, match="still up"):
        configure.apply(plan, esx, journal_dir=tmp_path)
    (journal,) = tmp_path.glob("*.jsonl")
    practice.set_faults()
    assert configure.rollback(journal, esx).complete


def test_a_task_that_outlasts_its_deadline_is_waited_for_afterwards(esx, practice, tmp_path):
    first = lasting(esx, "nested-esxi-16")
    plan = configure.plan(esx, "nested-esxi-16")
    plan = replace(plan, steps=tuple(replace(s, timeout_s=0.3) for s in plan.steps))
    practice.set_faults(slow_task=1.5)
    with pytest.raises(DeadlineExceeded, match="not cancelled"):
        configure.apply(plan, esx, journal_dir=tmp_path)
    practice.set_faults()
    (journal,) = tmp_path.glob("*.jsonl")
    result = configure.rollback(journal, esx)  # at once: the task is still at work
    assert result.complete and result.undone == ("1-nested_hv",)
    assert lasting(esx, "nested-esxi-16") == first


# --- sessions and connections ------------------------------------------------------------


def test_an_expired_session_is_renewed_wherever_it_ends(practice, esx, tmp_path):
    for after in range(1, 40, 3):
        practice.reset()
        esx.read("nested-esxi-16")  # a reset ends sessions as well: not twice in one call
        practice.set_faults(expire_after=after, tools_after=0)
        done = configure.apply(configure.plan(esx, "nested-esxi-16"), esx, journal_dir=tmp_path)
        assert done.ok


def test_a_large_inventory_is_paged_and_survives_a_session_that_ends_between_pages():
    with nk.practice.start("esx", vms=1200) as running:
        host = nk.connect(running.url, password=running.password)
        kind = load().vim.VirtualMachine
        names = [row.fact("name") for row in host._session.retrieve_all(kind, ["name"])]
        assert len(names) == len(set(names)) == 1217
        for after in (1, 2, 3, 4, 5):
            running.set_faults(expire_after=after)
            again = host._session.retrieve_all(kind, ["name"])
            assert [row.fact("name") for row in again] == names


def test_an_ended_session_that_shows_only_as_missing_properties_is_noticed(esx):
    vim, vmodl = load().vim, load().vmodl
    query = vmodl.query.PropertyCollector

    def page(fault):
        missing = query.MissingProperty(path="name", fault=vmodl.LocalizedMethodFault(fault=fault))
        content = query.ObjectContent(obj=esx._ref, missingSet=[missing])
        return query.RetrieveResult(objects=[content])

    answers = [page(vim.fault.NotAuthenticated()), page(vim.fault.NoPermission())]
    found = esx._session.call(lambda: signed_in(answers.pop(0)), "reading")
    assert not answers  # the first answer led to a new login and a second call
    assert found.objects[0].missingSet[0].path == "name"


def test_a_read_survives_one_dropped_connection(practice, esx):
    for after in range(1, 8):
        practice.set_faults(drop_after=after)
        assert esx.read("nested-esxi-01").vms[0].name == "nested-esxi-01"
        practice.set_faults(drop_answer=after)
        assert esx.read("nested-esxi-01").vms[0].name == "nested-esxi-01"


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["drop_after", "drop_answer"])
@pytest.mark.parametrize("verb", ["resume", "rollback"])
def test_a_connection_dropped_mid_apply_is_told_and_both_ways_on_end_right(
    practice, esx, tmp_path, fault, verb
):
    dropped = 0
    vm, goal = "nested-esxi-16", NestedGoal(cpu_count=8, start=False)
    for after in range(1, 26):
        practice.set_faults()
        practice.reset()
        first = lasting(esx, vm)
        plan = configure.plan(esx, vm, goal=goal)
        assert len(plan.steps) == 2
        practice.set_faults({fault: after})
        folder = tmp_path / str(after)
        try:
            done = configure.apply(plan, esx, journal_dir=folder)
        except ConnectionFailed as error:
            dropped += 1
            (journal,) = folder.glob("*.jsonl")
            assert str(journal) in error.remedy and "resume" in error.remedy
        else:
            journal = done.journal
            assert done.ok
        practice.set_faults()
        if verb == "resume":
            assert configure.resume(journal, esx).ok
            assert configure.plan(esx, vm, goal=goal).is_empty
        else:
            assert configure.rollback(journal, esx).complete
            assert lasting(esx, vm) == first
    assert dropped == 2  # one for each of the two writes: every read is made again


# --- secrets -----------------------------------------------------------------------------


def shown(error: BaseException) -> str:
    """Everything that a traceback of this error can show, locals of every frame included."""
    text = ""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__]
        report = traceback.TracebackException.from_exception(one, capture_locals=True)
        # the frames of this test hold what it handed over; those of nestkit must not
        report.stack = traceback.StackSummary.from_list(
            [frame for frame in report.stack if frame.filename != __file__]
        )
        report.__cause__ = report.__context__ = None
        text += "".join(report.format()) + repr(one) + str(one)
    return text


def test_a_wrong_password_is_refused_and_shown_nowhere(practice, caplog):
    caplog.set_level(logging.DEBUG)
    wrong = "not-the-password-8841"
    with pytest.raises(CredentialsError, match="refused the password of 'root'") as caught:
        nk.connect(practice.url, password=wrong)
    assert "check the user and the password" in caught.value.remedy
    assert wrong not in shown(caught.value) and wrong not in caplog.text
    assert caught.value.__cause__ is None and caught.value.__context__ is None


@pytest.mark.parametrize("fault", ["drop_after", "drop_answer", "expire_after"])
def test_the_password_shows_in_no_failure_log_journal_or_plan(practice, tmp_path, caplog, fault):
    caplog.set_level(logging.DEBUG)
    practice.set_faults()
    practice.reset()
    secret = practice.password
    failures = 0
    for after in range(1, 10 if fault == "expire_after" else 40):
        practice.set_faults({fault: after})
        try:
            host = nk.connect(practice.url, password=secret)
            plan = configure.plan(host, "nested-esxi-11")
            assert secret not in json.dumps(plan.to_json()) + repr(plan) + repr(vars(host))
            configure.apply(plan, host, journal_dir=tmp_path)
        except NestkitError as error:
            failures += 1
            assert secret not in shown(error)
            break
        finally:
            practice.set_faults()
            practice.reset()
    assert all(secret not in path.read_text() for path in tmp_path.glob("*.jsonl"))
    assert secret not in caplog.text
    assert failures or fault == "expire_after"


def test_practice_addresses_connect_without_a_password(tmp_path, monkeypatch):
    monkeypatch.setenv("NESTKIT_STATE", str(tmp_path))
    host = nk.connect("practice://esx")
    try:
        assert host.is_practice and len(host.read().vms) == 17
    finally:
        host.close()
        nk.practice.stop()


def test_a_closed_host_does_not_log_in_again(practice):
    host = nk.connect(practice.url, password=practice.password)
    host.close()
    with pytest.raises(ConnectionFailed, match="closed"):
        host.read()


@pytest.mark.parametrize("password", ["hunter2\x00", "hunter2\ud800", "hunter2\x1b"])
def test_a_password_that_cannot_be_sent_is_told_and_not_shown(practice, password):
    with pytest.raises(CredentialsError, match="cannot be sent") as caught:
        nk.connect(practice.url, password=password)
    assert "hunter2" not in shown(caught.value)


def test_closing_twice_is_safe(practice):
    host = nk.connect(practice.url, password=practice.password)
    host.close()
    host.close()
