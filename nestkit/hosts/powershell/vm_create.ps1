# Creates one VM, in one call: its folder carries the mark by which it is found again.
param($given)
$arguments = @{
    Name = $given.name
    Generation = [int]$given.generation
    MemoryStartupBytes = [long]$given.memory_mib * 1MB
    Path = $given.path
    SwitchName = $given.switch
}
if ($given.disk_gib -gt 0) {
    $arguments.NewVHDPath = $given.disk
    $arguments.NewVHDSizeBytes = [long]$given.disk_gib * 1GB
} else {
    $arguments.VHDPath = $given.disk
}
$null = Hyper-V\New-VM @arguments
$null
