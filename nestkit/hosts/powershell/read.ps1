# The host and its VMs, or the one VM that was asked for, in one document. Changes nothing.
# What cannot be read is reported where it would stand, and the rest goes on. Values that Windows
# may leave out are not converted: nothing must not read as False.
param($given)

function Read-Part($Block) {
    try {
        @{ data = @(& $Block) }
    } catch {
        @{
            error = @{
                message = [string]$_.Exception.Message
                id = [string]$_.FullyQualifiedErrorId
                category = [string]$_.CategoryInfo.Category
                command = [string]$_.InvocationInfo.MyCommand
            }
        }
    }
}

function Read-Nat($Id) {
    $secret = ConvertTo-SecureString -String $given.guest.password -AsPlainText -Force
    $credential = New-Object System.Management.Automation.PSCredential($given.guest.user, $secret)
    $count = Invoke-Command -VMId $Id -Credential $credential -ScriptBlock { @(NetNat\Get-NetNat).Count }
    # a number from another session carries notes that 5.1 would write into the answer
    "$count" -ne '0'
}

function Read-Vm($Vm) {
    $nics = Read-Part {
        Hyper-V\Get-VMNetworkAdapter -VM $Vm | ForEach-Object {
            @{
                id = [string]$_.Id
                name = [string]$_.Name
                mac = [string]$_.MacAddress
                network = [string]$_.SwitchName
                network_id = [string]$_.SwitchId
                legacy = [bool]$_.IsLegacy
                spoofing = [string]$_.MacAddressSpoofing
            }
        }
    }
    $closed = @($nics.data | Where-Object { $_.spoofing -eq 'Off' }).Count
    $nat = @{}
    if ($given.guest -and $closed -gt 0 -and [string]$Vm.State -eq 'Running') {
        $nat = Read-Part { Read-Nat $Vm.Id }
    }
    @{
        id = [string]$Vm.Id
        name = [string]$Vm.Name
        state = [string]$Vm.State
        version = [string]$Vm.Version
        generation = [int]$Vm.Generation
        heartbeat = [string]$Vm.Heartbeat
        nics = $nics
        nat = $nat
        processor = Read-Part {
            $one = Hyper-V\Get-VMProcessor -VM $Vm
            @{ count = [int]$one.Count; exposes = [bool]$one.ExposeVirtualizationExtensions }
        }
        memory = Read-Part {
            $one = Hyper-V\Get-VMMemory -VM $Vm
            @{ dynamic = [bool]$one.DynamicMemoryEnabled; startup = [long]$one.Startup }
        }
        checkpoints = Read-Part { Hyper-V\Get-VMSnapshot -VM $Vm | ForEach-Object { [string]$_.Id } }
        disks = Read-Part {
            Hyper-V\Get-VMHardDiskDrive -VM $Vm | ForEach-Object {
                @{ path = [string]$_.Path; bus = [string]$_.ControllerType }
            }
        }
    }
}

$all = Read-Part { Hyper-V\Get-VM }
$chosen = @()
$names = @()
if (-not $all.error) {
    $chosen = $all.data
    if ($null -ne $given.vm) {
        $chosen = @($all.data | Where-Object { [string]$_.Id -eq $given.vm })
        if ($chosen.Count -eq 0) { $chosen = @($all.data | Where-Object { $_.Name -ceq $given.vm }) }
        if ($chosen.Count -eq 0) { $chosen = @($all.data | Where-Object { $_.Name -eq $given.vm }) }
        if ($chosen.Count -ne 1) {
            $count = $chosen.Count
            if ($count -eq 0) { $chosen = $all.data }
            $names = @($chosen | ForEach-Object {
                @{ id = [string]$_.Id; name = [string]$_.Name; state = [string]$_.State }
            })
            return @{ unique = $false; count = $count; names = $names }
        }
    }
}

@{
    unique = $true
    computer = Read-Part {
        $one = Get-CimInstance -ClassName Win32_ComputerSystem
        @{
            name = [string]$one.Name
            maker = [string]$one.Manufacturer
            model = [string]$one.Model
            hypervisor = $one.HypervisorPresent
            memory = [long]$one.TotalPhysicalMemory
        }
    }
    product = Read-Part { [string](Get-CimInstance -ClassName Win32_ComputerSystemProduct).UUID }
    enclosure = Read-Part {
        Get-CimInstance -ClassName Win32_SystemEnclosure | ForEach-Object { [string]$_.SMBIOSAssetTag }
    }
    system = Read-Part {
        $one = Get-CimInstance -ClassName Win32_OperatingSystem
        @{
            caption = [string]$one.Caption
            version = [string]$one.Version
            build = [string]$one.BuildNumber
            dep = $one.DataExecutionPrevention_Available
            dep_policy = $one.DataExecutionPrevention_SupportPolicy
            free_kib = [long]$one.FreePhysicalMemory
        }
    }
    processors = Read-Part {
        Get-CimInstance -ClassName Win32_Processor | ForEach-Object {
            @{
                maker = [string]$_.Manufacturer
                model = [string]$_.Name
                architecture = $_.Architecture
                data_width = $_.DataWidth
                cores = [int]$_.NumberOfCores
                threads = [int]$_.NumberOfLogicalProcessors
                firmware = $_.VirtualizationFirmwareEnabled
                slat = $_.SecondLevelAddressTranslationExtensions
                monitor = $_.VMMonitorModeExtensions
            }
        }
    }
    disks = Read-Part {
        Get-PhysicalDisk | ForEach-Object {
            @{
                name = [string]$_.FriendlyName
                size = [long]$_.Size
                media = [string]$_.MediaType
                bus = [string]$_.BusType
            }
        }
    }
    adapters = Read-Part {
        Get-NetAdapter -Physical | ForEach-Object {
            @{
                name = [string]$_.Name
                driver = [string]$_.InterfaceDescription
                is_up = [string]$_.Status -eq 'Up'
                speed = [string]$_.Speed
            }
        }
    }
    boot = Read-Part {
        $lines = bcdedit.exe /enum '{current}'
        if ($LASTEXITCODE -ne 0) { throw "bcdedit: $lines" }
        $lines | ForEach-Object { [string]$_ }
    }
    guests = Read-Part {
        Get-CimInstance -Namespace root/virtualization/v2 -ClassName Msvm_KvpExchangeComponent | ForEach-Object {
            @{
                id = [string]$_.SystemName
                items = @($_.GuestIntrinsicExchangeItems | Where-Object { $_ -match '>OS(Name|Version)<' })
            }
        }
    }
    role = @{ error = $all.error }
    vms = @($chosen | ForEach-Object { Read-Vm $_ })
}
