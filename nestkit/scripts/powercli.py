"""A plan as a PowerCLI script.

Cmdlets and parameters: the VMware PowerCLI reference (module VMware.VimAutomation.Core). They
carry their module's name, because Hyper-V's module has Get-VM, Start-VM and Stop-VM as well.
"""

from __future__ import annotations

from nestkit.plans import Plan, Step
from nestkit.scripts.outline import (
    MAC_FLAGS,
    POLICIES,
    changed_policies,
    header,
    networks_of,
    remarks,
    unknown_step,
)
from nestkit.scripts.quoting import powershell, remark

_CORE = "VMware.VimAutomation.Core"
_VDS = "VMware.VimAutomation.Vds"  # distributed switches
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
        body += ["", *remarks(number, step), *_step(step, plan)]
    inner = "\n".join(f"    {line}" if line else "" for line in body)
    return "\n".join(head) + _TOP + inner + "\n" + _END


def _step(step: Step, plan: Plan) -> list[str]:
    seconds = int(step.timeout_s)
    if step.op == "create_vm":
        return _create(step, plan)
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
    if step.op == "destroy_vm":
        return [f"{_CORE}\\Remove-VM -VM (Get-NestedVM) -DeletePermanently -Confirm:$false"]
    if step.property == "hardware_version":
        return [f"(Get-NestedVM).ExtensionData.UpgradeVM('vmx-{int(step.after):02d}')"]
    if step.property == "cdrom":
        return _cdrom(step)
    if step.property == "mac_management":
        return _mac_management(step)
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


def _create(step: Step, plan: Plan) -> list[str]:
    wanted = step.after
    lines = [
        f"$vmName = {powershell(wanted['name'])}",
        f"$datastoreName = {powershell(wanted['datastore'])}",
        f"$hostRef = {powershell('HostSystem-' + str(wanted['created_on']))}",
        f"$vmHost = @({_CORE}\\Get-VMHost -Server $connection |",
        "    Where-Object { $_.Id -eq $hostRef })",
        "if ($vmHost.Count -ne 1) { throw 'the host that the VM was planned for is gone' }",
        f"$datastore = @({_CORE}\\Get-Datastore -Server $connection -RelatedObject $vmHost[0] |",
        "    Where-Object { $_.Name -ceq $datastoreName })",
        'if ($datastore.Count -ne 1) { throw "$($datastore.Count) datastores are called so" }',
        "$networks = @()",
    ]
    for name, each in zip(networks_of(plan, step), wanted["networks"], strict=True):
        if each["key"]:
            lines += [
                f"$networks += {_VDS}\\Get-VDPortgroup -Server $connection |",
                f"    Where-Object {{ $_.Key -eq {powershell(each['key'])} }}",
            ]
        else:
            lines += [
                f"$networkName = {powershell(name)}",
                f"$networks += {_CORE}\\Get-VirtualPortGroup -Standard -VMHost $vmHost[0] |",
                "    Where-Object { $_.Name -ceq $networkName }",
            ]
    size = int(wanted["disks_mib"][0]) // 1024
    return [
        *lines,
        f"if ($networks.Count -ne {len(wanted['networks'])}) {{ throw 'a network is not there' }}",
        f"$new = {_CORE}\\New-VM -Server $connection -Name $vmName -VMHost $vmHost[0] `",
        f"    -Datastore $datastore[0] -DiskGB {size} -DiskStorageFormat Thin `",
        f"    -NumCpu {int(wanted['cpu_count'])} -MemoryMB {int(wanted['memory_mib'])} `",
        f"    -GuestId {powershell(wanted['guest_id'])} "
        f"-HardwareVersion 'vmx-{int(wanted['hardware_version']):02d}' `",
        "    -Portgroup $networks -CD -Confirm:$false",
        f"$null = {_CORE}\\Get-ScsiController -VM $new |",
        f"    {_CORE}\\Set-ScsiController -Type ParaVirtual -Confirm:$false",
        f"$null = {_CORE}\\Get-NetworkAdapter -VM $new |",
        f"    {_CORE}\\Set-NetworkAdapter -Type Vmxnet3 -Confirm:$false",
        "# what New-VM has no parameter for; the instance UUID is the plan's",
        "$mark = New-Object VMware.Vim.OptionValue",
        "$mark.Key = 'nestkit.created_on'",
        f"$mark.Value = {powershell(str(wanted['created_on']))}",
        "$spec = New-Object VMware.Vim.VirtualMachineConfigSpec",
        "$spec.InstanceUuid = $vmUuid",
        f"$spec.Firmware = {powershell(wanted['firmware'])}",
        f"$spec.NestedHVEnabled = {_truth(wanted['nested_hv'])}",
        f"$spec.MemoryReservationLockedToMax = {_truth(wanted['reservation_locked'])}",
        "$spec.MemoryAllocation = New-Object VMware.Vim.ResourceAllocationInfo",
        f"$spec.MemoryAllocation.Reservation = {int(wanted['reservation_mib'])}",
        "$spec.ExtraConfig = @($mark)",
        "$new.ExtensionData.ReconfigVM($spec)",
    ]


def _cdrom(step: Step) -> list[str]:
    drive = f"$drive = @({_CORE}\\Get-CDDrive -VM (Get-NestedVM))"
    if not step.after["iso"]:
        return [drive, f"$null = {_CORE}\\Set-CDDrive -CD $drive[0] -NoMedia -Confirm:$false"]
    start = _truth(step.after["at_power_on"])
    return [
        f"$iso = {powershell(step.after['iso'])}",
        drive,
        "if ($drive.Count -eq 0) {",
        f"    $null = {_CORE}\\New-CDDrive -VM (Get-NestedVM) -IsoPath $iso "
        f"-StartConnected:{start}",
        "} else {",
        f"    $null = {_CORE}\\Set-CDDrive -CD $drive[0] -IsoPath $iso "
        f"-StartConnected {start} -Confirm:$false",
        "}",
    ]


def _mac_management(step: Step) -> list[str]:
    after = step.after
    flags = [
        (f"{field[0].upper()}{field[1:]}", _truth(after[name])) for name, field in MAC_FLAGS.items()
    ]
    inherited = _truth(after["inherited"])
    return [
        f"$group = @({_VDS}\\Get-VDPortgroup -Server $connection |",
        f"    Where-Object {{ $_.Key -eq {powershell(step.target.id)} }})",
        'if ($group.Count -ne 1) { throw "$($group.Count) port groups have the plan\'s key" }',
        "# read, modify, write: a reconfigure replaces the whole port setting",
        "$config = $group[0].ExtensionData.Config",
        "$setting = $config.DefaultPortConfig",
        "$policy = $setting.MacManagementPolicy",
        "if ($null -eq $policy) { throw 'the switch is older than 6.6: it has no MAC learning' }",
        "if ($null -eq $policy.MacLearningPolicy) {",
        "    $policy.MacLearningPolicy = New-Object VMware.Vim.DVSMacLearningPolicy",
        "}",
        f"$policy.Inherited = {inherited}",
        *(f"$policy.{name} = {value}" for name, value in flags),
        f"$policy.MacLearningPolicy.Inherited = {inherited}",
        f"$policy.MacLearningPolicy.Enabled = {_truth(after['mac_learning'])}",
        f"$policy.MacLearningPolicy.AllowUnicastFlooding = {_truth(after['unicast_flooding'])}",
        f"$policy.MacLearningPolicy.Limit = {int(after['limit'])}",
        f"$policy.MacLearningPolicy.LimitPolicy = {powershell(str(after['limit_policy']))}",
        "$spec = New-Object VMware.Vim.DVPortgroupConfigSpec",
        "$spec.ConfigVersion = $config.ConfigVersion",
        "$spec.DefaultPortConfig = $setting",
        "$group[0].ExtensionData.ReconfigureDVPortgroup($spec)",
    ]


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
