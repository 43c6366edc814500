"""A plan as steps for Hyper-V Manager, with the PowerShell lines for what it has no switch for.

Where things are: Hyper-V Manager of Windows Server 2022 and Server Manager in the guest.
"""

from __future__ import annotations

import ipaddress

from nestkit.plans import Plan, Step, new_disk_gib
from nestkit.scripts.outline import header, unknown_step
from nestkit.scripts.powershell import line_for
from nestkit.scripts.quoting import powershell
from nestkit.wording import plain


def write(plan: Plan) -> str:
    """Numbered plain text."""
    lines = [plain(line) for line in header(plan)]
    lines += ["", "Hyper-V Manager: virtmgmt.msc on the host, connected to the host above."]
    for number, step in enumerate(plan.steps, start=1):
        first, *more = _step(step, plan)
        lines += ["", f"{number}. {first}", *(f"   - {line}" for line in more)]
    if plan.steps:
        number = len(plan.steps) + 1
        lines += ["", f"{number}. Check the result: nestkit preflight ADDRESS --vm NAME"]
    else:
        lines += ["", "Nothing is left to do."]
    return "\n".join(lines) + "\n"


def _step(step: Step, plan: Plan) -> list[str]:
    vm = f'"{plain(plan.vm.name)}"'
    settings = f"Right-click {vm} > Settings"
    if step.op == "shutdown_guest":
        return [
            f"Shut down the guest of {vm}.",
            f"Right-click {vm} > Shut Down. (Turn Off would pull the plug.)",
            "Wait until its state is Off.",
        ]
    if step.op == "power_off":
        return [
            f"Turn off {vm}: the plug is pulled, what is not saved in the guest is lost.",
            f"Right-click {vm} > Turn Off",
        ]
    if step.op == "discard_saved_state":
        return [
            f"Throw away the saved state of {vm}: what it had in memory is lost.",
            f"Right-click {vm} > Delete Saved State",
        ]
    if step.op == "power_on":
        return [
            f"Start {vm}.",
            f"Right-click {vm} > Start",
            "Its state must become Running. On AMD, a host that cannot nest says so only now.",
        ]
    if step.op == "create_vm":
        return _create(step)
    if step.property == "nested_hv":
        line = line_for(step)
        if plan.creates_vm:  # its Id is not known before it is created
            where = powershell(f"*\\nestkit-{step.target.id}\\*")
            found = f"(Hyper-V\\Get-VM | Where-Object Path -like {where})"
            line = f"Hyper-V\\Set-VMProcessor -VM {found} -ExposeVirtualizationExtensions $true"
        return [
            "Expose the virtualization extensions.",
            "Hyper-V Manager has no switch for this. In PowerShell on the host, as an "
            "administrator, run:",
            line,
        ]
    if step.property == "cpu":
        return [
            "Set the virtual processors.",
            f"{settings} > Processor > Number of virtual processors: {int(step.after['count'])}",
        ]
    if step.property == "memory":
        return _memory(step, settings)
    if step.property == "mac_spoofing" and step.target.kind == "vm":
        return [
            "Set MAC address spoofing of its network adapter.",
            f"{settings} > Network Adapter > Advanced Features",
            ("Tick" if step.after else "Clear") + ' "Enable MAC address spoofing". OK.',
        ]
    if step.property == "mac_spoofing":
        return [
            f'Set MAC address spoofing of NIC "{plain(step.target.name)}".',
            f"{settings} > the network adapter > Advanced Features",
            ("Tick" if step.after else "Clear") + ' "Enable MAC address spoofing". OK.',
            f"If several adapters have that name: the one with the id {plain(step.target.id)}",
        ]
    if step.property == "configuration_version":
        return [
            f"Upgrade the configuration version to {plain(str(step.after))}; there is no way back.",
            f"Right-click {vm} > Upgrade Configuration Version",
        ]
    if step.op == "install_role":
        return [
            f"Install Hyper-V inside {vm}, not on the host.",
            f"Right-click {vm} > Connect, and sign in to the guest.",
            "In the guest: Server Manager > Manage > Add Roles and Features > Hyper-V, with the "
            "management tools; let it restart.",
            "Back in the guest: Tools > Hyper-V Manager must show the guest as a host.",
        ]
    if step.property == "guest_nat":
        return _nat(step)
    raise unknown_step(step, "GUI steps")


def _create(step: Step) -> list[str]:
    wanted = {name: plain(str(value)) for name, value in step.after.items()}
    size = new_disk_gib(step.after)
    disk = (
        f"Create a virtual hard disk: {wanted['disk']}, {size} GB"
        if size
        else f"Use an existing virtual hard disk: {wanted['disk']}"
    )
    return [
        f'Create the VM "{wanted["name"]}".',
        "Action > New > Virtual Machine",
        f"Store it in: {wanted['folder']}",
        f"Generation {wanted['generation']}. Startup memory: {wanted['memory_mib']} MB, without "
        "Dynamic Memory.",
        f"Connection: {wanted['switch']}",
        disk,
    ]


def _memory(step: Step, settings: str) -> list[str]:
    after = step.after
    lines = [
        "Set the memory.",
        f"{settings} > Memory > RAM: {int(after['startup_mib'])} MB",
    ]
    if not after["dynamic"]:
        return [*lines, 'Clear "Enable Dynamic Memory". OK.']
    return [
        *lines,
        f'Tick "Enable Dynamic Memory". Minimum RAM: {int(after["minimum_mib"])} MB, '
        f"maximum RAM: {int(after['maximum_mib'])} MB. OK.",
    ]


def _nat(step: Step) -> list[str]:
    network = ipaddress.IPv4Network(str(step.after or step.before))
    if not step.after:
        return [
            "Take the NAT inside the guest away. In PowerShell in the guest:",
            "NetNat\\Remove-NetNat -Name nestkit-nat",
            "Hyper-V Manager in the guest > Virtual Switch Manager > nestkit-nat > Remove",
        ]
    return [
        "Give the guest a NAT for its own VMs.",
        "Hyper-V Manager in the guest > Virtual Switch Manager > Internal > Create; "
        "name it nestkit-nat.",
        "Windows has no window for NAT. In PowerShell in the guest, as an administrator, run:",
        f"NetTCPIP\\New-NetIPAddress -IPAddress {network[1]} -PrefixLength {network.prefixlen} "
        "-InterfaceAlias 'vEthernet (nestkit-nat)'",
        f"NetNat\\New-NetNat -Name nestkit-nat -InternalIPInterfaceAddressPrefix {network}",
        f"Give each VM inside an address of {network} by hand: this NAT has no DHCP.",
    ]
