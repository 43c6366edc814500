# Stops, turns off or starts one VM, or throws its saved state away.
param($given)
$vm = Hyper-V\Get-VM -Id $given.vm
if ($given.op -eq 'shutdown_guest') {
    Hyper-V\Stop-VM -VM $vm -Confirm:$false
} elseif ($given.op -eq 'power_off') {
    Hyper-V\Stop-VM -VM $vm -TurnOff -Force -Confirm:$false
} elseif ($given.op -eq 'discard_saved_state') {
    Hyper-V\Remove-VMSavedState -VM $vm
} elseif ($given.op -eq 'power_on') {
    Hyper-V\Start-VM -VM $vm
} else {
    throw "this script does not do $($given.op)"
}
$null
