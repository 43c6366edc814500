# One VM as nestkit changes it: power, processor, memory, version, NICs. Changes nothing.
param($given)
$vm = Hyper-V\Get-VM -Id $given.vm -ErrorAction SilentlyContinue
if ($null -eq $vm) {
    # the whole list fails loudly where the one was not found for lack of permission
    $all = @(Hyper-V\Get-VM)
    # one that nestkit created has an Id of its own, and the plan's in the name of its folder
    $mark = "nestkit-$($given.vm)"
    $vm = $all | Where-Object { ([string]$_.Path -split '\\') -contains $mark }
}
if ($null -eq $vm) { return @{ found = $false } }
$processor = Hyper-V\Get-VMProcessor -VM $vm
$memory = Hyper-V\Get-VMMemory -VM $vm
$newest = Hyper-V\Get-VMHostSupportedVersion -Default
@{
    found = $true
    id = [string]$vm.Id
    state = [string]$vm.State
    working = [string]$vm.PrimaryOperationalStatus -eq 'InService'
    heartbeat = [string]$vm.Heartbeat
    uptime_s = [long]$vm.Uptime.TotalSeconds
    version = [string]$vm.Version
    newest_version = [string]$newest.Version
    exposes = [bool]$processor.ExposeVirtualizationExtensions
    cpus = [int]$processor.Count
    dynamic = [bool]$memory.DynamicMemoryEnabled
    startup = [long]$memory.Startup
    minimum = [long]$memory.Minimum
    maximum = [long]$memory.Maximum
    assigned = [long]$vm.MemoryAssigned
    nics = @(Hyper-V\Get-VMNetworkAdapter -VM $vm | ForEach-Object {
        @{ id = [string]$_.Id; spoofing = [string]$_.MacAddressSpoofing -eq 'On' }
    })
}
