"""A plan as steps for the VMware Host Client and the vSphere Client.

Where things are: VMware Host Client and vSphere Virtual Machine Administration 8.0.
"""

from __future__ import annotations

from nestkit.plans import Plan, Step
from nestkit.scripts.outline import (
    MAC_FLAGS,
    POLICIES,
    changed_policies,
    header,
    networks_of,
    unknown_step,
)
from nestkit.wording import plain

_VM_SETTINGS = (
    "Host Client: Virtual Machines > {vm} > Edit; vSphere Client: right-click {vm} > Edit Settings"
)


def write(plan: Plan) -> str:
    """Numbered plain text."""
    lines = [plain(line) for line in header(plan)]
    lines += ["", "vSphere Client is vCenter's; Host Client is https://HOST/ui of one ESXi host."]
    for number, step in enumerate(plan.steps, start=1):
        first, *more = _step(step, plan)
        lines += ["", f"{number}. {first}", *(f"   - {line}" for line in more)]
    if plan.steps:
        lines += [
            "",
            f"{len(plan.steps) + 1}. Check the result: nestkit preflight ADDRESS --vm NAME",
        ]
    else:
        lines += ["", "Nothing is left to do."]
    return "\n".join(lines) + "\n"


def _step(step: Step, plan: Plan) -> list[str]:
    vm = f'"{plain(plan.vm.name)}"'
    settings = _VM_SETTINGS.format(vm=vm)
    if step.op == "shutdown_guest":
        return [
            f"Shut down the guest of {vm}.",
            "Actions > Guest OS > Shut down (Host Client), Power > Shut Down Guest OS (vSphere)",
            "Wait until the VM is shown as powered off.",
        ]
    if step.op == "power_off":
        return [
            f"Power off {vm}: the plug is pulled, what is not saved in the guest is lost.",
            "Actions > Power > Power off",
        ]
    if step.op == "power_on":
        return [
            f"Power on {vm}.",
            "Actions > Power > Power on",
            "The installer starts: install ESXi within the VM."
            if any(each.property == "cdrom" for each in plan.steps)
            else "If it has no hypervisor yet: attach the ESXi installer ISO as its CD/DVD drive, "
            "connected at power on, and install ESXi within the VM.",
        ]
    if step.property == "nested_hv":
        word = "Tick" if step.after else "Clear"
        return [
            "Expose hardware virtualization.",
            settings,
            f'Expand CPU. {word} "Expose hardware assisted virtualization to the guest OS". Save.',
        ]
    if step.property == "cpu":
        return [
            "Set the virtual CPUs.",
            settings,
            f"CPU: {int(step.after['count'])}; cores per socket: "
            f"{int(step.after['cores_per_socket'])}. Save.",
        ]
    if step.property == "memory":
        locked = step.after["reservation_locked"]
        return [
            "Set the memory and reserve it.",
            settings,
            f"Memory: {int(step.after['size_mib'])} MB. Expand it.",
            'Tick "Reserve all guest memory (All locked)". Save.'
            if locked
            else f"Reservation: {int(step.after['reservation_mib'])} MB. Save.",
        ]
    if step.op == "create_vm":
        return _create(step, plan)
    if step.op == "destroy_vm":
        return [f"Remove {vm} and its disks.", "Actions > Delete (Host Client), Delete from Disk"]
    if step.property == "cdrom":
        return _cdrom(step, vm, settings)
    if step.property == "hardware_version":
        return [
            f"Upgrade the hardware version of {vm}: this cannot be taken back.",
            "Host Client: Actions > Upgrade VM Compatibility; vSphere Client: right-click > "
            "Compatibility > Upgrade VM Compatibility",
            f"Choose the release that has hardware version {int(step.after)}.",
        ]
    if step.property == "mac_management":
        return _mac_management(step)
    if step.property == "security":
        return _security(step)
    raise unknown_step(step, "GUI steps")


def _create(step: Step, plan: Plan) -> list[str]:
    wanted = step.after
    networks = ", ".join(f'"{plain(name)}"' for name in networks_of(plan, step))
    return [
        f'Create the VM "{plain(wanted["name"])}".',
        "Host Client: Virtual Machines > Create / Register VM > Create a new virtual machine; "
        "vSphere Client: right-click the host > New Virtual Machine",
        f"Compatibility: the release that has hardware version {int(wanted['hardware_version'])}.",
        "Guest OS family: Other; guest OS version: VMware ESXi of the release to install "
        f"({plain(wanted['guest_id'])}).",
        f'Storage: datastore "{plain(wanted["datastore"])}".',
        f"CPU: {int(wanted['cpu_count'])}. Expand it and tick "
        '"Expose hardware assisted virtualization to the guest OS".',
        f"Memory: {int(wanted['memory_mib'])} MB. Expand it."
        + (
            ' Tick "Reserve all guest memory (All locked)".'
            if wanted["reservation_locked"]
            else f" Reservation: {int(wanted['reservation_mib'])} MB."
        ),
        f"Hard disk 1: {int(wanted['disks_mib'][0]) // 1024} GB, thin provisioned, on a VMware "
        "Paravirtual SCSI controller.",
        f"Network adapters, each of type VMXNET 3, in this order: {networks}.",
        "VM Options > Boot Options > Firmware: EFI. Finish.",
    ]


def _cdrom(step: Step, vm: str, settings: str) -> list[str]:
    if not step.after["iso"]:
        return [
            f"Take the installer out of {vm}.",
            settings,
            'CD/DVD drive: "Client device"; clear "Connect at power on". Save.',
        ]
    return [
        f"Put the installer into {vm}.",
        settings,
        'CD/DVD drive: "Datastore ISO file".',
        f'Choose "{plain(step.after["iso"])}".',
        'Tick "Connect at power on". Save.',
    ]


def _mac_management(step: Step) -> list[str]:
    after = step.after
    words = {True: "Accept", False: "Reject"}
    name = f'"{plain(step.target.name)}"'
    lines = [
        f"Set the security of distributed port group {name}.",
        f"vSphere Client: Networking > {name} > Configure > Policies > Edit > Security",
        *(f"{POLICIES[key][1]}: {words[bool(after[key])]}" for key in MAC_FLAGS),
    ]
    if after["mac_learning"]:
        flooding = "Enable" if after["unicast_flooding"] else "Disable"
        lines += [
            "MAC learning: Enable (the switch must be of version 6.6 or newer)",
            f"Unknown unicast flooding: {flooding}; MAC limit: {int(after['limit'])}; "
            f"MAC limit policy: {plain(str(after['limit_policy'])).capitalize()}",
        ]
    else:
        lines.append("MAC learning: Disable")
    return [*lines, "OK."]


def _security(step: Step) -> list[str]:
    words = {"accept": "Accept", "reject": "Reject", "inherit": "Inherit from vSwitch"}
    name = f'"{plain(step.target.name)}"'
    return [
        f"Set the security of port group {name}, not of the whole switch.",
        f"Host Client: Networking > Port groups > {name} > Edit settings > Security",
        "vSphere Client: host > Configure > Virtual switches > the port group > Edit > Security, "
        "with Override ticked for each setting that is not inherited",
        *(f"{POLICIES[key][1]}: {words[value]}" for key, value in changed_policies(step).items()),
        "Save.",
    ]
