"""The practice host's PropertyCollector: bulk, pages, traversal, updates."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from practice_helpers import (
    PC,
    connect,
    datacenter,
    esx,
    filter_spec,
    retrieve,
    rows,
    vim,
    vm_named,
    vmodl,
)
from pyVim.task import WaitForTask
from ratios import is_reached

import nestkit.practice

LEAVES = ["name", "config.hardware.numCPU", "config.nestedHVEnabled", "runtime.powerState"]


@pytest.fixture(scope="module")
def shared() -> Iterator[Any]:
    with nestkit.practice.start("esx", vms=83) as p:
        yield p


@pytest.fixture
def si(shared: Any) -> Any:
    shared.reset()
    shared.set_faults()
    return connect(shared)


def test_pages_hold_each_object_once(si: Any) -> None:
    answer = retrieve(si, LEAVES, maxObjects=30)
    sizes, seen = [len(answer.objects)], [o.obj._moId for o in answer.objects]
    while answer.token:
        answer = si.content.propertyCollector.ContinueRetrievePropertiesEx(answer.token)
        sizes.append(len(answer.objects))
        seen += [o.obj._moId for o in answer.objects]
    assert sizes == [30, 30, 30, 10]
    assert len(set(seen)) == 100
    whole = retrieve(si, LEAVES)
    assert whole.token is None
    assert [o.obj._moId for o in whole.objects] == seen


def test_a_page_can_be_given_up_and_a_token_is_used_once(si: Any) -> None:
    collector = si.content.propertyCollector
    token = retrieve(si, LEAVES, maxObjects=30).token
    collector.CancelRetrievePropertiesEx(token)
    for wrong in (token, "no such token"):
        with pytest.raises(vmodl.fault.InvalidArgument):
            collector.ContinueRetrievePropertiesEx(wrong)
    with pytest.raises(vmodl.fault.InvalidArgument):
        retrieve(si, LEAVES, maxObjects=0)


def test_the_older_call_answers_the_same(si: Any) -> None:
    older = si.content.propertyCollector.RetrieveProperties([filter_spec(si, LEAVES)])
    assert rows(older) == rows(retrieve(si, LEAVES).objects)


def test_leaves_come_in_their_declared_types(si: Any) -> None:
    (row,) = [
        r for r in rows(retrieve(si, [*LEAVES, "config.memoryAllocation.reservation"]).objects)
        .values() if r["name"] == "nested-esxi-02"
    ]  # fmt: skip
    assert row["config.hardware.numCPU"] == 4
    assert row["config.nestedHVEnabled"] is True
    assert isinstance(row["runtime.powerState"], vim.VirtualMachine.PowerState)
    assert type(row["config.memoryAllocation.reservation"]).__name__ == "long"


def test_a_device_can_be_asked_for_by_its_key(si: Any) -> None:
    path = "config.hardware.device[4000]"
    values = {r.get(path).macAddress for r in rows(retrieve(si, [path]).objects).values() if r}
    assert len(values) == sum(1 for r in rows(retrieve(si, [path]).objects).values() if r)


def test_unset_properties_are_left_out_and_unknown_ones_refused(si: Any) -> None:
    assert all(
        "snapshot" not in row for row in rows(retrieve(si, ["name", "snapshot"]).objects).values()
    )
    for unknown in ("config.nestedHV", "nothing", "config.", "", "name[1]", "config..name"):
        with pytest.raises(vmodl.query.InvalidProperty):
            retrieve(si, [unknown])


def test_all_properties(si: Any) -> None:
    row = next(iter(rows(retrieve(si, None).objects).values()))
    assert {"name", "config", "runtime", "guest", "summary", "network"} <= set(row)


def test_what_may_not_be_read_is_reported_missing(tmp_path: Any) -> None:
    from nestkit.resources import data_path

    text = data_path("practice", "esx.toml").read_text(encoding="utf-8")
    path = tmp_path / "hidden.toml"
    path.write_text(
        text.replace('name = "nested-esxi-02"', 'name = "nested-esxi-02"\nunreadable = true'),
        encoding="utf-8",
    )
    with nestkit.practice.start("esx", inventory=path) as p:
        si = connect(p)
        (hidden,) = [o for o in retrieve(si, LEAVES).objects if o.missingSet]
        assert [prop.val for prop in hidden.propSet] == ["nested-esxi-02"]
        assert [missing.path for missing in hidden.missingSet] == LEAVES[1:]
        assert all(
            isinstance(missing.fault, vim.fault.NoPermission) for missing in hidden.missingSet
        )
        with pytest.raises(vim.fault.NoPermission):
            _ = vm_named(si, "nested-esxi-02").config


def test_traversal_through_the_folders_with_recursion(si: Any) -> None:
    again = PC.SelectionSpec(name="folders")
    folders = PC.TraversalSpec(
        name="folders", type=vim.Folder, path="childEntity", skip=False, selectSet=[]
    )
    down = PC.TraversalSpec(
        name="dc", type=vim.Datacenter, path="vmFolder", skip=False, selectSet=[again]
    )
    folders.selectSet = [again, down]
    spec = PC.FilterSpec(
        propSet=[PC.PropertySpec(type=vim.ManagedEntity, pathSet=["name"])],
        objectSet=[PC.ObjectSpec(obj=si.content.rootFolder, skip=False, selectSet=[folders])],
    )
    found = si.content.propertyCollector.RetrievePropertiesEx([spec], PC.RetrieveOptions())
    names = [row["name"] for row in rows(found.objects).values()]
    assert names[:3] == ["ha-folder-root", "ha-datacenter", "vm"]
    assert len(names) == 103


def test_what_only_leads_to_the_objects_asked_for_is_no_result(si: Any) -> None:
    """As the old samples walk: folders, datacenter and vmFolder, none of them skipped."""

    def step(name: str, kind: Any, path: str) -> Any:
        back = [PC.SelectionSpec(name="folders"), PC.SelectionSpec(name="vms")]
        return PC.TraversalSpec(name=name, type=kind, path=path, selectSet=back)

    walk = [step("folders", vim.Folder, "childEntity"), step("vms", vim.Datacenter, "vmFolder")]
    start = PC.ObjectSpec(obj=si.content.rootFolder, skip=False, selectSet=walk)
    names = PC.PropertySpec(type=vim.VirtualMachine, pathSet=["name"])
    spec = PC.FilterSpec(objectSet=[start], propSet=[names])
    found = si.content.propertyCollector.RetrieveProperties([spec])
    assert len(found) == 100 and all(each.propSet[0].name == "name" for each in found)


def test_views_list_what_is_below_and_end_when_destroyed(si: Any) -> None:
    manager, root = si.content.viewManager, si.content.rootFolder
    view = manager.CreateContainerView(root, [vim.HostSystem, vim.Network], True)
    assert {type(ref).__name__ for ref in view.view} == {"vim.HostSystem", "vim.Network"}
    flat = manager.CreateContainerView(root, None, False)
    assert [ref._moId for ref in flat.view] == ["ha-datacenter"]
    view.DestroyView()
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        _ = view.view


def test_views_of_one_session_are_not_there_for_another(shared: Any, si: Any) -> None:
    view = si.content.viewManager.CreateContainerView(si.content.rootFolder, None, False)
    other = connect(shared)
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        _ = vim.view.ContainerView(view._moId, other._stub).view


def wait(collector: Any, version: str, seconds: float, **more: Any) -> Any:
    return collector.WaitForUpdatesEx(version, PC.WaitOptions(maxWaitSeconds=int(seconds), **more))


def test_updates_tell_everything_first_and_then_what_changed(shared: Any, si: Any) -> None:
    collector = si.content.propertyCollector.CreatePropertyCollector()
    collector.CreateFilter(filter_spec(si, LEAVES), False)
    first = wait(collector, "", 60)
    assert {o.kind for o in first.filterSet[0].objectSet} == {"enter"}
    assert len(first.filterSet[0].objectSet) == 100
    began = time.monotonic()
    assert wait(collector, first.version, 1) is None
    assert time.monotonic() - began >= 0.9

    vm = vm_named(si, "nested-esxi-16")
    timer = threading.Timer(
        0.2, lambda: vm_named(connect(shared), "nested-esxi-16").ReconfigVM_Task(
            vim.vm.ConfigSpec(nestedHVEnabled=True)
        )
    )  # fmt: skip
    timer.start()
    second = wait(collector, first.version, 60)
    timer.join()
    (change,) = second.filterSet[0].objectSet
    assert (change.kind, change.obj._moId) == ("modify", vm._moId)
    assert [(c.name, c.op, c.val) for c in change.changeSet] == [
        ("config.nestedHVEnabled", "assign", True)
    ]
    with pytest.raises(vmodl.query.InvalidCollectorVersion):
        wait(collector, first.version, 1)
    assert len(wait(collector, "", 1).filterSet[0].objectSet) == 100
    collector.DestroyPropertyCollector()
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        wait(collector, "", 1)


def test_updates_can_be_limited_and_say_so(si: Any) -> None:
    collector = si.content.propertyCollector
    made = collector.CreateFilter(filter_spec(si, ["name"]), False)
    seen, version, truncated = 0, "", True
    while truncated:
        update = wait(collector, version, 1, maxObjectUpdates=40)
        seen += len(update.filterSet[0].objectSet)
        version, truncated = update.version, bool(update.truncated)
    assert seen == 100
    made.Destroy()
    assert wait(collector, version, 0) is None


def test_a_task_is_followed_by_updates(shared: Any, si: Any) -> None:
    shared.set_faults(slow_task=0.3)
    vm = vm_named(si, "nested-esxi-16")
    task = vm.ReconfigVM_Task(vim.vm.ConfigSpec(annotation="x"))
    assert WaitForTask(task, si=si) == "success"
    shared.set_faults(slow_task=0.3, task_fails=1)
    with pytest.raises(vim.fault.GenericVmConfigFault):
        WaitForTask(vm.ReconfigVM_Task(vim.vm.ConfigSpec(annotation="y")), si=si)


def test_a_wait_can_be_cancelled(shared: Any, si: Any) -> None:
    collector = si.content.propertyCollector
    collector.CreateFilter(filter_spec(si, ["name"]), False)
    version = wait(collector, "", 1).version
    over = threading.Event()

    def cancel() -> None:
        while not over.wait(0.3):  # again: a cancel that comes before the wait does nothing
            collector.CancelWaitForUpdates()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    try:
        with pytest.raises(vmodl.fault.RequestCanceled):
            wait(collector, version, 60)
    finally:
        over.set()
        canceller.join()


def test_others_are_served_while_one_waits(shared: Any, si: Any) -> None:
    collector = si.content.propertyCollector
    collector.CreateFilter(filter_spec(si, ["name"]), False)
    version = wait(collector, "", 1).version

    def waits() -> None:
        with suppress(vmodl.fault.RequestCanceled):
            wait(collector, version, 60)

    waiting = threading.Thread(target=waits)
    waiting.start()
    time.sleep(0.2)
    connect(shared).CurrentTime()
    assert waiting.is_alive()
    while waiting.is_alive():
        collector.CancelWaitForUpdates()
        waiting.join(0.3)


def test_further_vms_are_like_those_of_the_inventory(si: Any) -> None:
    names = [vm.name for vm in datacenter(si).vmFolder.childEntity]
    assert names[17] == "fleet-00001"
    assert len(set(names)) == len(esx(si).vm) == 100
    uuids = rows(retrieve(si, ["config.instanceUuid"]).objects)
    assert len({row["config.instanceUuid"] for row in uuids.values()}) == 100


@pytest.mark.perf
def test_bulk_is_far_quicker_than_attribute_access() -> None:
    with nestkit.practice.start("esx", vms=983) as p:
        si = connect(p)

        def measure() -> float:
            began = time.monotonic()
            assert len(retrieve(si, LEAVES).objects) == 1000
            bulk = time.monotonic() - began
            began = time.monotonic()
            for vm in datacenter(si).vmFolder.childEntity[:20]:
                _ = vm.name, vm.config.hardware.numCPU
                _ = vm.config.nestedHVEnabled, vm.runtime.powerState
            attribute = (time.monotonic() - began) * 50
            print(f"1,000 VMs: bulk {bulk:.2f} s, attribute access {attribute:.1f} s")
            return attribute / bulk

        assert is_reached(measure, lambda ratio: ratio > 20)
