"""The columns that Hyper-V's objects have on the console: heading → property and divisor.

As the examples on the pages of Microsoft Learn, module Hyper-V (Get-VM, Get-VMProcessor,
Get-VMMemory, Get-VMNetworkAdapter, Get-VMSwitch, Get-VMSnapshot, …), show them.
"""

from __future__ import annotations

from typing import Final

MIB: Final = 2**20
Columns = dict[str, tuple[str, int]]  # 1: shown as it is


def _plain(*names: str) -> Columns:
    return {name: (name, 1) for name in names}


VM: Final[Columns] = {
    **_plain("Name", "State"),
    "CPUUsage(%)": ("CPUUsage", 1),
    "MemoryAssigned(M)": ("MemoryAssigned", MIB),
    **_plain("Uptime", "Status", "Version"),
}
PROCESSOR: Final = _plain(
    "VMName",
    "Count",
    "CompatibilityForMigrationEnabled",
    "CompatibilityForOlderOperatingSystemsEnabled",
)
MEMORY: Final[Columns] = {
    **_plain("VMName", "DynamicMemoryEnabled"),
    "Minimum(M)": ("Minimum", MIB),
    "Startup(M)": ("Startup", MIB),
    "Maximum(M)": ("Maximum", MIB),
}
NIC: Final = _plain(
    "Name", "IsManagementOs", "VMName", "SwitchName", "MacAddress", "Status", "IPAddresses"
)
SWITCH: Final = _plain("Name", "SwitchType", "NetAdapterInterfaceDescription")
SNAPSHOT: Final = _plain("VMName", "Name", "SnapshotType", "CreationTime", "ParentSnapshotName")
HARD_DISK: Final = _plain(
    "VMName", "ControllerType", "ControllerNumber", "ControllerLocation", "Path"
)
INTEGRATION: Final = _plain(
    "VMName", "Name", "Enabled", "PrimaryStatusDescription", "SecondaryStatusDescription"
)
VM_HOST: Final[Columns] = {
    **_plain("Name", "LogicalProcessorCount"),
    "MemoryCapacity(M)": ("MemoryCapacity", MIB),
    **_plain("VirtualMachineMigrationEnabled"),
}
