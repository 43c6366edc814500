"""A plan as a PowerShell script for a Hyper-V host.

Cmdlets and parameters: Microsoft Learn, modules Hyper-V, ServerManager and NetNat. They carry
their module's name, because PowerCLI has Get-VM, Start-VM and Stop-VM as well.
"""

from __future__ import annotations

import ipaddress

from nestkit.plans import GUEST_PROPERTIES, Plan, Step, new_disk_gib
from nestkit.scripts.outline import header, remarks, unknown_step
from nestkit.scripts.quoting import powershell, remark

_TOP = r"""
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Import-Module Hyper-V

function Get-NestedVM {
__FIND__
}

function Get-NestedNic([string] $Id) {
    $found = @(Hyper-V\Get-VMNetworkAdapter -VM (Get-NestedVM) |
        Where-Object { [string]$_.Id -eq $Id })
    if ($found.Count -ne 1) { throw "$($found.Count) NICs of the VM have the id $Id" }
    $found[0]
}

function Assert-State([string] $State) {
    $now = [string](Get-NestedVM).State
    if ($now -ne $State) { throw "the VM is $now, it should be $State" }
}
"""
_BY_ID = r"""    # by Id: names repeat, and Get-VM -Name reads * and ? as wildcards
    Hyper-V\Get-VM -Id $vmId"""
_BY_FOLDER = r"""    # Hyper-V gives a new VM an Id of its own: its folder tells which one it is
    $mark = "nestkit-$vmId"
    $found = @(Hyper-V\Get-VM | Where-Object { ([string]$_.Path -split '\\') -contains $mark })
    if ($found.Count -ne 1) { throw "$($found.Count) VMs lie in a folder nestkit-$vmId" }
    $found[0]"""
_PARAM = """
# run it with -Guest (Get-Credential): an administrator of the guest, not of this host
param([pscredential] $Guest)
"""
_INSIDE = r"""
function Wait-Guest([int] $Seconds) {
    # PowerShell Direct answers a while after a start
    $end = (Get-Date).AddSeconds($Seconds)
    while ($true) {
        try {
            return Invoke-Command -VMId $vmId -Credential $Guest -ScriptBlock {
                [string](ServerManager\Get-WindowsFeature -Name Hyper-V).InstallState
            }
        } catch {
            # a wrong password stays wrong, and asking again may lock the account
            $refused = $_.FullyQualifiedErrorId -like 'PSDirectException*'
            if ($refused -or (Get-Date) -gt $end) { throw }
        }
        Start-Sleep -Seconds 5
    }
}
"""
_STOP = r"""
function Stop-NestedVM([int] $Seconds) {
    # without -TurnOff this asks the guest, and one that has just started cannot answer yet
    $end = (Get-Date).AddSeconds($Seconds)
    while ($true) {
        try {
            Hyper-V\Stop-VM -VM (Get-NestedVM) -Confirm:$false
            return
        } catch {
            if ((Get-Date) -gt $end) { throw }
        }
        Start-Sleep -Seconds 2
    }
}
"""


def write(plan: Plan) -> str:
    """The script, for Windows PowerShell 5.1 on the host itself, as an administrator."""
    parts = [
        "# For Windows PowerShell 5.1 on the Hyper-V host, as an administrator.",
        *(f"# {remark(line)}" for line in header(plan)),
    ]
    enters = any(step.property in GUEST_PROPERTIES for step in plan.steps)
    top = _TOP.replace("__FIND__", _BY_FOLDER if plan.creates_vm else _BY_ID)
    stops = any(step.op == "shutdown_guest" for step in plan.steps)
    text = "\n".join(parts) + (_PARAM if enters else "") + top
    text += (_STOP if stops else "") + (_INSIDE if enters else "")
    body = ["", f"$vmId = {powershell(plan.vm.id)}"]
    if enters:
        body += ["if ($null -eq $Guest) { throw 'give -Guest (Get-Credential), see above' }"]
    for number, step in enumerate(plan.steps, start=1):
        body += ["", *remarks(number, step), *_step(step)]
    return text + "\n".join(body) + "\n"


def line_for(step: Step) -> str:
    """The one line that exposes the extensions; Hyper-V Manager has nothing for it."""
    truth = _truth(bool(step.after))
    vm = f"(Hyper-V\\Get-VM -Id {powershell(step.target.id)})"
    return f"Hyper-V\\Set-VMProcessor -VM {vm} -ExposeVirtualizationExtensions {truth}"


def _step(step: Step) -> list[str]:
    if step.op == "shutdown_guest":
        return ["Stop-NestedVM 20", "Assert-State 'Off'"]
    if step.op == "power_off":
        return ["Hyper-V\\Stop-VM -VM (Get-NestedVM) -TurnOff -Force", "Assert-State 'Off'"]
    if step.op == "discard_saved_state":
        return ["Hyper-V\\Remove-VMSavedState -VM (Get-NestedVM)", "Assert-State 'Off'"]
    if step.op == "power_on":
        return [
            "Hyper-V\\Start-VM -VM (Get-NestedVM)",
            "# the settings above can succeed on a host that then cannot start the VM",
            "Assert-State 'Running'",
        ]
    if step.op == "install_role":
        return _install()
    if step.op == "create_vm":
        return _create(step)
    if step.op == "destroy_vm":
        return ["# its disk files stay", "Hyper-V\\Remove-VM -VM (Get-NestedVM) -Force"]
    if step.op == "set_property":
        return _set(step)
    raise unknown_step(step, "PowerShell")


def _set(step: Step) -> list[str]:
    after = step.after
    if step.property == "nested_hv":
        return [
            "Hyper-V\\Set-VMProcessor -VM (Get-NestedVM) "
            f"-ExposeVirtualizationExtensions {_truth(after)}"
        ]
    if step.property == "cpu":
        return [f"Hyper-V\\Set-VMProcessor -VM (Get-NestedVM) -Count {int(after['count'])}"]
    if step.property == "memory":
        arguments = f"-DynamicMemoryEnabled {_truth(after['dynamic'])}"
        arguments += f" -StartupBytes {int(after['startup_mib'])}MB"
        if after["dynamic"]:
            arguments += f" -MinimumBytes {int(after['minimum_mib'])}MB"
            arguments += f" -MaximumBytes {int(after['maximum_mib'])}MB"
        return [f"Hyper-V\\Set-VMMemory -VM (Get-NestedVM) {arguments}"]
    if step.property == "mac_spoofing" and step.target.kind == "vm":
        return [
            "Hyper-V\\Get-VMNetworkAdapter -VM (Get-NestedVM) |",
            f"    Hyper-V\\Set-VMNetworkAdapter -MacAddressSpoofing {'On' if after else 'Off'}",
        ]
    if step.property == "mac_spoofing":
        return [
            f"$nic = Get-NestedNic {powershell(step.target.id)}",
            "Hyper-V\\Set-VMNetworkAdapter -VMNetworkAdapter $nic "
            f"-MacAddressSpoofing {'On' if after else 'Off'}",
        ]
    if step.property == "configuration_version":
        return ["# there is no way back", "Hyper-V\\Update-VMVersion -VM (Get-NestedVM) -Force"]
    if step.property == "guest_nat":
        return _nat(str(step.before), str(after))
    raise unknown_step(step, "PowerShell")


def _create(step: Step) -> list[str]:
    wanted = step.after
    lines = [
        "$arguments = @{",
        f"    Name = {powershell(wanted['name'])}",
        f"    Generation = {int(wanted['generation'])}",
        f"    MemoryStartupBytes = {int(wanted['memory_mib'])}MB",
        f"    Path = {powershell(wanted['folder'])}",
        f"    SwitchName = {powershell(wanted['switch'])}",
        "}",
        f"$disk = {powershell(wanted['disk'])}",
    ]
    size = new_disk_gib(wanted)
    if size:
        lines += ["$arguments.NewVHDPath = $disk", f"$arguments.NewVHDSizeBytes = {size}GB"]
    else:
        lines.append("$arguments.VHDPath = $disk")
    return [*lines, "$null = Hyper-V\\New-VM @arguments"]


def _install() -> list[str]:
    return [
        "# inside the guest: without Invoke-Command the role would land on this host",
        "if ((Wait-Guest 300) -eq 'Available') {",
        "    Invoke-Command -VMId $vmId -Credential $Guest -ScriptBlock {",
        "        ServerManager\\Install-WindowsFeature -Name Hyper-V -IncludeAllSubFeature "
        "-IncludeManagementTools",
        "    }",
        "}",
        "if ((Wait-Guest 60) -eq 'InstallPending') {",
        "    Invoke-Command -VMId $vmId -Credential $Guest -ScriptBlock {",
        "        Restart-Computer -Force",
        "    }",
        "}",
        "$end = (Get-Date).AddSeconds(900)",
        "while ((Wait-Guest 900) -ne 'Installed') {",
        "    if ((Get-Date) -gt $end) { throw 'the guest did not come back with Hyper-V' }",
        "    Start-Sleep -Seconds 5",
        "}",
    ]


def _nat(before: str, after: str) -> list[str]:
    network = ipaddress.IPv4Network(after or before)
    name = powershell("nestkit-nat")
    inner = (
        [
            f"    $null = Hyper-V\\New-VMSwitch -Name {name} -SwitchType Internal",
            f"    $null = NetTCPIP\\New-NetIPAddress -IPAddress {network[1]} "
            f"-PrefixLength {network.prefixlen} -InterfaceAlias 'vEthernet (nestkit-nat)'",
            f"    $null = NetNat\\New-NetNat -Name {name} "
            f"-InternalIPInterfaceAddressPrefix {network}",
        ]
        if after
        else [
            f"    NetNat\\Remove-NetNat -Name {name} -Confirm:$false",
            f"    Hyper-V\\Remove-VMSwitch -Name {name} -Force",
        ]
    )
    return [
        "$null = Wait-Guest 300",
        "Invoke-Command -VMId $vmId -Credential $Guest -ScriptBlock {",
        *inner,
        "}",
        f"# each VM inside needs an address of {network} by hand: this NAT has no DHCP",
    ]


def _truth(value: bool) -> str:
    return "$true" if value else "$false"
