"""VMs that are created, booted from an image and removed, on practice ESXi and vCenter alike."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from practice_helpers import connect, datacenter, until, vim, vm_named, vmodl
from pyVim.task import WaitForTask

import nestkit.practice

D = vim.vm.device
Change = D.VirtualDeviceSpec
STORE = {"esx": "datastore1", "vpx": "vsan-nested"}
KICKSTART = "iso/esxi-8.0U2-kickstart.iso"
VENDOR = "iso/VMware-VMvisor-Installer-8.0U2-22380479.x86_64.iso"


@pytest.fixture(scope="module", params=["esx", "vpx"])
def shared(request: pytest.FixtureRequest) -> Iterator[Any]:
    with nestkit.practice.start(request.param) as p:
        yield p


@pytest.fixture
def p(shared: Any) -> Any:
    shared.reset()
    shared.set_faults(tools_after=0)
    return shared


@pytest.fixture
def si(p: Any) -> Any:
    return connect(p)


def nic(si: Any, network: str) -> Any:
    (found,) = [n for n in datacenter(si).network if n.name == network]
    card = D.VirtualEthernetCard
    if isinstance(found, vim.dvs.DistributedVirtualPortgroup):
        switch = found.config.distributedVirtualSwitch
        port = vim.dvs.PortConnection(switchUuid=switch.uuid, portgroupKey=found.key)
        backing = card.DistributedVirtualPortBackingInfo(port=port)
    else:
        backing = card.NetworkBackingInfo(deviceName=network, network=found)
    return Change(operation="add", device=D.VirtualVmxnet3(key=-10, backing=backing))


def disk(gib: int, *, thin: bool = True) -> list[Any]:
    backing = D.VirtualDisk.FlatVer2BackingInfo(
        fileName="", diskMode="persistent", thinProvisioned=thin
    )
    made = D.VirtualDisk(
        key=-2, controllerKey=-1, unitNumber=0, capacityInKB=gib * 2**20, backing=backing
    )
    controller = D.ParaVirtualSCSIController(key=-1, busNumber=0, sharedBus="noSharing")
    return [
        Change(operation="add", device=controller),
        Change(operation="add", fileOperation="create", device=made),
    ]


def cdrom(path: str, key: int = -5, operation: str = "add") -> Any:
    connected = D.VirtualDevice.ConnectInfo(
        startConnected=True, allowGuestControl=True, connected=True
    )
    drive = D.VirtualCdrom(
        key=key,
        controllerKey=200,
        unitNumber=0,
        backing=D.VirtualCdrom.IsoBackingInfo(fileName=path),
        connectable=connected,
    )
    return Change(operation=operation, device=drive)


def spec(si: Any, store: str, **more: Any) -> Any:
    given: dict[str, Any] = {
        "name": "lab-esxi-01",
        "guestId": "vmkernel8Guest",
        "version": "vmx-20",
        "firmware": "efi",
        "numCPUs": 4,
        "memoryMB": 16 * 1024,
        "memoryAllocation": vim.ResourceAllocationInfo(reservation=16 * 1024),
        "nestedHVEnabled": True,
        "files": vim.vm.FileInfo(vmPathName=f"[{store}]"),
        "deviceChange": [*disk(40), nic(si, "Nested Trunk"), nic(si, "Nested Trunk")],
    }
    return vim.vm.ConfigSpec(**{**given, **more})


def create(si: Any, config: Any, host: Any = None) -> Any:
    dc = datacenter(si)
    task = dc.vmFolder.CreateVM_Task(config, dc.hostFolder.childEntity[0].resourcePool, host)
    WaitForTask(task)
    return task.info.result


def store_of(si: Any, name: str) -> Any:
    (found,) = [s for s in datacenter(si).datastore if s.name == name]
    return found


def test_a_vm_is_created_as_asked(si: Any, p: Any) -> None:
    wanted = str(uuid.uuid4())
    vm = create(si, spec(si, STORE[p.kind], instanceUuid=wanted))
    assert (vm.name, vm.config.instanceUuid) == ("lab-esxi-01", wanted)
    assert (vm.config.guestId, vm.config.version) == ("vmkernel8Guest", "vmx-20")
    assert (vm.config.hardware.numCPU, vm.config.hardware.memoryMB) == (4, 16384)
    assert vm.config.memoryAllocation.reservation == 16384
    assert vm.config.nestedHVEnabled is True
    assert vm.runtime.powerState == "poweredOff"
    devices = vm.config.hardware.device
    assert [d.capacityInKB for d in devices if isinstance(d, D.VirtualDisk)] == [40 * 2**20]
    macs = [d.macAddress for d in devices if isinstance(d, D.VirtualVmxnet3)]
    assert len(set(macs)) == 2
    assert [n.name for n in vm.network] == ["Nested Trunk"]
    assert vm.config.files.vmPathName.startswith(f"[{STORE[p.kind]}] lab-esxi-01/")
    assert vm in datacenter(si).vmFolder.childEntity
    assert si.content.searchIndex.FindByUuid(None, wanted, True, True) == vm


def test_an_instance_uuid_that_is_taken_is_replaced(si: Any, p: Any) -> None:
    taken = vm_named(si, "nested-esxi-02").config.instanceUuid
    vm = create(si, spec(si, STORE[p.kind], instanceUuid=taken))
    assert vm.config.instanceUuid != taken


def test_an_image_with_a_kickstart_file_installs_by_itself(si: Any, p: Any) -> None:
    path = f"[{STORE[p.kind]}] {KICKSTART}"
    config = spec(si, STORE[p.kind])
    config.deviceChange.append(cdrom(path))
    vm = create(si, config)
    WaitForTask(vm.PowerOn())
    assert vm.guest.guestFullName is None
    assert vm.guest.toolsVersionStatus2 == "guestToolsNotInstalled"
    until(lambda: vm.guest.toolsRunningStatus == "guestToolsRunning")
    assert "ESXi" in vm.guest.guestFullName
    WaitForTask(vm.PowerOff())
    WaitForTask(vm.PowerOn())  # from its disk now
    assert "ESXi" in vm.guest.guestFullName
    until(lambda: vm.guest.toolsRunningStatus == "guestToolsRunning")


@pytest.mark.parametrize("image", [VENDOR, "iso/debian-12-netinst.iso", None])
def test_without_a_kickstart_file_the_guest_reports_nothing(si: Any, p: Any, image: Any) -> None:
    config = spec(si, STORE[p.kind])
    if image:
        config.deviceChange.append(cdrom(f"[{STORE[p.kind]}] {image}"))
    vm = create(si, config)
    WaitForTask(vm.PowerOn())
    with pytest.raises(AssertionError, match="did not happen"):
        until(lambda: vm.guest.guestFullName is not None, 2.5)


def test_media_are_put_in_and_taken_out(si: Any, p: Any) -> None:
    vm, path = vm_named(si, "nested-esxi-05"), f"[{STORE[p.kind]}] {VENDOR}"

    def drives() -> list[Any]:
        return [d for d in vm.config.hardware.device if isinstance(d, D.VirtualCdrom)]

    def change(one: Any) -> None:
        WaitForTask(vm.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[one])))

    change(cdrom(path))
    assert [d.backing.fileName for d in drives()] == [path]
    key = drives()[0].key
    with pytest.raises(vim.fault.FileNotFound):
        change(cdrom(f"[{STORE[p.kind]}] iso/none.iso", key, "edit"))
    change(cdrom(f"[{STORE[p.kind]}] {KICKSTART}", key, "edit"))
    assert drives()[0].backing.fileName.endswith("kickstart.iso")
    change(Change(operation="remove", device=drives()[0]))
    assert not drives()


REFUSED: list[tuple[str, dict[str, Any], Any]] = [
    ("name taken", {"name": "nested-esxi-01"}, vim.fault.DuplicateName),
    ("no name", {"name": ""}, vmodl.fault.InvalidArgument),
    ("name too long", {"name": "x" * 81}, vim.fault.InvalidName),
    ("memory", {"memoryMB": 16385}, vmodl.fault.InvalidArgument),
    ("version", {"version": "vmx-99"}, vmodl.fault.InvalidArgument),
    ("old version", {"version": "vmx-08"}, vim.fault.InvalidVmConfig),
    ("uuid", {"instanceUuid": "none"}, vmodl.fault.InvalidArgument),
    ("store", {"files": vim.vm.FileInfo(vmPathName="[none]")}, vim.fault.InvalidDatastore),
    ("path", {"files": vim.vm.FileInfo(vmPathName="vm.vmx")}, vim.fault.InvalidDatastorePath),
    ("reservation", {"memoryMB": 2**20, "memoryAllocation": vim.ResourceAllocationInfo(
        reservation=2**20)}, vim.fault.InsufficientMemoryResourcesFault),
    ("image", {"deviceChange": [cdrom("[datastore1] iso/none.iso")]}, vim.fault.FileNotFound),
    ("disk", {"deviceChange": disk(60_000, thin=False)}, vim.fault.NoDiskSpace),
    ("disk of 63 TB", {"deviceChange": disk(63 * 1024)}, vim.fault.InvalidDeviceSpec),
]  # fmt: skip


@pytest.mark.parametrize(("what", "more", "fault"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_refused_leaves_nothing(
    si: Any, p: Any, what: str, more: dict[str, Any], fault: Any
) -> None:
    before = len(datacenter(si).vmFolder.childEntity)
    free = store_of(si, STORE[p.kind]).summary.freeSpace
    with pytest.raises(fault):
        create(si, spec(si, STORE[p.kind], **more))
    assert len(datacenter(si).vmFolder.childEntity) == before
    assert store_of(si, STORE[p.kind]).summary.freeSpace == free


def test_a_vm_is_removed_with_its_disks_and_only_when_off(si: Any, p: Any) -> None:
    store = store_of(si, STORE[p.kind])
    free = store.summary.freeSpace
    config = spec(si, STORE[p.kind])
    config.deviceChange = [*disk(40, thin=False), nic(si, "Nested Trunk")]
    vm = create(si, config)
    assert store.summary.freeSpace == free - 40 * 2**30
    WaitForTask(vm.PowerOn())
    with pytest.raises(vim.fault.InvalidPowerState):
        WaitForTask(vm.Destroy_Task())
    WaitForTask(vm.PowerOff())
    WaitForTask(vm.Destroy_Task())
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        _ = vm.name
    assert store.summary.freeSpace == free
    create(si, config)  # the name is free again


def test_hardware_is_upgraded_once_and_only_when_off(si: Any, p: Any) -> None:
    vm = vm_named(si, {"esx": "nested-esxi-03", "vpx": "nested-esxi-04"}[p.kind])
    WaitForTask(vm.UpgradeVM_Task("vmx-19"))
    assert vm.config.version == "vmx-19"
    with pytest.raises(vim.fault.AlreadyUpgraded):
        WaitForTask(vm.UpgradeVM_Task("vmx-19"))
    with pytest.raises(vim.fault.InvalidPowerState):
        WaitForTask(vm_named(si, "nested-esxi-02").UpgradeVM_Task("vmx-21"))


def search(browser: Any, path: str, **given: Any) -> Any:
    task = browser.SearchDatastore_Task(path, vim.host.DatastoreBrowser.SearchSpec(**given))
    WaitForTask(task)
    return task.info.result


def test_images_are_found_by_browsing(si: Any, p: Any) -> None:
    name = STORE[p.kind]
    browser = store_of(si, name).browser
    details = vim.host.DatastoreBrowser.FileInfo.Details(
        fileType=True, fileSize=True, modification=False, fileOwner=False
    )
    found = search(browser, f"[{name}] iso", matchPattern=["*.ISO"], details=details)
    assert {f.path for f in found.file} >= {VENDOR.removeprefix("iso/")}
    assert all(f.fileSize > 100 * 2**20 for f in found.file)
    top = search(browser, f"[{name}]")
    assert "iso" in {f.path for f in top.file}
    exact = search(browser, f"[{name}] iso", matchPattern=["*.ISO"], searchCaseInsensitive=False)
    assert not exact.file
    query = [vim.host.DatastoreBrowser.VmDiskQuery()]
    task = browser.SearchDatastoreSubFolders_Task(
        f"[{name}]", vim.host.DatastoreBrowser.SearchSpec(query=query)
    )
    WaitForTask(task)
    disks = [f.path for folder in task.info.result for f in folder.file]
    assert disks and all(path.endswith(".vmdk") for path in disks)
    for path, fault in (
        (f"[{name}] none", vim.fault.FileNotFound),
        ("[none] iso", vim.fault.InvalidDatastore),
        ("iso", vim.fault.InvalidDatastorePath),
    ):
        with pytest.raises(fault):
            search(browser, path)


def test_hosts_that_can_run_no_vm_get_none() -> None:
    with nestkit.practice.start("vpx", profile="no-hosts") as p:
        si = connect(p)
        with pytest.raises((vim.fault.InvalidState, vmodl.fault.HostNotConnected)):
            create(si, spec(si, STORE["vpx"]))
    with nestkit.practice.start("esx", profile="maintenance") as p:
        si = connect(p)
        with pytest.raises(vim.fault.InvalidState):
            create(si, spec(si, STORE["esx"]))


def test_a_full_datastore_takes_no_vm() -> None:
    with nestkit.practice.start("esx", profile="full-datastore") as p:
        si = connect(p)
        with pytest.raises(vim.fault.NoDiskSpace):
            create(si, spec(si, STORE["esx"]))


def test_a_user_who_may_only_look_creates_and_removes_nothing() -> None:
    with nestkit.practice.start("esx", profile="readonly") as p:
        si = connect(p)
        with pytest.raises(vim.fault.NoPermission):
            create(si, spec(si, STORE["esx"]))
        with pytest.raises(vim.fault.NoPermission):
            vm_named(si, "nested-esxi-05").Destroy_Task()
