# Makes, or with an empty prefix removes, the switch and the NAT inside the guest of one VM.
param($given)
$secret = ConvertTo-SecureString -String $given.password -AsPlainText -Force
$credential = New-Object System.Management.Automation.PSCredential($given.user, $secret)
$values = @($given.name, $given.prefix, $given.gateway, $given.length)
Invoke-Command -VMId $given.vm -Credential $credential -ArgumentList $values -ScriptBlock {
    param($name, $prefix, $gateway, $length)
    $ErrorActionPreference = 'Stop' # the guest has its own
    $switches = @(Hyper-V\Get-VMSwitch | Where-Object { $_.Name -eq $name })
    $nats = @(NetNat\Get-NetNat | Where-Object { $_.Name -eq $name })
    if ($prefix) {
        # each part only where it is missing: an earlier attempt may have been cut off
        if ($switches.Count -eq 0) {
            $null = Hyper-V\New-VMSwitch -Name $name -SwitchType Internal
        }
        if (@(NetTCPIP\Get-NetIPAddress | Where-Object { $_.IPAddress -eq $gateway }).Count -eq 0) {
            $null = NetTCPIP\New-NetIPAddress -IPAddress $gateway -PrefixLength $length -InterfaceAlias "vEthernet ($name)"
        }
        if ($nats.Count -eq 0) {
            $null = NetNat\New-NetNat -Name $name -InternalIPInterfaceAddressPrefix $prefix
        }
    } else {
        if ($nats.Count -gt 0) { NetNat\Remove-NetNat -Name $name -Confirm:$false }
        if ($switches.Count -gt 0) { Hyper-V\Remove-VMSwitch -VMSwitch $switches[0] -Force }
    }
}
$null
