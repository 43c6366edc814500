"""A plan as a PowerCLI script.

Cmdlets and parameters: the VMware PowerCLI reference (module VMware.VimAutomation.Core). They
carry their module's name, because Hyper-V's module has Get-VM, Start-VM and Stop-VM as well.
"""

from __future__ import annotations

from nestkit.plans import Plan, Step
from nestkit.scripts.outline import POLICIES, changed_policies, describe, header, unknown_step
from nestkit.scripts.quoting import powershell, remark

_CORE = "VMware.VimAutomation.Core"
_TOP = rf"""
param(
    [Parameter(Mandatory = $true)] [string] $Server,
    [Parameter(Mandatory = $true)] [pscredential] $Credential
)
$ErrorActionPreference = 'Stop'
Import-Module {_CORE}

function Get-NestedVM {{
    # by instance UUID: names repeat, and Get-VM -Name reads * and ? as wildcards
    $found = @({_CORE}\Get-VM -Server $connection |
        Where-Object {{ $_.ExtensionData.Config.InstanceUuid -eq $vmUuid }})
    if ($found.Count -ne 1) {{ throw "$($found.Count) VMs have the instance UUID $vmUuid" }}
    $found[0]
}}

function Wait-PowerState([string] $State, [int] $Seconds) {{
    $end = (Get-Date).AddSeconds($Seconds)
    while ([string](Get-NestedVM).PowerState -ne $State) {{
        if ((Get-Date) -gt $end) {{ throw "the VM is not $State after $Seconds seconds" }}
        Start-Sleep -Seconds 2
    }}
}}

$connection = {_CORE}\Connect-VIServer -Server $Server -Credential $Credential
try {{
"""
_END = rf"""}} finally {{
    {_CORE}\Disconnect-VIServer -Server $connection -Confirm:$false
}}
"""


def write(plan: Plan) -> str:
    """The script, for Windows PowerShell 5.1 and later."""
    head = ["#Requires -Version 5.1", *(f"# {remark(line)}" for line in header(plan))]
    body = [f"$vmUuid = {powershell(plan.vm.id)}"]
    for number, step in enumerate(plan.steps, start=1):
        body += ["", f"# {number}. {remark(describe(step))}", *_step(step)]
    inner = "\n".join(f"    {line}" if line else "" for line in body)
    return "\n".join(head) + _TOP + inner + "\n" + _END


def _step(step: Step) -> list[str]:
    seconds = int(step.timeout_s)
    if step.op == "shutdown_guest":
        return [
            "if ((Get-NestedVM).PowerState -ne 'PoweredOff') {",
            f"    $null = {_CORE}\\Stop-VMGuest -VM (Get-NestedVM) -Confirm:$false",
            "}",
            f"Wait-PowerState 'PoweredOff' {seconds}",
        ]
    if step.op == "power_off":
        return [
            f"$null = {_CORE}\\Stop-VM -VM (Get-NestedVM) -Confirm:$false",
            f"Wait-PowerState 'PoweredOff' {seconds}",
        ]
    if step.op == "power_on":
        return [
            f"$null = {_CORE}\\Start-VM -VM (Get-NestedVM) -Confirm:$false",
            f"Wait-PowerState 'PoweredOn' {seconds}",
        ]
    if step.property == "security":
        return _security(step)
    fields = _fields(step)
    return [
        "$spec = New-Object VMware.Vim.VirtualMachineConfigSpec",
        *(f"$spec.{name} = {value}" for name, value in fields),
        "(Get-NestedVM).ExtensionData.ReconfigVM($spec)",
    ]


def _fields(step: Step) -> list[tuple[str, str]]:
    """Fields of the VirtualMachineConfigSpec, in its reference's names."""
    after = step.after
    if step.property == "nested_hv":
        return [("NestedHVEnabled", _truth(after))]
    if step.property == "cpu":
        return [
            ("NumCPUs", str(int(after["count"]))),
            ("NumCoresPerSocket", str(int(after["cores_per_socket"]))),
        ]
    if step.property == "memory":
        return [
            ("MemoryMB", str(int(after["size_mib"]))),
            ("MemoryReservationLockedToMax", _truth(after["reservation_locked"])),
            ("MemoryAllocation", "New-Object VMware.Vim.ResourceAllocationInfo"),
            ("MemoryAllocation.Reservation", str(int(after["reservation_mib"]))),
        ]
    raise unknown_step(step, "PowerCLI")


def _security(step: Step) -> list[str]:
    arguments = [
        f"-{POLICIES[name][2]}Inherited $true"
        if value == "inherit"
        else f"-{POLICIES[name][2]} {_truth(value == 'accept')}"
        for name, value in changed_policies(step).items()
    ]
    return [
        f"$portGroupName = {powershell(step.target.name)}",
        "# this one port group of the VM's host, not every switch",
        f"$portGroup = @({_CORE}\\Get-VirtualPortGroup -Standard -VMHost (Get-NestedVM).VMHost |",
        "    Where-Object { $_.Name -ceq $portGroupName })",
        'if ($portGroup.Count -ne 1) { throw "$($portGroup.Count) port groups are called so" }',
        f"$null = {_CORE}\\Get-SecurityPolicy -VirtualPortGroup $portGroup[0] |",
        f"    {_CORE}\\Set-SecurityPolicy {' '.join(arguments)}",
    ]


def _truth(value: bool) -> str:
    return "$true" if value else "$false"
