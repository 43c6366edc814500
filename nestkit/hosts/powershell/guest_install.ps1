# Installs the Hyper-V role in the guest of one VM, through PowerShell Direct; see guest_restart.
param($given)
$secret = ConvertTo-SecureString -String $given.password -AsPlainText -Force
$credential = New-Object System.Management.Automation.PSCredential($given.user, $secret)
$text = Invoke-Command -VMId $given.vm -Credential $credential -ScriptBlock {
    $ErrorActionPreference = 'Stop' # the guest has its own
    $done = ServerManager\Install-WindowsFeature -Name Hyper-V -IncludeAllSubFeature -IncludeManagementTools
    "$($done.Success) $($done.ExitCode)"
}
"$text"
