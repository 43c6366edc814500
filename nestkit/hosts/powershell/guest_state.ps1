# What the guest of one VM says of Hyper-V inside it, through PowerShell Direct. Changes nothing.
param($given)
$secret = ConvertTo-SecureString -String $given.password -AsPlainText -Force
$credential = New-Object System.Management.Automation.PSCredential($given.user, $secret)
$text = Invoke-Command -VMId $given.vm -Credential $credential -ScriptBlock {
    $ErrorActionPreference = 'Stop' # the guest has its own
    $role = ServerManager\Get-WindowsFeature -Name Hyper-V
    $state = [string]$role.InstallState
    $answers = $false
    if ($state -eq 'Installed') {
        try {
            $null = Hyper-V\Get-VMHost
            $answers = $true
        } catch {
            $answers = $false # the service is still starting
        }
    }
    $nats = @(NetNat\Get-NetNat | ForEach-Object { [string]$_.InternalIPInterfaceAddressPrefix })
    ConvertTo-Json -Compress -InputObject @{ role = $state; answers = $answers; nats = $nats }
}
# a text from another session carries notes that 5.1 would write into the answer
ConvertFrom-Json -InputObject "$text"
