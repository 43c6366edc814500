# Runs one nestkit script: JSON in by standard input, one JSON document out between two lines.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
[Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false
$given = @($input) -join "`n" | ConvertFrom-Json
$answer = @{ schema = 1; ok = $true; data = $null; error = $null }
try {
    $answer.data = & ([ScriptBlock]::Create($given.script)) $given.parameters
} catch {
    $answer.ok = $false
    $answer.error = @{
        message = [string]$_.Exception.Message
        id = [string]$_.FullyQualifiedErrorId
        category = [string]$_.CategoryInfo.Category
        command = [string]$_.InvocationInfo.MyCommand
        line = [int]$_.InvocationInfo.ScriptLineNumber
    }
}
$text = ConvertTo-Json -InputObject $answer -Depth 9 -Compress
Write-Output $given.begin $text $given.end
