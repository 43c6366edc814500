# Restarts the guest of one VM, through PowerShell Direct.
param($given)
$secret = ConvertTo-SecureString -String $given.password -AsPlainText -Force
$credential = New-Object System.Management.Automation.PSCredential($given.user, $secret)
Invoke-Command -VMId $given.vm -Credential $credential -ScriptBlock {
    Restart-Computer -Force
}
$null
