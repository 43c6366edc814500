"""Functions of the pyVmomi script that only some plans need, by the property they are for.

Names: the vSphere Web Services API reference (VirtualMachineConfigSpec, VirtualDevice and below,
DVPortgroupConfigSpec).
"""

from __future__ import annotations

from typing import Final

_CREATE: Final = '''
def device(item, create_file=False):
    kind = vim.vm.device.VirtualDeviceSpec
    spec = kind(operation=kind.Operation.add, device=item)
    if create_file:
        spec.fileOperation = kind.FileOperation.create
    return spec


def network_card(number, network):
    card = vim.vm.device.VirtualVmxnet3(key=-200 - number, addressType="generated")
    card.connectable = vim.vm.device.VirtualDevice.ConnectInfo(
        startConnected=True, allowGuestControl=True, connected=False
    )
    backing = vim.vm.device.VirtualEthernetCard
    if network["key"]:
        port = vim.dvs.PortConnection(portgroupKey=network["key"], switchUuid=network["switch"])
        card.backing = backing.DistributedVirtualPortBackingInfo(port=port)
    else:
        card.backing = backing.NetworkBackingInfo(deviceName=network["name"])
    return card


def create(content, wanted):
    """A new VM on the host it was planned for."""
    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.HostSystem], True)
    hosts = [host for host in view.view if host._moId == wanted["created_on"]]
    view.Destroy()
    if len(hosts) != 1:
        sys.exit("the host that the VM was planned for is gone")
    place = hosts[0]
    while not isinstance(place, vim.Datacenter):
        place = place.parent
    scsi = vim.vm.device.ParaVirtualSCSIController(
        key=1000, busNumber=0, sharedBus="noSharing", scsiCtlrUnitNumber=7
    )
    sata = vim.vm.device.VirtualAHCIController(key=15000, busNumber=0)
    drive = vim.vm.device.VirtualCdrom(key=-300, controllerKey=15000, unitNumber=0)
    drive.backing = vim.vm.device.VirtualCdrom.RemotePassthroughBackingInfo(
        deviceName="", useAutoDetect=False
    )
    drive.connectable = vim.vm.device.VirtualDevice.ConnectInfo(
        startConnected=False, allowGuestControl=True, connected=False
    )
    disks = []
    for number, size in enumerate(wanted["disks_mib"]):
        disk = vim.vm.device.VirtualDisk(
            key=-100 - number, controllerKey=1000, unitNumber=number, capacityInKB=size * 1024
        )
        disk.backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(
            fileName="", diskMode="persistent", thinProvisioned=True
        )
        disks.append(device(disk, create_file=True))
    cards = [device(network_card(n, each)) for n, each in enumerate(wanted["networks"])]
    spec = vim.vm.ConfigSpec(
        name=wanted["name"],
        instanceUuid=VM_UUID,
        version="vmx-%02d" % wanted["hardware_version"],
        guestId=wanted["guest_id"],
        firmware=wanted["firmware"],
        files=vim.vm.FileInfo(vmPathName="[" + wanted["datastore"] + "]"),
        numCPUs=wanted["cpu_count"],
        memoryMB=wanted["memory_mib"],
        memoryAllocation=vim.ResourceAllocationInfo(reservation=wanted["reservation_mib"]),
        memoryReservationLockedToMax=wanted["reservation_locked"],
        nestedHVEnabled=wanted["nested_hv"],
        extraConfig=[
            vim.option.OptionValue(key="nestkit.created_on", value=wanted["created_on"])
        ],
        deviceChange=[device(scsi), device(sata), *disks, *cards, device(drive)],
    )
    pool = hosts[0].parent.resourcePool
    task = place.vmFolder.CreateVM_Task(config=spec, pool=pool, host=hosts[0])
    WaitForTask(task)
    return task.info.result
'''
_CDROM: Final = '''
def insert(vm, path, at_power_on):
    """An ISO into the VM's first CD/DVD drive; an empty path takes it out."""
    kind = vim.vm.device.VirtualCdrom
    drives = [each for each in vm.config.hardware.device if isinstance(each, kind)]
    if not drives:
        sys.exit("the VM has no CD/DVD drive: add one, then run this again")
    drive = drives[0]
    if path:
        drive.backing = kind.IsoBackingInfo(fileName=path)
    else:
        drive.backing = kind.RemotePassthroughBackingInfo(deviceName="", useAutoDetect=False)
    drive.connectable = vim.vm.device.VirtualDevice.ConnectInfo(
        startConnected=at_power_on, allowGuestControl=True, connected=False
    )
    change = vim.vm.device.VirtualDeviceSpec(operation="edit", device=drive)
    WaitForTask(vm.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[change])))
'''
_MAC: Final = '''
def set_mac_management(vm, key, wanted):
    """Read, modify, write: all else of the port group stays as it is."""
    kind = vim.dvs.DistributedVirtualPortgroup
    found = [net for net in vm.network if isinstance(net, kind) and net.key == key]
    if len(found) != 1:
        sys.exit("the VM is not in the distributed port group that the plan names")
    group = found[0]
    setting = group.config.defaultPortConfig
    flags = ("allowPromiscuous", "forgedTransmits", "macChanges")
    values = (wanted["promiscuous"], wanted["forged_transmits"], wanted["mac_changes"])
    policy = setting.macManagementPolicy
    if policy is None:  # a switch older than 6.6 has the older policy only
        policy = setting.securityPolicy
        values = [vim.BoolPolicy(inherited=wanted["inherited"], value=v) for v in values]
    else:
        if policy.macLearningPolicy is None:
            policy.macLearningPolicy = vim.dvs.VmwareDistributedVirtualSwitch.MacLearningPolicy()
        learning = policy.macLearningPolicy
        learning.inherited = wanted["inherited"]
        learning.enabled = wanted["mac_learning"]
        learning.allowUnicastFlooding = wanted["unicast_flooding"]
        learning.limit = wanted["limit"] or None
        learning.limitPolicy = wanted["limit_policy"] or None
    policy.inherited = wanted["inherited"]
    for flag, value in zip(flags, values):
        setattr(policy, flag, value)
    spec = kind.ConfigSpec(
        configVersion=group.config.configVersion, defaultPortConfig=setting
    )
    WaitForTask(group.ReconfigureDVPortgroup_Task(spec))
    after = group.config.defaultPortConfig.macManagementPolicy
    if wanted["mac_learning"] and not (after and after.macLearningPolicy.enabled):
        sys.exit("the port group did not take MAC learning: is the switch older than 6.6?")
'''
HELPERS: Final = {
    name: text.removeprefix("\n")
    for name, text in (("vm", _CREATE), ("cdrom", _CDROM), ("mac_management", _MAC))
}
