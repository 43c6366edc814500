# What a new VM could be plugged into and where it could lie. Changes nothing.
param($given)
@{
    names = @(Hyper-V\Get-VM | ForEach-Object { [string]$_.Name })
    switches = @(Hyper-V\Get-VMSwitch | ForEach-Object { [string]$_.Name })
    folder = [string](Hyper-V\Get-VMHost).VirtualMachinePath
}
