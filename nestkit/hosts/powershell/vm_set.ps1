# Sets one property of one VM, or of one of its NICs.
param($given)
$vm = Hyper-V\Get-VM -Id $given.vm
$after = $given.after
if ($given.property -eq 'nested_hv') {
    Hyper-V\Set-VMProcessor -VM $vm -ExposeVirtualizationExtensions ([bool]$after)
} elseif ($given.property -eq 'cpu') {
    Hyper-V\Set-VMProcessor -VM $vm -Count ([int]$after.count)
} elseif ($given.property -eq 'memory') {
    $startup = [long]$after.startup_mib * 1MB
    if ($after.dynamic) {
        $minimum = [long]$after.minimum_mib * 1MB
        $maximum = [long]$after.maximum_mib * 1MB
        Hyper-V\Set-VMMemory -VM $vm -DynamicMemoryEnabled $true -StartupBytes $startup -MinimumBytes $minimum -MaximumBytes $maximum
    } else {
        Hyper-V\Set-VMMemory -VM $vm -DynamicMemoryEnabled $false -StartupBytes $startup
    }
} elseif ($given.property -eq 'mac_spoofing') {
    $nics = @(Hyper-V\Get-VMNetworkAdapter -VM $vm)
    if ($given.nic) {
        # by id: names of NICs repeat
        $nics = @($nics | Where-Object { [string]$_.Id -eq $given.nic })
        if ($nics.Count -ne 1) { throw "$($nics.Count) NICs of the VM have the id $($given.nic)" }
    }
    $word = 'Off'
    if ($after) { $word = 'On' }
    foreach ($nic in $nics) {
        Hyper-V\Set-VMNetworkAdapter -VMNetworkAdapter $nic -MacAddressSpoofing $word
    }
} elseif ($given.property -eq 'configuration_version') {
    Hyper-V\Update-VMVersion -VM $vm -Force -Confirm:$false
} else {
    throw "this script does not set $($given.property)"
}
$null
