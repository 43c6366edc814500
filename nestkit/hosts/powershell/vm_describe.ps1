# What shows whether a VM is still the one that was created. Changes nothing.
param($given)
$vm = Hyper-V\Get-VM -Id $given.vm
@{
    name = [string]$vm.Name
    generation = [int]$vm.Generation
    startup = [long]$vm.MemoryStartup
    path = [string]$vm.Path
    disks = @(Hyper-V\Get-VMHardDiskDrive -VM $vm | ForEach-Object { [string]$_.Path })
    switches = @(Hyper-V\Get-VMNetworkAdapter -VM $vm | ForEach-Object { [string]$_.SwitchName })
    checkpoints = @(Hyper-V\Get-VMSnapshot -VM $vm).Count
}
