# Removes one VM that is off. Its disk files stay.
param($given)
$vm = Hyper-V\Get-VM -Id $given.vm
Hyper-V\Remove-VM -VM $vm -Force
$null
