"""What Linux tells of the machine: /proc and /sys, read under a root so that it can be tested.

Sources: proc(5), the kernel's Documentation/ABI (sysfs-class-net, stable/sysfs-block) and
arch/x86/include/asm/cpufeatures.h for the names of flags.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Final

from nestkit.facts import CpuFacts, DiskFacts, Fact, HostFacts, HostNicFacts, Unknown

_VENDORS: Final = {"GenuineIntel": "intel", "AuthenticAMD": "amd", "HygonGenuine": "hygon"}
_NOT_X86: Final = Unknown("this is not an x86 processor")
# what hypervisors write into DMI; a physical machine of Microsoft is a Surface, so pairs matter
VIRTUAL_MACHINES: Final = (
    "vmware", "virtualbox", "qemu", "kvm", "bochs", "xen", "parallels", "openstack", "bhyve",
    "microsoft corporation virtual machine", "google compute engine", "amazon ec2",
)  # fmt: skip
_NOT_DISKS: Final = ("loop", "ram", "zram", "dm-", "sr", "fd", "nbd")
_NAMESPACE: Final = uuid.UUID("b2c7f6d2-6f43-5a0e-9a3c-3f0f6b6f1c55")


def read(name: str, root: Path = Path("/")) -> HostFacts:
    """Facts of this machine; the lab's are not among them."""
    info = _cpuinfo(root)
    flags = frozenset(info.get("flags", "").split() + info.get("vmx flags", "").split())
    machine = _machine(root)
    cpu = _cpu(info, flags)
    return HostFacts(
        identity=_identity(root, name),
        platform="local",
        name=name,
        is_practice=False,
        product=_product(root),
        version=_text(root / "proc/sys/kernel/osrelease"),
        cpu=cpu,
        memory_gib=_meminfo(root, "MemTotal"),
        free_memory_gib=_meminfo(root, "MemAvailable"),
        disks=_disks(root),
        nics=_nics(root),
        nested_parameter=_nested(root),
        # the kernel hides vmx and svm where the firmware forbids them
        firmware_virtualization=cpu.hw_virtualization,
        vm_monitor_mode=cpu.hw_virtualization,
        hypervisor_present="hypervisor" in flags if flags else _NOT_X86,
        is_vm=_is_vm(root, flags, machine),
        machine=machine,
        firmware=_firmware(root, machine),
    )


def _text(path: Path) -> Fact[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError as error:
        return Unknown(f"/{path.name} cannot be read: {error.strerror}")


def _identity(root: Path, name: str) -> str:
    """A UUID made from the machine id, which itself is not to be shown (machine-id(5))."""
    machine_id = _text(root / "etc/machine-id")
    return str(uuid.uuid5(_NAMESPACE, name if isinstance(machine_id, Unknown) else machine_id))


def _product(root: Path) -> Fact[str]:
    release = _text(root / "etc/os-release")
    if isinstance(release, Unknown):
        return release
    for line in release.splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip("\"'")
    return Unknown("/etc/os-release has no PRETTY_NAME")


def _cpuinfo(root: Path) -> dict[str, str]:
    """The first processor of /proc/cpuinfo, and how many there are."""
    text = _text(root / "proc/cpuinfo")
    if isinstance(text, Unknown):
        return {}
    blocks = [
        {key.strip(): value.strip() for key, _, value in
         (line.partition(":") for line in block.splitlines())}
        for block in text.split("\n\n")
    ]  # fmt: skip
    processors = [block for block in blocks if "processor" in block]
    cores = {(block.get("physical id"), block.get("core id")) for block in processors}
    first = dict(processors[0]) if processors else {}
    first["threads"] = str(len(processors))
    if "core id" in first:
        first["cores"] = str(len(cores))
    return first


def _cpu(info: dict[str, str], flags: frozenset[str]) -> CpuFacts:
    if not info:
        return CpuFacts()
    threads = int(info["threads"])
    if not flags:
        vendor = "arm" if "CPU implementer" in info else info.get("vendor_id", "not x86")
        return CpuFacts(
            vendor=vendor, model=info.get("model name", vendor), threads=threads,
            cores=Unknown("/proc/cpuinfo does not tell cores from threads here"),
            is_64bit=False, hw_virtualization=_NOT_X86, slat=_NOT_X86, nx=_NOT_X86,
        )  # fmt: skip
    raw = info.get("vendor_id", "")
    return CpuFacts(
        vendor=_VENDORS.get(raw, raw or Unknown("/proc/cpuinfo names no vendor")),
        model=info.get("model name", raw),
        cores=int(info["cores"]) if "cores" in info else threads,
        threads=threads,
        is_64bit="lm" in flags,
        hw_virtualization=bool(flags & {"vmx", "svm"}),
        slat=bool(flags & {"ept", "npt"}),
        nx="nx" in flags,
    )


def _meminfo(root: Path, key: str) -> Fact[float]:
    text = _text(root / "proc/meminfo")
    if isinstance(text, Unknown):
        return text
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == key and value.split():
            return int(value.split()[0]) / 2**20  # kB, which are KiB here
    return Unknown(f"/proc/meminfo has no {key}")


def _nested(root: Path) -> Fact[bool]:
    for module in ("kvm_intel", "kvm_amd"):
        value = _text(root / "sys/module" / module / "parameters/nested")
        if not isinstance(value, Unknown):
            return value in ("Y", "1")
    return Unknown("neither kvm_intel nor kvm_amd is loaded")


def _machine(root: Path) -> Fact[str]:
    parts = [_text(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name")]
    known = [part for part in parts if not isinstance(part, Unknown) and part]
    return " ".join(known) if known else Unknown("there is no DMI here")


def _firmware(root: Path, machine: Fact[str]) -> Fact[str]:
    if (root / "sys/firmware/efi").is_dir():
        return "efi"
    # without DMI there may be no firmware at all, as in a microVM
    return machine if isinstance(machine, Unknown) else "bios"


def _is_vm(root: Path, flags: frozenset[str], machine: Fact[str]) -> Fact[bool]:
    if "hypervisor" in flags:
        return True
    if not isinstance(machine, Unknown) and any(
        name in machine.lower() for name in VIRTUAL_MACHINES
    ):
        return True
    if (root / "proc/device-tree/hypervisor").exists():
        return True
    return False if flags else Unknown("neither DMI nor the device tree names a hypervisor")


def _disks(root: Path) -> Fact[tuple[DiskFacts, ...]]:
    folder = root / "sys/block"
    if not folder.is_dir():
        return Unknown("/sys/block is missing")
    disks = []
    for entry in sorted(folder.iterdir()):
        size = _text(entry / "size")
        if entry.name.startswith(_NOT_DISKS) or size == "0":
            continue
        bus = _bus(entry)
        virtual = bus in ("virtio", "xen")
        rotational = _text(entry / "queue/rotational")
        disks.append(
            DiskFacts(
                label=entry.name,
                size_gib=size if isinstance(size, Unknown) else int(size) * 512 / 2**30,
                bus=bus,
                is_ssd=Unknown("a virtual disk does not say what it lies on")
                if virtual
                else rotational
                if isinstance(rotational, Unknown)
                else rotational == "0",
                is_raid=True
                if bus == "md"
                else Unknown("a controller that does RAID shows one plain disk"),
            )
        )
    return tuple(disks)


def _bus(entry: Path) -> str:
    """The bus, by the device's name and its place in the tree of devices."""
    by_name = {"nvme": "nvme", "vd": "virtio", "xvd": "xen", "mmcblk": "mmc", "hd": "ide"}
    for prefix, bus in by_name.items():
        if entry.name.startswith(prefix):
            return bus
    if entry.name.startswith("md"):
        return "md"
    path = str(entry.resolve())
    for mark, bus in (("/usb", "usb"), ("/ata", "sata"), ("/end_device-", "sas")):
        if mark in path:
            return bus
    return "scsi"


def _nics(root: Path) -> Fact[tuple[HostNicFacts, ...]]:
    folder = root / "sys/class/net"
    if not folder.is_dir():
        return Unknown("/sys/class/net is missing")
    return tuple(
        HostNicFacts(
            label=entry.name, link_mbps=_speed(entry), driver=_driver(entry / "device/driver")
        )
        for entry in sorted(folder.iterdir())
        if (entry / "device").exists()  # loopback, bridges and tunnels have no device
    )


def _driver(link: Path) -> Fact[str]:
    return link.resolve().name if link.exists() else Unknown("the kernel names no driver")


def _speed(entry: Path) -> Fact[int]:
    if _text(entry / "operstate") == "down":
        return 0
    speed = _text(entry / "speed")
    if isinstance(speed, Unknown):
        return Unknown("the driver does not tell its speed")
    if not speed.isdigit():  # -1 from drivers of virtual NICs
        return Unknown(f"the driver tells no speed ({speed})")
    return int(speed)
